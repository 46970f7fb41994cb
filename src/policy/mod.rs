//! Decisions, as pure functions over immutable values: no async, no clock, no I/O.

pub mod topic_id;
pub mod topic_pattern;
pub mod verifier;
pub mod view;

pub use topic_pattern::TopicPattern;
pub use view::{Served, ServedZone, Topic, ZoneView};
