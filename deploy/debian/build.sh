#!/bin/sh
# Makes the Debian package of a binary that is compiled already: deploy/debian/build.sh BINARY FOLDER [ARCHITECTURE]
# Prints the package's path. Needs dpkg-dev and binutils, no root; for another architecture the root that arm64-root.sh has made.
set -eu

binary=$(realpath "$1")
folder=$(realpath "$2")
architecture=${3:-$(dpkg --print-architecture)}
here=$(cd "$(dirname "$0")" && pwd)
source=$(cd "$here/../.." && pwd)
version=$(dpkg-parsechangelog -l "$here/changelog" -S Version)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root

put() {
  install -D -m "$1" "$2" "$root/$3"
}
run=$binary
strip=strip
shlibdeps=dpkg-shlibdeps
if [ "$architecture" != "$(dpkg --print-architecture)" ]; then
  other=$source/build/$architecture-root
  run="qemu-aarch64-static -L $other $binary"
  strip=aarch64-linux-gnu-strip
  # Its database, with the paths that its files have here.
  cp -r "$other/var/lib/dpkg" "$work/dpkg"
  sed -i "s,^,$other," "$work"/dpkg/info/*.list
  shlibdeps="env DEB_HOST_ARCH=$architecture dpkg-shlibdeps --admindir=$work/dpkg"
  for libraries in "$other"/lib/*-linux-gnu "$other"/usr/lib/*-linux-gnu; do
    shlibdeps="$shlibdeps -l$libraries"
  done
fi

put 755 "$binary" usr/bin/lattice
"$strip" --strip-unneeded "$root/usr/bin/lattice"
put 644 "$source/deploy/systemd/lattice.service" lib/systemd/system/lattice.service
put 644 "$here/lattice.toml" etc/lattice/lattice.toml
put 644 "$here/lattice.default" etc/default/lattice
put 644 "$here/copyright" usr/share/doc/lattice/copyright
put 644 "$source/config/lattice.toml" usr/share/doc/lattice/lattice.toml
put 644 "$source/docs/guide.md" usr/share/doc/lattice/guide.md
gzip -9nc "$here/changelog" >"$work/changelog.gz"
put 644 "$work/changelog.gz" usr/share/doc/lattice/changelog.gz
$run man | gzip -9nc >"$work/lattice.1.gz"
put 644 "$work/lattice.1.gz" usr/share/man/man1/lattice.1.gz
for shell in bash:bash-completion/completions/lattice zsh:zsh/vendor-completions/_lattice fish:fish/vendor_completions.d/lattice.fish; do
  $run completion "${shell%%:*}" >"$work/completion"
  put 644 "$work/completion" "usr/share/${shell#*:}"
done

# dpkg-shlibdeps wants to stand in a source package.
mkdir "$work/debian"
printf 'Source: lattice\n\nPackage: lattice\nArchitecture: any\n' >"$work/debian/control"
libraries=$(cd "$work" && $shlibdeps -O -xlattice "$root/usr/bin/lattice" | sed -n 's/^shlibs:Depends=//p')

# The first one that withstands rapid resets and floods of CONTINUATION frames.
libraries="$libraries, libnghttp2-14 (>= 1.52.0-1+deb12u2)"

mkdir "$root/DEBIAN"
for script in postinst prerm postrm; do
  install -m 755 "$here/$script" "$root/DEBIAN/$script"
done
(cd "$root" && find etc -type f | sed 's,^,/,' | sort) >"$root/DEBIAN/conffiles"
(cd "$root" && find usr lib -type f -print0 | sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
cat >"$root/DEBIAN/control" <<CONTROL
Package: lattice
Version: $version
Architecture: $architecture
Maintainer: The Lattice authors <lattice@localhost.localdomain>
Installed-Size: $(du -k -s "$root" | cut -f 1)
Depends: adduser, ca-certificates, init-system-helpers (>= 1.54~), $libraries
Suggests: etcd-client, postgresql
Section: database
Priority: optional
Description: etcd v3 server that keeps its data in PostgreSQL or SQLite
 Lattice speaks the etcd v3 API to etcdctl, client libraries and kube-apiserver,
 and keeps every revision in a PostgreSQL database, or in an embedded SQLite
 file where one process is enough.
CONTROL
find "$root" -type d -exec chmod 755 {} +
dpkg-deb --root-owner-group --build "$root" "$folder/lattice_${version}_$architecture.deb" >/dev/null
echo "$folder/lattice_${version}_$architecture.deb"
