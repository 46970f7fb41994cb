//! Targets for fuzzing: what takes bytes from outside, and what has to hold whatever they are. `make fuzz` feeds them what libFuzzer
//! makes up; the tests feed them their seeds, and what random changes make of those.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "for tests and fuzzing only"
)]

mod frame;
mod group;
mod manifests;
mod scram;
#[cfg(test)]
mod tests;

use crate::{gateway, kafka};

/// One target.
#[derive(Debug)]
pub struct Target {
    /// As `scripts/fuzz.sh` takes it.
    pub name: &'static str,
    /// Runs it on one input; it panics when something does not hold.
    pub run: fn(&[u8]),
    /// Inputs that are known to be valid, or to be a certain mistake.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All of them.
pub static TARGETS: [Target; 8] = [
    Target { name: "exchanges", run: gateway::fuzzing::exchanges, seeds: gateway::fuzzing::seeds },
    Target { name: "frame", run: frame::run, seeds: frame::seeds },
    Target { name: "group", run: group::run, seeds: group::seeds },
    Target { name: "login", run: gateway::fuzzing::logins, seeds: gateway::fuzzing::login_seeds },
    Target { name: "manifest", run: manifests::run, seeds: manifests::seeds },
    Target { name: "records", run: kafka::records::fuzzing::edits, seeds: kafka::records::fuzzing::seeds },
    Target { name: "scram", run: scram::run, seeds: scram::seeds },
    Target { name: "streams", run: gateway::fuzzing::streams, seeds: gateway::fuzzing::stream_seeds },
];
