#!/usr/bin/env bash
# Makes the secrets of this compose file, once, in secrets/ beside it. Containers read them as another user, so the files are
# readable, and the folder is not.
set -euo pipefail
cd "$(dirname "$0")"
mkdir -p secrets
chmod 0700 secrets
for name in kafka-password admin-password master-key; do
  [ -e "secrets/$name" ] && continue
  # Letters and digits: they stand between quotes in Kafka's own configuration.
  head -c 32 /dev/urandom | od -An -vtx1 | tr -d ' \n' >"secrets/$name"
  chmod 0444 "secrets/$name"
done
