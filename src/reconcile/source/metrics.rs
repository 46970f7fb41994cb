//! What is counted of the source.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::{CommitError, Pushed, SourceError};

/// Failed readings. Of every one, the last good state stays in force.
#[derive(Debug, Clone, Default)]
pub(super) struct Failures(Family<Reason, Counter>);

/// Commits that were to be made.
#[derive(Debug, Clone, Default)]
pub(super) struct Commits(Family<Outcome, Counter>);

/// `pushed`, or one of [`CommitError::reason`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

impl Commits {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.sub_registry_with_prefix("partner_zones_source").register(
            "commits",
            "Commits to the source's repository, by what became of them",
            self.0.clone(),
        );
    }

    pub(super) fn count(&self, committed: &Result<Pushed, CommitError>) {
        let outcome = committed.as_ref().map_or_else(CommitError::reason, |_| "pushed");
        self.0.get_or_create(&Outcome { outcome }).inc();
    }
}

/// One of [`SourceError::reason`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

impl Failures {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.sub_registry_with_prefix("partner_zones_source").register(
            "failures",
            "Readings of the source that failed, by reason; what was applied last stays in force",
            self.0.clone(),
        );
    }

    pub(super) fn count(&self, error: &SourceError) {
        self.0.get_or_create(&Reason { reason: error.reason() }).inc();
    }
}
