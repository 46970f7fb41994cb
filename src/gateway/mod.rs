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
//! | `headers` | what a zone does to the headers of records; on whole bodies, where `editing` says |
//! | `allowance` | what one zone may take of it: connections, and a share of the budget |
//! | `replay` | how far back partners may read |
//! | `traffic` | the zones' limits over all nodes: what is charged, and who is held back |
//! | `usage` | which aliases the clients connected now use |
//! | `meter` | what partners use, for the figures and the bill |
//! | `unchecked` | connections without any of this, for tests of what the brokers refuse by themselves; in no release |
//! | [`api`] | the closed table, one file per Kafka API |

pub mod addresses;
mod allowance;
pub(crate) mod api;
mod budget;
mod close;
pub mod config;
mod editing;
#[cfg(any(test, fuzzing))]
#[cfg_attr(fuzzing, allow(dead_code, reason = "the tests use more of it"))]
mod fixture;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod gate;
mod guesses;
pub mod headers;
mod inflight;
mod issuers;
mod listener;
mod login;
mod login_files;
pub(crate) mod memory;
mod meter;
mod metrics;
pub mod offer;
mod proxied;
mod relay;
mod replay;
mod request_loop;
mod response_loop;
pub mod runtime;
mod sasl;
mod seldom;
mod session;
mod shared;
mod tls;
mod topology;
mod traffic;
mod transport;
#[cfg(debug_assertions)]
mod unchecked;
mod upstream;
mod usage;
mod view;
mod workers;

pub use config::{ClusterConfig, GatewayConfig, Limits, PrincipalsFrom};
pub use issuers::{IssuerConfig, Refresh};
pub use listener::ListenError;
pub use runtime::{Gateway, Handle, Report, StartError};
pub use tls::{ClientAuth, ClientCertificates, ServerTls, TlsFiles};
pub use traffic::{Demands, Reports};
pub use usage::ZoneUsage;
