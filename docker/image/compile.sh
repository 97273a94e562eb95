#!/bin/sh
# Compiles the server for the image and prints where it is.
set -eu
cd "$(dirname "$0")/../.."
{
  cmake --preset release --log-level=WARNING -DLATTICE_TESTS=OFF
  cmake --build --preset release --parallel "$(nproc)" --target lattice
  strip -o build/release/lattice.stripped build/release/lattice
} >&2
echo build/release/lattice.stripped
