//! What is counted of the control plane. Every label's values are a closed set.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::zone::{ConditionStatus, ControllerStatus, Controls, Outcome, Pending, Run, Scope};

/// Upper bounds in seconds: from a no-op to a source of thousands of zones over a slow line.
const DURATIONS: [f64; 10] = [0.01, 0.05, 0.1, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0, 300.0];

#[derive(Debug, Clone)]
pub struct ReconcileMetrics {
    runs: Family<RunLabels, Counter>,
    duration: Histogram,
    last_success: Gauge,
    file_errors: Gauge,
    refusals: Gauge,
    conditions: Family<ConditionLabels, Gauge>,
    waiting: Family<WaitingLabels, Gauge>,
    drifted: Gauge,
    suspended: Family<ScopeLabels, Gauge>,
    flapping: Gauge,
    rolled_back: Gauge,
}

/// The [`Outcome`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RunLabels {
    result: &'static str,
}

/// The kind of a condition of the controller.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ConditionLabels {
    condition: &'static str,
}

/// `refused`, `held` or `failed`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WaitingLabels {
    reason: &'static str,
}

/// `all`, `source` or `zone`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ScopeLabels {
    scope: &'static str,
}

impl Default for ReconcileMetrics {
    fn default() -> Self {
        Self {
            runs: Family::default(),
            duration: Histogram::new(DURATIONS),
            last_success: Gauge::default(),
            file_errors: Gauge::default(),
            refusals: Gauge::default(),
            conditions: Family::default(),
            waiting: Family::default(),
            drifted: Gauge::default(),
            suspended: Family::default(),
            flapping: Gauge::default(),
            rolled_back: Gauge::default(),
        }
    }
}

impl ReconcileMetrics {
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let reconcile = registry.sub_registry_with_prefix("partner_zones_reconcile");
        reconcile.register("runs", "Looks at the source, by how they ended", metrics.runs.clone());
        reconcile.register("duration_seconds", "How long such a look takes", metrics.duration.clone());
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
        reconcile.register(
            "condition",
            "1 while a condition of the controller holds",
            metrics.conditions.clone(),
        );
        reconcile.register(
            "waiting_zones",
            "Zones that are not as they should be, by why",
            metrics.waiting.clone(),
        );
        reconcile.register(
            "drifted_zones",
            "Zones that are not as the revision in force asks",
            metrics.drifted.clone(),
        );
        reconcile.register("suspensions", "What is suspended, by scope", metrics.suspended.clone());
        reconcile.register(
            "flapping_zones",
            "Zones that kept drifting, so that they are not corrected any more",
            metrics.flapping.clone(),
        );
        reconcile.register(
            "rolled_back",
            "1 while an earlier commit is applied instead of the branch's head",
            metrics.rolled_back.clone(),
        );
        for outcome in Outcome::ALL {
            // So that a rate is known before the first of them.
            drop(metrics.runs.get_or_create(&RunLabels { result: outcome.as_str() }));
        }
        metrics
    }

    pub(super) fn ran(&self, run: &Run, status: &ControllerStatus, controls: &Controls) {
        self.runs.get_or_create(&RunLabels { result: run.outcome.as_str() }).inc();
        self.duration.observe(run.took.as_secs_f64());
        for condition in &status.conditions {
            let labels = ConditionLabels { condition: condition.kind.as_str() };
            let holds = condition.status == ConditionStatus::True;
            self.conditions.get_or_create(&labels).set(i64::from(holds));
        }
        let suspended = |wanted: fn(&Scope) -> bool| count(controls.suspended.keys().filter(|it| wanted(it)));
        for (scope, number) in [
            ("all", suspended(|scope| matches!(scope, Scope::All))),
            ("source", suspended(|scope| matches!(scope, Scope::Source))),
            ("zone", suspended(|scope| matches!(scope, Scope::Zone(_)))),
        ] {
            self.suspended.get_or_create(&ScopeLabels { scope }).set(number);
        }
        self.flapping.set(count(controls.suspended.values().filter(|asked| asked.is_of_controller())));
        self.rolled_back.set(i64::from(controls.rollback_at(run.last_at).is_some()));
        if run.outcome == Outcome::Failed {
            return;
        }
        self.last_success.set(run.last_at.unix_timestamp());
        self.file_errors.set(count(status.problems.iter()));
        self.refusals.set(count(status.refused.iter()));
        self.drifted.set(count(status.zones.values().filter(|zone| zone.is_drifted)));
        let waiting = |wanted: fn(&Pending) -> bool| {
            count(status.zones.values().filter_map(|zone| zone.pending.as_ref()).filter(|it| wanted(it)))
        };
        for (reason, number) in [
            ("refused", waiting(|it| matches!(it, Pending::Refused(_)))),
            ("held", waiting(|it| matches!(it, Pending::Held(_)))),
            ("failed", waiting(|it| matches!(it, Pending::Failed(_)))),
        ] {
            self.waiting.get_or_create(&WaitingLabels { reason }).set(number);
        }
    }
}

fn count<T>(all: impl Iterator<Item = T>) -> i64 {
    i64::try_from(all.count()).unwrap_or(i64::MAX)
}
