#!/bin/sh
# Installs the Debian packages that are missing: scripts/install.sh [section...], all that the make
# targets need without arguments. Says nothing and needs no privilege when nothing is missing.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
[ $# -gt 0 ] || set -- build run test lint

wanted=$(for section in "$@"; do
  awk -v s="[$section]" '/^\[/ { on = ($0 == s); next } on && NF && !/^#/ { print $1 }' "$here/packages.txt"
done)

is_there() {
  case $1 in
    nodejs) command -v node >/dev/null && return 0 ;;
    npm) command -v npm >/dev/null && return 0 ;;
  esac
  dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed
}

missing=
for package in $wanted; do
  is_there "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || {
    echo "These packages are missing, and there is neither root nor sudo to install them:$missing" >&2
    exit 77
  }
  as_root=sudo
fi
echo "Installing:$missing" >&2
$as_root apt-get update -qq
# A package's own server must not start: the tests start theirs, on ports of their own.
if [ ! -e /usr/sbin/policy-rc.d ]; then
  printf '#!/bin/sh\nexit 101\n' | $as_root tee /usr/sbin/policy-rc.d >/dev/null
  $as_root chmod +x /usr/sbin/policy-rc.d
  trap '$as_root rm -f /usr/sbin/policy-rc.d' EXIT
fi
log=$(mktemp)
# shellcheck disable=SC2086
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >"$log" 2>&1 || {
  status=$?
  tail -n 40 "$log" >&2
  rm -f "$log"
  exit "$status"
}
rm -f "$log"
