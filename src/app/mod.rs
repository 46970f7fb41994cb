//! The top of the library: configuration, and the wiring of the roles.

pub mod config;
pub mod control;
