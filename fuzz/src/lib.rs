//! What every target has in common: a limit on memory, and inputs to start from.

use std::alloc::System;

use cap::Cap;

/// An allocation above the limit fails, which aborts the process, which libFuzzer reports with the input.
#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// What an input may cost for each of its bytes: a decoded element takes many times its bytes on the wire.
const PER_BYTE: usize = 512;
/// What it may cost beside that; libFuzzer's own bookkeeping, which grows with the corpus, is in it.
const FIXED: usize = 64 << 20;

/// Runs a target on one input.
///
/// # Aborts
/// When it allocates more than in proportion to the input.
pub fn limited(data: &[u8], target: impl FnOnce(&[u8])) {
    let limit = ALLOCATOR.allocated() + FIXED + PER_BYTE * data.len();
    let _ = ALLOCATOR.set_limit(limit);
    target(data);
    let _ = ALLOCATOR.set_limit(usize::MAX);
}

/// With `FUZZ_SEEDS=FOLDER` the target writes these inputs there and ends.
pub fn seeds(inputs: impl FnOnce() -> Vec<Vec<u8>>) {
    let Some(folder) = std::env::var_os("FUZZ_SEEDS") else { return };
    for (number, input) in inputs().iter().enumerate() {
        std::fs::write(std::path::Path::new(&folder).join(format!("{number:05}")), input)
            .expect("a seed is written");
    }
    std::process::exit(0);
}
