//! The Kafka wire: shapes, the walker over frames, typed messages behind it, records, and a client connection, plain or under TLS.
//!
//! Knows the protocol and nothing of zones.

pub mod admin;
pub mod client;
pub mod codec;
pub mod consumer_protocol;
pub mod control_shapes;
pub mod features;
pub mod frame;
pub mod groups;
pub mod offsets;
pub mod primitive;
pub mod probe;
pub mod records;
pub mod rights;
#[cfg(any(test, fuzzing))]
#[cfg_attr(fuzzing, allow(dead_code, reason = "the tests use more of it"))]
pub(crate) mod sample;
pub mod sasl;
pub mod shape;
pub mod socket;
pub mod stream;
pub mod tls;
pub mod topics;
mod unknown_tags;
pub mod walker;
