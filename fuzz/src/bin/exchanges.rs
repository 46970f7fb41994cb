//! Requests through the handlers of every API at every version, and a broker's replies on their way back.
#![no_main]

use partner_zones::gateway::fuzzing;
use partner_zones_fuzz::{limited, seeds};

libfuzzer_sys::fuzz_target!(init: seeds(fuzzing::seeds), |data: &[u8]| limited(data, fuzzing::exchanges));
