//! The top of the library: configuration, and the wiring of the roles. Owner of all tasks.

pub mod config;
pub mod control;
mod failed_logins;
mod feed;
mod heartbeat;
mod identity;
mod lag;
mod last_use;
mod signal;
pub mod storage;
mod tasks;
pub mod telemetry;
mod topics;
mod traffic;
mod usage;
pub mod wiring;
