#!/bin/sh
# Makes a standby the primary once the primary is gone: the one that has received most, which has every commit that was
# acknowledged, because each waited for a standby. Refuses while a primary answers or a standby still hears one, and where a
# standby is missing that might know more.
#
#   POSTGRES_NODES     "host:port ..."     POSTGRES_PASSWORD  of the role lattice
#   --missing N        so many standbys may be missing: acknowledged writes may be lost
set -eu

missing_allowed=0
[ "${1:-}" != --missing ] || missing_allowed=$2
export PGPASSWORD="$POSTGRES_PASSWORD" PGUSER=lattice PGDATABASE=lattice PGCONNECT_TIMEOUT=2

ask() {
  PGHOST=${1%:*} PGPORT=${1##*:} psql -X -q -A -t -c "$2" 2>/dev/null
}

standbys=0
nodes=0
best=
best_position=-1
for node in $POSTGRES_NODES; do
  nodes=$((nodes + 1))
  state=$(ask "$node" "SELECT CASE WHEN NOT pg_is_in_recovery() THEN 'primary'
    WHEN EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming') THEN 'hears a primary'
    ELSE coalesce(greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) - '0/0', 0)::text END") || state=gone
  echo "$node: $state"
  case $state in
    gone | '') continue ;;
    primary | 'hears a primary')
      echo "A primary is there: nothing was done." >&2
      exit 1
      ;;
  esac
  standbys=$((standbys + 1))
  if [ "$state" -gt "$best_position" ]; then
    best=$node
    best_position=$state
  fi
done
if [ "$standbys" -lt 1 ] || [ $((nodes - 1 - standbys)) -gt "$missing_allowed" ]; then
  echo "Of $((nodes - 1)) standbys $standbys answer; one that does not may have writes that the others lack." >&2
  exit 1
fi
[ "$(ask "$best" 'SELECT pg_promote(true, 30)')" = t ] || {
  echo "$best could not be promoted" >&2
  exit 1
}
echo "$best is the primary now."
