#!/bin/sh
# Makes a folder with the arm64 libraries and headers that the server is compiled with and loads: scripts/arm64-root.sh FOLDER
#
# Its packages are unpacked and entered in its dpkg database, and none of their scripts is run: nothing of this machine's own dpkg is
# touched, and no processor has to be emulated. A folder that is there already stays as it is.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
folder=$(realpath -m "$1")
[ ! -e "$folder" ] || exit 0
packages=$(awk '/^\[/ { on = $0 } NF && (on == "[build]" && /-dev$/ || on == "[image]" && !/^[[#]/)' "$here/packages.txt" | paste -s -d ,)
sources=$("$here/archives.sh" | sed 's/^/deb [arch=arm64] /; s/$/ main/')
[ -n "$sources" ] || {
  echo "$0: this machine's apt knows no archive of Debian 12" >&2
  exit 69
}

mkdir -p "$folder.new"
# Run with the folder before the archives are deleted: what dpkg-query and dpkg-shlibdeps read.
# shellcheck disable=SC2016
enter='
  cd "$1"
  info=var/lib/dpkg/info
  mkdir -p $info
  echo 1 >$info/format
  for archive in var/cache/apt/archives/*.deb; do
    dpkg-deb --control "$archive" control
    name=$(sed -n "s/^Package: //p" control/control)
    grep -q "^Multi-Arch: same" control/control && name=$name:arm64
    sed "1aStatus: install ok unpacked" control/control >>var/lib/dpkg/status
    echo >>var/lib/dpkg/status
    dpkg-deb --fsys-tarfile "$archive" | tar -t | sed "s,^\.,,; s,/$,,; /^$/d" >"$info/$name.list"
    for kind in symbols shlibs; do
      [ ! -f control/$kind ] || mv control/$kind "$info/$name.$kind"
    done
    rm -r control
  done
  # Links that start at the root lead out of the folder, where the linker would follow them.
  find . -type l -lname "/*" | while read -r link; do
    ln -sfn "$(realpath -m --relative-to "$(dirname "$link")" ".$(readlink "$link")")" "$link"
  done'
echo "$sources" | mmdebstrap --quiet --format=directory --mode=root --architectures=arm64 --variant=extract --include="$packages" \
  --dpkgopt='path-exclude=/usr/share/man/*' --aptopt='Apt::Install-Recommends "false"' \
  --extract-hook="$enter" bookworm "$folder.new" -
# What installing ca-certificates would make.
find "$folder.new/usr/share/ca-certificates" -name '*.crt' -exec cat {} + >"$folder.new/etc/ssl/certs/ca-certificates.crt"
mv "$folder.new" "$folder"
