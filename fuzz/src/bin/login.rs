//! A partner's login: PLAIN and SCRAM, token by token.
#![no_main]

use partner_zones::gateway::fuzzing;
use partner_zones_fuzz::{limited, seeds};

libfuzzer_sys::fuzz_target!(init: seeds(fuzzing::login_seeds), |data: &[u8]| limited(data, fuzzing::logins));
