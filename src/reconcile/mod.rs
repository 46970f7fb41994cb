//! The control plane: source → load → plan → guard → apply.

mod digest;
pub mod source;
