//! The control plane: source → load → plan → guard → apply.

pub mod apply;
mod attempts;
pub mod backing;
pub mod controller;
pub mod data_plane;
mod diff;
mod digest;
mod flapping;
pub mod forge;
pub mod guard;
pub mod identity;
pub mod lag;
mod lead;
pub mod metrics;
pub mod outbox;
mod outward;
pub mod plan;
pub mod principals;
pub mod reader;
mod replay;
mod report;
pub mod source;
mod state_access;
pub mod write_back;
