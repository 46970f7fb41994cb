//! What one connection must remember between requests.

/// Fetch sessions created on this connection, and what its groups' members subscribed to.
#[derive(Debug, Default)]
pub(crate) struct Memory {}
