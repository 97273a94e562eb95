#!/bin/sh
# Everything that has to be green: scripts/test.sh [--full]
#
#   asan      clang with ASan and UBSan: the module tests and, for some seconds each, the fuzzers
#   tsan      clang with TSan: the tests of the modules whose objects more than one thread meets
#   release   g++: all tests that drive the real server, and the simulator
#
# Builds them one after another, before them the programs in Go that tests share, then runs all their tests as one ctest, whose summary ends
# the output.
# --full: besides, the module tests of all modules under TSan and in the release build, clang-tidy on every file, every kind of caller of etcd's
# Auth, a minute for each fuzzer, a million requests for each canary, how long clients wait beside each protocol attack, a minute of each sort
# of overload, which vulnerabilities are known, the Helm chart, lintian on the package, the image compiled as users compile it, and the image for
# arm64 in an emulator.
set -eu

cd "$(dirname "$0")/.."
jobs=$(nproc)
full=OFF
fuzz_seconds=5
tools=
if [ "${1:-}" = --full ]; then
  full=ON
  fuzz_seconds=60
  tools="tools arm64"
fi
started=$(date +%s)
times=

# stage NAME COMMAND...: runs it and keeps its time; a failure ends everything.
stage() {
  name=$1
  shift
  stage_started=$(date +%s)
  echo "== $name"
  "$@" || {
    status=$?
    echo "== $name failed after $(($(date +%s) - stage_started)) s" >&2
    exit "$status"
  }
  times="$times$(printf '\n%6d s  %s' "$(($(date +%s) - stage_started))" "$name")"
}

build() {
  variant=$1
  shift
  # `make run` before the tests' packages were there leaves the tests out of its build folder.
  cmake --preset "$variant" --log-level=WARNING -DLATTICE_TESTS=ON "$@" && cmake --build --preset "$variant" --parallel "$jobs"
}

# shellcheck disable=SC2086
stage "install packages" scripts/install.sh build run test lint deploy $tools
# A cache that holds nothing costs a tenth to a fifth of each compiler's time, and is of no use to a folder that is built once.
command -v ccache >/dev/null && [ -d "$(ccache --get-config cache_dir)" ] || export CCACHE_DISABLE=1
stage "build tools" tests/tools/build.py
stage "build asan" build asan -DLATTICE_FUZZ_SECONDS="$fuzz_seconds"
stage "build tsan" build tsan -DLATTICE_TSAN_ALL="$full"
stage "build release" build release -DLATTICE_MODULE_TESTS="$full" -DLATTICE_LINT_ALL="$full" -DLATTICE_AUTH_ALL="$full" -DLATTICE_AT_LENGTH="$full"
[ "$full" = OFF ] || stage "build arm64" make --no-print-directory arm64
[ "$full" = OFF ] || stage "security scan" tests/security/scan.py --lattice build/release/lattice

# One ctest over the build folders.
mkdir -p build/all
echo 'subdirs("../asan" "../tsan" "../release")' >build/all/CTestTestfile.cmake
test_started=$(date +%s)
status=0
# Most tests wait: cmake/LatticeModule.cmake has how many of the slots each of them takes.
ctest --test-dir build/all --parallel "$((4 * jobs))" --output-on-failure >build/all/output.txt 2>&1 &
ctest_pid=$!
# The stage times go in front of ctest's summary, so that the summary stays last.
tail -n +1 -f --pid="$ctest_pid" build/all/output.txt | sed '/tests passed, .* tests failed/Q' || true
wait "$ctest_pid" || status=$?
times="$times$(printf '\n%6d s  %s' "$(($(date +%s) - test_started))" "all tests")"
times="$times$(printf '\n%6d s  %s' "$(($(date +%s) - started))" "altogether")"
printf '\n== time of each stage%s\n\n' "$times"
sed -n '/tests passed, .* tests failed/,$p' build/all/output.txt
exit "$status"
