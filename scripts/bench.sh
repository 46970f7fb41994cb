#!/usr/bin/env bash
# What the gateway costs: the same work through it and directly, interleaved in one run on one real broker.
#
#   bench.sh [--rounds N] [--megabytes N]
. "$(dirname "$0")/lib.sh"

# The broker's data on a RAM disk: a disk would hide what is measured. Its JVM may warm up fully here.
[ -d /dev/shm ] && export TMPDIR=/dev/shm
export KAFKA_JVM_OPTS="${KAFKA_JVM_OPTS:--Xmx1g -XX:+UseSerialGC}"
cd "$ROOT" && exec cargo bench --locked --bench relay -- "$@"
