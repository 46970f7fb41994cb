//! Decisions, as pure functions over immutable values: no async, no clock, no I/O.

pub mod name_pattern;
pub mod principal;
pub mod throttle;
pub mod token;
pub mod topic_id;
pub mod verifier;
pub mod view;

pub use name_pattern::NamePattern;
pub use view::{Served, ServedZone, Topic, ZoneView};
