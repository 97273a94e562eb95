#!/bin/sh
# One of several PostgreSQL nodes. An empty data folder is filled from whoever is primary; where nobody is, the node with
# POSTGRES_FIRST=yes makes the cluster and the others wait for it. From then on each node follows the primary, whichever that is
# (failover.sh makes another one).
#
#   POSTGRES_NODE      its name among the standbys        POSTGRES_NODES     "host:port ..." of all of them
#   POSTGRES_PASSWORD  of the roles lattice, replicator   PGDATA, PGPORT     as PostgreSQL knows them
set -eu
umask 077

# What a node has to say as a libpq connection string: all nodes, whoever takes writes.
hosts=$(echo "$POSTGRES_NODES" | sed 's/:[0-9]*//g; s/  */,/g')
ports=$(echo "$POSTGRES_NODES" | sed 's/[^ ]*:\([0-9]*\)/\1/g; s/  */,/g')
primary="host=$hosts port=$ports user=replicator password=$POSTGRES_PASSWORD dbname=replication connect_timeout=2"
primary="$primary target_session_attrs=read-write application_name=$POSTGRES_NODE"

there_is_a_primary() {
  psql -X -q -A -t -c 'SELECT 1' "host=$hosts port=$ports user=lattice password=$POSTGRES_PASSWORD dbname=lattice \
connect_timeout=2 target_session_attrs=read-write" >/dev/null 2>&1
}

make_cluster() {
  secret=$(mktemp)
  printf '%s\n' "$POSTGRES_PASSWORD" >"$secret"
  # In a folder beside it, so that a cluster is whole or not there.
  initdb --pgdata="$PGDATA/new" --username=lattice --pwfile="$secret" --auth-local=trust --auth-host=scram-sha-256 \
    --encoding=UTF8 --locale=C --data-checksums >/dev/null
  rm -f "$secret"
  echo 'host all,replication all all scram-sha-256' >>"$PGDATA/new/pg_hba.conf"
  quoted=$(printf '%s' "$POSTGRES_PASSWORD" | sed "s/'/''/g")
  postgres --single -D "$PGDATA/new" postgres >/dev/null <<SQL
CREATE DATABASE lattice
CREATE ROLE replicator LOGIN REPLICATION PASSWORD '$quoted'
SQL
  mv "$PGDATA"/new/* "$PGDATA"/
  rmdir "$PGDATA/new"
}

copy_cluster() {
  pg_basebackup --pgdata="$PGDATA" --dbname="$primary" --wal-method=stream --checkpoint=fast
  touch "$PGDATA/standby.signal"
}

mkdir -p "$PGDATA"
rm -rf "$PGDATA/new"
until [ -s "$PGDATA/PG_VERSION" ]; do
  if there_is_a_primary; then
    copy_cluster
  elif [ "${POSTGRES_FIRST:-no}" = yes ]; then
    make_cluster
  else
    sleep 0.5
  fi
done

# Each commit waits for one standby, whoever is primary; a node's own name does not count for it.
names=$(i=0; for _ in $POSTGRES_NODES; do i=$((i + 1)); printf '%s' "${comma:-}postgres_$i"; comma=,; done)
exec postgres -D "$PGDATA" -c listen_addresses='*' -c password_encryption=scram-sha-256 \
  -c wal_level=replica -c max_wal_senders=10 -c wal_keep_size=1GB -c hot_standby=on \
  -c synchronous_standby_names="ANY 1 ($names)" -c primary_conninfo="$primary" \
  -c wal_receiver_timeout=5s -c wal_sender_timeout=5s -c wal_retrieve_retry_interval=500ms "$@"
