//! What is counted of the control plane.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use time::OffsetDateTime;

use crate::zone::ControllerStatus;

#[derive(Debug, Clone, Default)]
pub struct ReconcileMetrics {
    runs: Family<RunLabels, Counter>,
    last_success: Gauge,
    file_errors: Gauge,
    refusals: Gauge,
}

/// `completed`: the run came to its end, whatever it found in the files; or `failed`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RunLabels {
    result: &'static str,
}

impl ReconcileMetrics {
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let reconcile = registry.sub_registry_with_prefix("partner_zones_reconcile");
        reconcile.register("runs", "Looks at the source, by how they ended", metrics.runs.clone());
        reconcile.register(
            "last_success_timestamp_seconds",
            "Unix time of the last run that came to its end",
            metrics.last_success.clone(),
        );
        reconcile.register(
            "file_errors",
            "Errors in files as of the last such run",
            metrics.file_errors.clone(),
        );
        reconcile.register("refusals", "Reasons why a guard holds changes back", metrics.refusals.clone());
        metrics
    }

    pub(super) fn completed(&self, status: &ControllerStatus, now: OffsetDateTime) {
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        self.runs.get_or_create(&RunLabels { result: "completed" }).inc();
        self.last_success.set(now.unix_timestamp());
        self.file_errors.set(count(status.problems.len()));
        self.refusals.set(count(status.refused.len()));
    }

    pub(super) fn failed(&self) {
        self.runs.get_or_create(&RunLabels { result: "failed" }).inc();
    }
}
