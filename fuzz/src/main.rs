//! The fuzzer: one target of the product (`FUZZ_TARGET`), under a limit on memory.
#![no_main]

use std::alloc::System;
use std::path::Path;
use std::sync::LazyLock;

use cap::Cap;
use partner_zones::fuzzing::{TARGETS, Target};

/// An allocation above the limit fails, which aborts the process, which libFuzzer reports with the input.
#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// What an input may cost for each of its bytes: a decoded element takes many times its bytes on the wire.
const PER_BYTE: usize = 512;
/// What it may cost beside that; libFuzzer's own bookkeeping, which grows with the corpus, is in it.
const FIXED: usize = 64 << 20;

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").expect("FUZZ_TARGET names a target");
    TARGETS.iter().find(|target| target.name == name).expect("FUZZ_TARGET is one of the targets")
});

libfuzzer_sys::fuzz_target!(init: write_seeds(), |data: &[u8]| {
    let limit = ALLOCATOR.allocated() + FIXED + PER_BYTE * data.len();
    let _ = ALLOCATOR.set_limit(limit);
    (TARGET.run)(data);
    let _ = ALLOCATOR.set_limit(usize::MAX);
});

/// With `FUZZ_SEEDS=FOLDER` the seeds of every target are written to a folder of its name there, and that is all.
fn write_seeds() {
    let Some(folder) = std::env::var_os("FUZZ_SEEDS") else {
        LazyLock::force(&TARGET);
        return;
    };
    for target in &TARGETS {
        let folder = Path::new(&folder).join(target.name);
        std::fs::create_dir_all(&folder).expect("a folder for seeds is made");
        for (number, seed) in (target.seeds)().iter().enumerate() {
            std::fs::write(folder.join(format!("{number:05}")), seed).expect("a seed is written");
        }
    }
    std::process::exit(0);
}
