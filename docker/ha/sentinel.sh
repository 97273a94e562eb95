#!/bin/sh
# A Sentinel, whose configuration is also its memory: SENTINEL_FILE, SENTINEL_PORT, REDIS_MASTER ("host port").
set -eu
[ -s "$SENTINEL_FILE" ] || cat >"$SENTINEL_FILE" <<CONFIGURATION
port $SENTINEL_PORT
dir $(dirname "$SENTINEL_FILE")
sentinel resolve-hostnames yes
sentinel announce-hostnames yes
sentinel monitor lattice $REDIS_MASTER 2
sentinel down-after-milliseconds lattice 2000
sentinel failover-timeout lattice 10000
CONFIGURATION
exec redis-sentinel "$SENTINEL_FILE"
