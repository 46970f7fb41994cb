//! Large bodies that pass as they arrive, cut in pieces of any size.
#![no_main]

use partner_zones::gateway::fuzzing;
use partner_zones_fuzz::{limited, seeds};

libfuzzer_sys::fuzz_target!(init: seeds(fuzzing::stream_seeds), |data: &[u8]| limited(data, fuzzing::streams));
