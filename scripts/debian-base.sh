#!/bin/sh
# Makes a minimal Debian 12 as a tar archive, from this machine's own archives: scripts/debian-base.sh FILE.tar [section...]
# with the packages of these sections of packages.txt. Needs root.
set -eu

# What it cannot do says so as a skipped test does.
[ "$(id -u)" -eq 0 ] || {
  echo "SKIPPED: $0: making a Debian needs root" >&2
  exit 77
}
here=$(cd "$(dirname "$0")" && pwd)
file=$1
shift
packages=$(for section in "$@"; do
  awk -v s="[$section]" '/^\[/ { on = ($0 == s); next } on && NF && !/^#/ { print $1 }' "$here/packages.txt"
done | paste -s -d ,)
sources=$("$here/archives.sh" | sed 's/^/deb /; s/$/ main/')
[ -n "$sources" ] || {
  echo "$0: this machine's apt knows no archive of Debian 12" >&2
  exit 69
}
# What nobody reads in it, and unpacked first would take twice the time.
echo "$sources" | mmdebstrap --quiet --format=tar --mode=root --variant=minbase --include="$packages" \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
  --aptopt='Apt::Install-Recommends "false"' bookworm "$file.new" -
mv "$file.new" "$file"
