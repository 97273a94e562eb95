#!/bin/sh
# Compiles the server for the image and prints where it is: docker/image/compile.sh [ARCHITECTURE]
set -eu
cd "$(dirname "$0")/../.."
preset=release
strip=strip
if [ "${1:-$(dpkg --print-architecture)}" != "$(dpkg --print-architecture)" ]; then
  preset=$1
  strip=aarch64-linux-gnu-strip
fi
{
  cmake --preset "$preset" --log-level=WARNING -DLATTICE_TESTS=OFF
  cmake --build --preset "$preset" --parallel "$(nproc)" --target lattice
  "$strip" -o "build/$preset/lattice.stripped" "build/$preset/lattice"
} >&2
echo "build/$preset/lattice.stripped"
