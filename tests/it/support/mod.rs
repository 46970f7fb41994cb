//! What the tests stand on: real Kafka, clients that nobody here wrote, child processes, throw-away Git repositories.

pub(crate) mod kafka;
pub(crate) mod process;
