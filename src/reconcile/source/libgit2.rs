//! Process-wide options of libgit2, set once before the first use of a repository.
#![allow(unsafe_code)] // reason: libgit2 keeps its timeouts and search paths in globals; `git2` offers no safe way to set them

use std::sync::OnceLock;
use std::time::Duration;

use git2::{ConfigLevel, opts};

use super::network::{CONNECT_TIMEOUT, https};

/// Time without a single byte. The network has its own, shorter one ([`super::Limits::stall_time`]); this is for a relay that died.
const STALL_TIMEOUT: Duration = Duration::from_mins(1);

/// Gives every network step of libgit2 a deadline and keeps the configuration of the host and its user out of it.
///
/// The owner of a local repository is not checked: that check protects programs that run what a repository's
/// configuration names, and nothing here does more than read objects.
///
/// # Errors
/// What libgit2 says; the same again on every later call, since nothing may be fetched without deadlines.
pub(super) fn prepare() -> Result<(), git2::Error> {
    static PREPARED: OnceLock<Result<(), String>> = OnceLock::new();
    PREPARED
        .get_or_init(|| set().map_err(|error| error.message().to_owned()))
        .clone()
        .map_err(|message| git2::Error::from_str(&message))
}

fn set() -> Result<(), git2::Error> {
    // SAFETY: these functions write globals of libgit2 without a lock. `OnceLock` lets one thread in here, once, and every
    // use of libgit2 in this program calls `prepare` first, so that no other thread reads them meanwhile.
    unsafe {
        opts::set_server_connect_timeout_in_milliseconds(milliseconds(CONNECT_TIMEOUT))?;
        opts::set_server_timeout_in_milliseconds(milliseconds(STALL_TIMEOUT))?;
        opts::set_verify_owner_validation(false)?;
        for level in [ConfigLevel::ProgramData, ConfigLevel::System, ConfigLevel::XDG, ConfigLevel::Global] {
            opts::set_search_path(level, "")?;
        }
        https::register()?;
    }
    Ok(())
}

fn milliseconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}
