#!/bin/sh
# Fills a folder with what the image holds: docker/image/fill.sh BINARY FOLDER [ARCHITECTURE]
#
# The binary with every library that the loader finds for it, the authorities that TLS trusts, and for each Debian
# package that something comes from its copyright and its entry in /var/lib/dpkg/status.d, where scanners look.
set -eu

binary=$1
folder=$2
here=$(cd "$(dirname "$0")" && pwd)

# Libraries come from this machine, or from the root of another architecture, whose programs are emulated.
root=
emulate=
if [ "${3:-$(dpkg --print-architecture)}" != "$(dpkg --print-architecture)" ]; then
  root=$(cd "$here/../.." && pwd)/build/$3-root
  emulate="qemu-aarch64-static -L $root"
fi

# The interpreter that the binary names, from its program header.
loader=$(tr '\0' '\n' <"$binary" | grep -a -m 1 -o '/lib[0-9]*/ld-linux-[a-z0-9_-]*\.so\.[0-9]')

mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
install -D -m 755 "$binary" "$folder/usr/bin/lattice"

# "path" of each library: the third word of "name => path (address)", and the loader itself.
# shellcheck disable=SC2086
libraries=$($emulate "$root$loader" --list "$binary" | awk '$2 == "=>" { print $3 } $2 ~ /^\(/ && $1 ~ /^\// { print $1 }' |
  sed "s,^$root,,")
case $libraries in
  *not*found* | '')
    echo "$0: libraries are missing: $libraries" >&2
    exit 1
    ;;
esac
for library in $libraries "$loader"; do
  # The loader finds them by the names that the binary and they themselves give.
  install -D -m 644 "$root$library" "$folder$library"
done
chmod 755 "$folder$loader"

install -D -m 644 "$root/etc/ssl/certs/ca-certificates.crt" "$folder/etc/ssl/certs/ca-certificates.crt"
# Where OpenSSL looks for them.
mkdir -p "$folder/usr/lib/ssl"
ln -s /etc/ssl/certs "$folder/usr/lib/ssl/certs"
ln -s /etc/ssl/certs/ca-certificates.crt "$folder/usr/lib/ssl/cert.pem"

install -d -m 755 "$folder/etc"
echo 'hosts: files dns' >"$folder/etc/nsswitch.conf"
echo 'lattice:x:65532:65532::/var/lib/lattice:/sbin/nologin' >"$folder/etc/passwd"
echo 'lattice:x:65532:' >"$folder/etc/group"
install -D -m 644 "$here/lattice.toml" "$folder/etc/lattice/lattice.toml"
install -D -m 644 "$here/../../LICENSE" "$folder/usr/share/doc/lattice/copyright"

# dpkg knows a file by the path under which it was unpacked, which may lie behind the link /lib.
owner_of() {
  for path in "$1" "/usr$1" "${1#/usr}"; do
    dpkg-query --admindir="$root/var/lib/dpkg" --search "$path" 2>/dev/null | sed -n '1s/: .*//p' | grep . && return
  done
  echo "$0: no package has $1" >&2
  return 1
}
packages=$(for file in $libraries "$loader" /etc/ssl/certs; do
  [ "$file" = /etc/ssl/certs ] && echo ca-certificates || owner_of "$file"
done)
for package in $(echo "$packages" | sort -u); do
  name=${package%%:*}
  install -d "$folder/var/lib/dpkg/status.d"
  dpkg-query --admindir="$root/var/lib/dpkg" --status "$package" >"$folder/var/lib/dpkg/status.d/$name"
  install -D -m 644 "$root/usr/share/doc/$name/copyright" "$folder/usr/share/doc/$name/copyright"
done
