//! The network under libgit2. Its own timeouts are for each read, and some steps have none: a server that trickles would
//! hold a fetch for ever. So every byte passes through here, where it has a deadline and is counted.
//!
//! https is spoken by our own client ([`https`]); ssh is libgit2's, through a relay on this machine ([`relay`]). Either ends
//! at once when the reading or the push is cancelled.

pub(super) mod https;
pub(super) mod known_hosts;
pub(super) mod line;
pub(super) mod relay;
pub(super) mod ssh;
pub(super) mod words;

use std::fmt::Display;
use std::future::Future;
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::{Limits, SourceError};
use crate::manifest::finding::printable;

/// Time to reach a server.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// One conversation with a server, over as many connections as it takes.
pub(super) struct Call {
    /// As it is shown.
    url: String,
    cancel: CancellationToken,
    deadline: Instant,
    limits: Limits,
    received: AtomicU64,
    /// The first thing that went wrong: libgit2 passes on little of it.
    failure: Mutex<Option<SourceError>>,
    /// The server's no to a push, in its own words.
    refusal: Mutex<Option<String>>,
}

impl Call {
    /// `cancel` ends it early.
    pub(super) fn new(url: String, limits: &Limits, cancel: CancellationToken) -> Self {
        Self {
            url,
            cancel,
            deadline: Instant::now() + limits.fetch_time,
            limits: *limits,
            received: AtomicU64::new(0),
            failure: Mutex::new(None),
            refusal: Mutex::new(None),
        }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Keeps the cause, unless there is one already, and gives an error for libgit2.
    pub(super) fn fail(&self, error: SourceError) -> io::Error {
        let text = error.to_string();
        let mut failure = self.failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        failure.get_or_insert(error);
        io::Error::other(text)
    }

    pub(super) fn unreachable(&self, cause: impl Into<String>) -> io::Error {
        self.fail(SourceError::Unreachable { url: self.url.clone(), cause: cause.into() })
    }

    pub(super) fn denied(&self, cause: impl Into<String>) -> io::Error {
        self.fail(SourceError::AccessDenied { url: self.url.clone(), cause: cause.into() })
    }

    /// Keeps the server's no to a push, and gives an error for libgit2. `words` are printable.
    pub(super) fn refuse(&self, words: String) -> io::Error {
        let error = io::Error::other(words.clone());
        *self.refusal.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(words);
        error
    }

    /// What went wrong, once; whatever libgit2 makes of it, the call knows better than `error`.
    pub(super) fn explain(&self, error: &dyn Display) -> SourceError {
        let failure = self.failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        failure.unwrap_or_else(|| SourceError::Unreachable {
            url: self.url.clone(),
            cause: printable(&error.to_string()),
        })
    }

    /// The server's no, once.
    pub(super) fn refusal(&self) -> Option<String> {
        self.refusal.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take()
    }

    /// Whether there is time left; for libgit2's own loops.
    pub(super) fn check(&self) -> io::Result<()> {
        if self.cancel.is_cancelled() {
            return Err(self.unreachable("it was given up"));
        }
        if Instant::now() < self.deadline { Ok(()) } else { Err(self.too_long()) }
    }

    fn too_long(&self) -> io::Error {
        let time = self.limits.fetch_time;
        self.unreachable(format!("it took longer than {time:?} (source.limits.fetchTime)"))
    }

    /// Counts bytes of the server against the limit.
    pub(super) fn received(&self, bytes: usize) -> io::Result<()> {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let limit = self.limits.fetch_bytes;
        if self.received.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) <= limit {
            return Ok(());
        }
        Err(self.fail(SourceError::TooLarge { what: "the number of bytes of one fetch", limit }))
    }

    /// One step of the network that should not take longer than `patience`.
    pub(super) async fn step<T>(
        &self,
        patience: Duration,
        silence: &str,
        io: impl Future<Output = T>,
    ) -> io::Result<T> {
        self.check()?;
        let ends = (Instant::now() + patience).min(self.deadline);
        tokio::select! {
            done = tokio::time::timeout_at(ends.into(), io) => done.map_err(|_| {
                if ends == self.deadline { self.too_long() } else { self.unreachable(format!("{silence} within {patience:?}")) }
            }),
            () = self.cancel.cancelled() => Err(self.unreachable("it was given up")),
        }
    }

    /// How long a server may be silent.
    pub(super) fn stall(&self) -> Duration {
        self.limits.stall_time
    }

    /// The runtime of this thread, which is one that may block.
    pub(super) fn runtime(&self) -> io::Result<Handle> {
        Handle::try_current().map_err(|error| self.unreachable(error.to_string()))
    }
}
