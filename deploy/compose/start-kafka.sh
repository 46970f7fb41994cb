#!/bin/bash
# Formats the storage, with the users that there must be from the first second, and becomes the broker. Of the image
# apache/kafka; KAFKA_HOME, SECRETS and WORK say where things are elsewhere.
set -euo pipefail
BIN=${KAFKA_HOME:-/opt/kafka}/bin
SECRETS=${SECRETS:-/run/secrets}
PROPERTIES=${WORK:-/tmp}/kafka.properties
umask 077

scram() { printf 'SCRAM-SHA-%s=[name=%s,password=%s]' "$1" "$2" "$(cat "$SECRETS/$3")"; }

cp "$(dirname "$0")/kafka.properties" "$PROPERTIES"
printf 'listener.name.sasl.scram-sha-%s.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required%s;\n' \
  256 "" 512 " username=\"admin\" password=\"$(cat "$SECRETS/admin-password")\"" >>"$PROPERTIES"
printf 'listener.name.host.scram-sha-%s.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;\n' \
  256 512 >>"$PROPERTIES"
"$BIN/kafka-storage.sh" format --ignore-formatted --standalone --config "$PROPERTIES" \
  --cluster-id "${CLUSTER_ID:-partnerzonesdemoaaaaaa}" \
  --add-scram "$(scram 512 admin admin-password)" --add-scram "$(scram 512 partner-zones kafka-password)" \
  --add-scram "$(scram 256 partner-zones kafka-password)"
exec "$BIN/kafka-server-start.sh" "$PROPERTIES"
