//! The log: lines for a person at a terminal, JSON for everything else.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use super::config::Environment;

/// What is logged when `RUST_LOG` says nothing.
const DEFAULT_FILTER: &str = "info";

/// Starts logging to stderr. The error is a wrong `RUST_LOG`; a second call changes nothing.
pub fn start(environment: &Environment) -> Result<(), tracing_subscriber::filter::ParseError> {
    let filter = EnvFilter::try_new(environment.get("RUST_LOG").unwrap_or(DEFAULT_FILTER))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A test or a surrounding program may have set a subscriber already: it stays.
    let _ = if std::io::stderr().is_terminal() {
        log.try_init()
    } else {
        log.with_ansi(false).json().flatten_event(true).try_init()
    };
    Ok(())
}
