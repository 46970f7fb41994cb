//! The data plane: partners' connections, mapped one to one onto connections to the backing brokers.
//!
//! | file | what it is |
//! |---|---|
//! | [`config`] | what a gateway is told at start |
//! | [`runtime`] | start, the tasks and what they publish |
//! | [`offer`] | what brokers serve, and the least of several |
//! | [`addresses`] | where partners find them: by port or by host name |
//! | `topology` | each cluster's brokers, versions and topic ids, polled |
//! | `view` | zones and clusters put together, immutable |
//! | `listener` | ports |
//! | `gate` | limits on connections |
//! | `guesses` | logins that fail: how long refusals wait, and who is told of |
//! | `proxied` | what a balancer says of its clients |
//! | `workers` | the threads that serve connections |
//! | `tls` | handshakes, the certificate and its renewal, host names |
//! | `session` | one connection: `login`, `upstream`, then `request_loop` and `response_loop` side by side |
//! | `sasl` | the server's side of the mechanisms |
//! | `issuers` | whose tokens are accepted, and their keys |
//! | `transport` | pooled reads, gathered writes |
//! | `relay` | large bodies, passed as they arrive; all others are held under `budget` |
//! | `allowance` | what one zone may take of it: connections, and a share of the budget |
//! | `usage` | which aliases the clients connected now use |
//! | `unchecked` | connections without any of this, for tests of what the brokers refuse by themselves; in no release |
//! | [`api`] | the closed table, one file per Kafka API |

pub mod addresses;
mod allowance;
pub(crate) mod api;
mod budget;
mod close;
pub mod config;
#[cfg(any(test, fuzzing))]
#[cfg_attr(fuzzing, allow(dead_code, reason = "the tests use more of it"))]
mod fixture;
#[cfg(fuzzing)]
pub mod fuzzing;
mod gate;
mod guesses;
mod inflight;
mod issuers;
mod listener;
mod login;
pub(crate) mod memory;
mod metrics;
pub mod offer;
mod proxied;
mod relay;
mod request_loop;
mod response_loop;
pub mod runtime;
mod sasl;
mod session;
mod shared;
mod tls;
mod topology;
mod transport;
#[cfg(debug_assertions)]
mod unchecked;
mod upstream;
mod usage;
mod view;
mod workers;

pub use config::{ClusterConfig, GatewayConfig, Limits};
pub use issuers::{IssuerConfig, Refresh, is_protected};
pub use listener::ListenError;
pub use runtime::{Gateway, Handle, Report, StartError};
pub use tls::{ClientAuth, ClientCertificates, ServerTls, TlsFiles};
pub use usage::ZoneUsage;
