//! The control plane: source → load → plan → guard → apply.

mod diff;
mod digest;
pub mod guard;
pub mod plan;
pub mod source;
