//! The control plane: source → load → plan → guard → apply.

pub mod apply;
pub mod backing;
pub mod controller;
mod diff;
mod digest;
pub mod forge;
pub mod guard;
pub mod identity;
pub mod metrics;
pub mod outbox;
pub mod plan;
pub mod principals;
pub mod reader;
mod report;
pub mod source;
