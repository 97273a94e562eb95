#!/bin/sh
# Installs what the image is made with: docker/image/prepare.sh ARCHITECTURE BINARY
# Nothing for the architecture: this machine's own. Nothing for the binary: one will be compiled.
set -eu
cd "$(dirname "$0")/../.."
sections=image
[ -n "$2" ] || sections="$sections build"
native=$(dpkg --print-architecture)
case ${1:-$native} in
  "$native")
    # shellcheck disable=SC2086
    exec scripts/install.sh $sections
    ;;
  arm64)
    # shellcheck disable=SC2086
    scripts/install.sh $sections arm64
    exec scripts/arm64-root.sh build/arm64-root
    ;;
esac
echo "$0: on $native an image is made for $native or arm64, not for $1" >&2
exit 64
