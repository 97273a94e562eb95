#!/bin/sh
# Runs `make run` and `make test` in a bare Debian 12, so that no package that happens to be here can hide a
# missing install step: scripts/bare-debian.sh [run|test|all] [scratch folder]
#
# Makes the root with debootstrap from this machine's own mirrors, clones what is committed into it, and works
# in a chroot. Needs root. The folder is removed at the end unless KEEP=1.
set -eu

here=$(cd "$(dirname "$0")/.." && pwd)
what=${1:-all}
case $what in run | test | all) ;; *)
  echo "usage: $0 [run|test|all] [scratch folder]" >&2
  exit 2
  ;;
esac
[ "$(id -u)" -eq 0 ] || {
  echo "$0: debootstrap and chroot need root" >&2
  exit 77
}
"$here/scripts/install.sh" tools

if [ -n "${2:-}" ]; then
  mkdir -p "$2"
  root=$(cd "$2" && pwd)/root
else
  root=$(mktemp -d "${TMPDIR:-/tmp}/lattice-bare-XXXXXX")/root
fi

clean_up() {
  status=$?
  trap - EXIT INT TERM
  for mounted in dev/shm dev/pts dev sys proc .; do
    umount "$root/$mounted" 2>/dev/null || true
  done
  # A mount that is still busy must not be deleted through.
  if [ "${KEEP:-0}" != 1 ] && ! grep -q " $root/" /proc/mounts; then
    rm -rf --one-file-system "$(dirname "$root")"
  fi
  exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

mirror=$("$here/scripts/archives.sh" | awk '$2 == "bookworm" { print $1; exit }')
[ -n "$mirror" ] || {
  echo "$0: this machine's apt knows no mirror of Debian 12" >&2
  exit 69
}
echo "== debootstrap into $root"
debootstrap --variant=minbase bookworm "$root" "$mirror" >"$(dirname "$root")/debootstrap.log" 2>&1 || {
  tail -n 20 "$(dirname "$root")/debootstrap.log" >&2
  exit 69
}
"$here/scripts/archives.sh" | sed 's/^/deb /; s/$/ main/' >"$root/etc/apt/sources.list"
cp /etc/resolv.conf "$root/etc/resolv.conf"
# npm has a list of authorities of its own; those that this machine trusts besides are its mirrors'.
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/mirrors.crt"
# A mount point of its own, so that tests can have their own mounts, as on a whole machine.
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sys "$root/sys"
mount --bind /dev "$root/dev"
mount --bind /dev/pts "$root/dev/pts"
mount -t tmpfs shm "$root/dev/shm"

git clone --quiet --no-hardlinks "$here" "$root/lattice"

inside() {
  chroot "$root" /usr/bin/env -i HOME=/root LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    NODE_EXTRA_CA_CERTS=/etc/mirrors.crt sh -c "cd /lattice && $1"
}

# All that a newcomer is told to have beforehand, apart from git, which cloned.
inside 'apt-get update -qq && apt-get install -y -qq --no-install-recommends make' >/dev/null 2>&1

# The process named lattice among the descendants of process $1.
server_below() {
  for child in $(ps -o pid= --ppid "$1"); do
    if [ "$(cat "/proc/$child/comm" 2>/dev/null)" = lattice ]; then
      echo "$child"
    else
      server_below "$child"
    fi
  done
}

try_run() {
  echo "== make run"
  inside 'exec make run ARGS="--grpc-bind 127.0.0.1:0 --metrics-bind 127.0.0.1:0"' >"$root/run.log" 2>&1 &
  runner=$!
  until server=$(server_below "$runner") && [ -n "$server" ]; do
    kill -0 "$runner" 2>/dev/null || {
      tail -n 40 "$root/run.log" >&2
      return 1
    }
    sleep 1
  done
  waited=0
  until address=$(sed -n 's/.* grpc=\(127[0-9.]*:[0-9]*\).*/\1/p' "$root/run.log" | head -n 1) && [ -n "$address" ]; do
    waited=$((waited + 1))
    [ "$waited" -lt 60 ] || {
      tail -n 40 "$root/run.log" >&2
      return 1
    }
    sleep 1
  done
  inside "etcdctl --endpoints=$address put greeting hello && etcdctl --endpoints=$address get greeting"
  kill -TERM "$server"
  wait "$runner"
}

[ "$what" = test ] || try_run
[ "$what" = run ] || {
  echo "== make test"
  inside 'exec make test'
}
