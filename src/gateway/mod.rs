//! The data plane: partners' connections, mapped one to one onto connections to the backing brokers.

pub mod addresses;
pub(crate) mod api;
pub(crate) mod memory;
