//! The control plane: source → load → plan → guard → apply.

pub mod apply;
mod attempts;
pub mod backing;
pub mod controller;
mod diff;
mod digest;
mod flapping;
pub mod forge;
pub mod guard;
pub mod identity;
mod lead;
pub mod metrics;
pub mod outbox;
mod outward;
pub mod plan;
pub mod principals;
pub mod reader;
mod report;
pub mod source;
