#!/usr/bin/env bash
# fuzz.sh [SECONDS] [TARGET...]: every fuzz target (or these) for so long (60 s), two at a time, on the stable toolchain.
# A finding stops with the input's path; `fuzz.sh 0 TARGET` runs what is in the corpus and the findings once.
. "$(dirname "$0")/lib.sh"

SECONDS_EACH=${1:-60}
shift || true
cd "$ROOT/fuzz"
HOST=$(rustc -vV | sed -n 's/^host: //p')
FUZZER=$ROOT/fuzz/target/$HOST/release/partner-zones-fuzz

# What `cargo fuzz` passes, but for the sanitizers, which need a nightly compiler and look for mistakes that take `unsafe`.
FLAGS="--cfg fuzzing -Cpasses=sancov-module"
for option in level=4 inline-8bit-counters pc-table trace-compares; do
  FLAGS+=" -Cllvm-args=-sanitizer-coverage-$option"
done

say "building the fuzzer"
# With a target given, build scripts and macros are not instrumented.
CARGO_TARGET_DIR=$ROOT/fuzz/target CARGO_ENCODED_RUSTFLAGS=${FLAGS// /$'\x1f'} \
  cargo build --quiet --release --locked --target "$HOST"

# What the tests know to be valid or to be a certain mistake; a folder for each target.
rm -rf seeds
FUZZ_SEEDS=$ROOT/fuzz/seeds "$FUZZER"
TARGETS=("$@"); [ ${#TARGETS[@]} -gt 0 ] || TARGETS=(seeds/*)
TARGETS=("${TARGETS[@]#seeds/}")

run() {
  local target=$1 corpus=$ROOT/fuzz/corpus/$1 found=$ROOT/fuzz/findings/$1 runs=()
  mkdir -p "$corpus" "$found"
  [ "$SECONDS_EACH" -ne 0 ] || runs=(-runs=0)
  FUZZ_TARGET=$target "$FUZZER" "$corpus" "$ROOT/fuzz/seeds/$target" "$found" "${runs[@]}" \
    -max_total_time="$SECONDS_EACH" -timeout=10 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 \
    -artifact_prefix="$found/" -dict="$ROOT/fuzz/words.dict" >"$found.log" 2>&1 ||
    { tail -n 40 "$found.log" >&2; die "$target: the input above is in fuzz/findings/$target"; }
  say "$target: $(grep -oE 'Done [0-9]+ runs in [0-9]+ second' "$found.log" || tail -n 1 "$found.log"), $(grep -oE 'cov: [0-9]+ ft: [0-9]+' "$found.log" | tail -n 1)"
}

failed=0
for ((i = 0; i < ${#TARGETS[@]}; i += 2)); do
  pids=()
  for target in "${TARGETS[@]:i:2}"; do
    run "$target" &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
done
exit "$failed"
