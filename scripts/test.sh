#!/usr/bin/env bash
# Every test. What failed, and why, comes once more at the end: between a failure and there a broker's log can be long.
. "$(dirname "$0")/lib.sh"

cd "$ROOT"
log=$(mktemp "${TMPDIR:-/tmp}/partner-zones-tests.XXXXXX")
trap 'rm -f "$log"' EXIT
status=0
cargo test --locked "$@" 2>&1 | tee "$log" || status=$?
if [ "$status" != 0 ]; then
  printf '\n--- what failed\n'
  # The place, the message and the values of each; a line is not longer than a person reads.
  grep -a -A 6 '^thread .* panicked at ' "$log" | cut -c 1-400 | tail -n 200 || true
  grep -a -E '^(test .* FAILED|error)' "$log" | sort -u || true
fi
exit "$status"
