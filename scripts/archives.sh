#!/bin/sh
# Prints "uri codename" of the archives of Debian 12 that this machine's apt uses.
set -eu
# shellcheck disable=SC2016
apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(LABEL)' 'Created-By: Packages' |
  awk '$2 ~ /^bookworm/ && $3 ~ /^Debian/ { print $1, $2 }' | sort -u
