#!/bin/sh
# Runs clang-tidy on the sources that changed since LATTICE_BASE (default: the commit before, and what is not
# committed yet), or with --all on every one. Needs the compile commands of a configured build/release.
set -eu
cd "$(dirname "$0")/.."

if [ "${1:-}" = --all ]; then
  files=$(git ls-files --cached --others --exclude-standard 'src/*.cc')
else
  base=${LATTICE_BASE:-HEAD~1}
  git rev-parse --verify --quiet "$base" >/dev/null || base=$(git hash-object -t tree /dev/null)
  files=$({
    git diff --name-only --diff-filter=d "$base" -- 'src/*.cc'
    git ls-files --others --exclude-standard 'src/*.cc'
  } | sort -u)
fi
[ -n "$files" ] || {
  echo "No source changed."
  exit 0
}
echo "$files" | xargs -n 1 -P "$(nproc)" clang-tidy-16 -p "${LATTICE_BUILD:-build/release}" --quiet \
  --extra-arg=-Wno-unknown-warning-option --warnings-as-errors='*'
