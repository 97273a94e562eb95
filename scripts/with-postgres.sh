#!/bin/sh
# Runs a command with a throw-away PostgreSQL beside it: scripts/with-postgres.sh command [argument...]
# LATTICE_TEST_POSTGRES is its URL. The server listens on loopback on a free port, keeps fsync on, and is gone
# afterwards, whatever became of the command. Works as root too, where PostgreSQL itself refuses to run.
set -eu

bin=$(find /usr/lib/postgresql -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1)
[ -n "$bin" ] || {
  echo "PostgreSQL is not installed: scripts/install.sh test" >&2
  exit 1
}

folder=$(mktemp -d "${TMPDIR:-/tmp}/lattice-pg-XXXXXX")
server=
as_owner=
if [ "$(id -u)" -eq 0 ]; then
  chown postgres "$folder"
  as_owner="setpriv --reuid=postgres --regid=postgres --clear-groups --"
fi
# Should this script be killed outright, the server goes too.
with_us="setpriv --pdeathsig=QUIT --"

clean_up() {
  status=$?
  trap - EXIT
  if [ -n "$server" ]; then
    kill -QUIT "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
  fi
  rm -rf "$folder"
  exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

cd "$folder"
$as_owner "$bin/initdb" --pgdata="$folder/data" --username=lattice --auth=trust --encoding=UTF8 \
  --locale=C --no-sync >"$folder/initdb.log" 2>&1 || {
  cat "$folder/initdb.log" >&2
  exit 1
}

# A free port may be taken between the choice and the start, hence the attempts.
attempt=0
while :; do
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  $as_owner $with_us "$bin/postgres" -D "$folder/data" -c listen_addresses=127.0.0.1 -c "port=$port" \
    -c "unix_socket_directories=$folder" -c max_connections=200 >"$folder/server.log" 2>&1 &
  server=$!
  waited=0
  while kill -0 "$server" 2>/dev/null && [ "$waited" -lt 600 ]; do
    if "$bin/pg_isready" -q -h 127.0.0.1 -p "$port" -U lattice -d postgres; then
      break 2
    fi
    sleep 0.1
    waited=$((waited + 1))
  done
  attempt=$((attempt + 1))
  if [ "$attempt" -ge 3 ]; then
    cat "$folder/server.log" >&2
    exit 1
  fi
  kill -QUIT "$server" 2>/dev/null || true
  wait "$server" 2>/dev/null || true
done

"$bin/createdb" -h 127.0.0.1 -p "$port" -U lattice lattice
cd "$OLDPWD"
LATTICE_TEST_POSTGRES="postgresql://lattice@127.0.0.1:$port/lattice" "$@"
