#!/usr/bin/env bash
# What the gateway costs: the same requests directly, through HAProxy and through the gateway, interleaved in one run on one
# real broker. docs/performance.md says how to read it.
#
#   bench.sh [--rounds N] [--megabytes N] [--only PART OF A SCENARIO'S NAME | latency | memory | limits | headers | replay] [--split] [--haproxy-buffer BYTES]
#
# And what a large repository costs the control plane, beside the bare parse of its files:
#
#   bench.sh reconcile [--rounds N] [--zones N] [--only PART OF A SCENARIO'S NAME | served | lists | principals]
#
# Without arguments, both.
. "$(dirname "$0")/lib.sh"

[ "${1:-}" = reconcile ] || need haproxy "the benchmark compares with it (Debian: apt-get install haproxy)"
# The broker's data on a RAM disk: a disk would hide what is measured. Its JVM may warm up fully here.
[ -d /dev/shm ] && export TMPDIR=/dev/shm
export KAFKA_JVM_OPTS="${KAFKA_JVM_OPTS:--Xmx1g -XX:+UseSerialGC}"
ulimit -n "$(ulimit -Hn)"
cd "$ROOT"
if [ "${1:-}" = reconcile ]; then
  shift
  exec cargo bench --locked --bench reconcile -- "$@"
fi
cargo bench --locked --bench relay -- "$@"
[ $# -gt 0 ] || cargo bench --locked --bench reconcile
