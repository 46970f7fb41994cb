//! The records of Produce and Fetch through the editor of their headers.
#![no_main]

use partner_zones::kafka::records::fuzzing;
use partner_zones_fuzz::{limited, seeds};

libfuzzer_sys::fuzz_target!(init: seeds(fuzzing::seeds), |data: &[u8]| limited(data, fuzzing::edits));
