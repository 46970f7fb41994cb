//! Decisions, as pure functions over immutable values: no async, no clock, no I/O.

pub mod certificate;
pub mod distinguished_name;
pub mod headers;
pub mod name_pattern;
pub mod person;
pub mod principal;
pub mod principal_mapping;
pub mod throttle;
pub mod token;
pub mod topic_id;
pub mod traffic;
pub mod verifier;
pub mod view;

pub use name_pattern::NamePattern;
pub use principal_mapping::PrincipalMapping;
pub use view::{Served, ServedZone, Topic, Window, ZoneView};
