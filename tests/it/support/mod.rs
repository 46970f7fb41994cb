//! What the tests stand on: real Kafka, clients that nobody here wrote, child processes, throw-away Git repositories.

pub(crate) mod balancer;
pub(crate) mod browser;
pub(crate) mod certificates;
pub(crate) mod client;
pub(crate) mod events;
pub(crate) mod gateway;
pub(crate) mod git;
pub(crate) mod git_https;
pub(crate) mod heartbeats;
pub(crate) mod issuer;
pub(crate) mod kafka;
pub(crate) mod log;
pub(crate) mod outside;
pub(crate) mod process;
pub(crate) mod product;
pub(crate) mod reconciler;
pub(crate) mod rest;
pub(crate) mod scenarios;
pub(crate) mod sshd;
pub(crate) mod tap;
pub(crate) mod wire;
