#!/bin/sh
# Checks that the C++ sources are formatted; with --write, formats them.
set -eu
cd "$(dirname "$0")/.."
mode="--dry-run --Werror"
[ "${1:-}" != --write ] || mode=-i
# shellcheck disable=SC2086
find src tests bench \( -name '*.cc' -o -name '*.h' \) -print0 | xargs -0 -n 20 clang-format-16 $mode
