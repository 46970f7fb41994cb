//! Tests of the whole product: on real Apache Kafka, with the official Java client and librdkafka, and with the
//! `reconciler` binary as a child process. One binary, so that one cluster serves all of them.
//!
//! They need Java, Maven and Python; `make test` fetches the rest into `.cache/`. What is missing fails the test that
//! needs it, with one line that says how to get it.

// clippy.toml allows these in `#[test]` functions; here everything is a test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stderr, reason = "what a child process wrote is shown when its test fails")]

mod access;
mod administration;
mod architecture;
mod authentication;
mod broker_connection;
mod capture;
mod chaos;
mod ci;
mod clients;
mod command_line;
mod console;
mod crash;
mod deploy;
mod first_zone;
mod gateway_smoke;
mod harness;
mod headers;
mod hostile;
mod http;
mod lag;
mod life;
mod lists;
mod manifests;
mod metering;
mod mtls;
mod new_groups;
mod oauth;
mod operators;
mod oracle;
mod outside;
mod plan_command;
mod policies;
mod policy_command;
mod principals;
mod proxied;
mod quickstart;
mod reconcile;
mod recovery;
mod replay;
mod sign_in;
mod source;
mod store;
mod support;
mod tls;
mod traffic;
mod transactions;
mod traps;
mod two_aliases;
mod ui;
mod usage;
mod writes;
mod zone_test;
