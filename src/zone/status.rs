//! What is said of a zone and of the controller: pure functions and values, shown by the API and the command line.

mod conditions;
mod controller;
mod distribution;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

pub use controller::{ControllerStatus, LoginLock, Pending, Planned, Problem, Progress, Seen, ZoneReport};
pub use distribution::Distribution;

use super::{Access, PartnerZone, Sequence};

/// Where a zone stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Not every live node serves its last change yet, or no node lives.
    Pending,
    /// Every live node serves its last change and reports no problem.
    Ready,
    /// It is not served as its file asks; the reason says what to do.
    Failed,
}

impl Phase {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Ready => "READY",
            Self::Failed => "FAILED",
        }
    }
}

/// What a condition is about. The names and their polarity are those of kstatus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConditionKind {
    Ready,
    Reconciling,
    /// No retry helps: a person must act.
    Stalled,
    /// The commits' signatures are those that are wanted.
    SourceVerified,
    /// Files have no errors.
    Valid,
    /// Something in force is not as the revision in force asks.
    Drifted,
    GuardBlocked,
    Suspended,
    /// A bug in the gateway alone cannot reach another partner's topic.
    SecondLock,
    /// Where zones have no principals on the home cluster: the gateways' login cannot reach the state.
    DataPlaneDenied,
}

impl ConditionKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Reconciling => "Reconciling",
            Self::Stalled => "Stalled",
            Self::SourceVerified => "SourceVerified",
            Self::Valid => "Valid",
            Self::Drifted => "Drifted",
            Self::GuardBlocked => "GuardBlocked",
            Self::Suspended => "Suspended",
            Self::SecondLock => "SecondLock",
            Self::DataPlaneDenied => "DataPlaneDenied",
        }
    }
}

/// Whether a zone's cluster keeps it apart as well.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SecondLock<'a> {
    /// Its cluster has `isolation: shared`.
    #[default]
    Shared,
    /// Its cluster has `isolation: principal`, and this zone has no principal there yet.
    Pending,
    /// The gateway is nobody but the zone's own principal when it serves the zone; what the controller found that this may do. Only
    /// the one that leads asks.
    Own(Option<&'a LoginLock>),
    /// Its login there is in a file; what the controller found of it. Only the one that leads looks.
    FromFile(Option<&'a LoginLock>),
}

impl SecondLock<'_> {
    fn condition(self) -> Condition {
        let (status, reason, message) = match self {
            Self::Shared => (
                ConditionStatus::False,
                "SharedIsolation",
                "the gateway alone keeps this zone apart: its cluster is set to isolation: shared",
            ),
            Self::Pending => (
                ConditionStatus::False,
                "NoPrincipal",
                "its cluster is set to isolation: principal, and the zone has no principal there yet; look at the plan",
            ),
            Self::Own(Some(lock)) | Self::FromFile(Some(lock)) => return lock.condition.clone(),
            Self::Own(None) => (
                ConditionStatus::Unknown,
                "NotLooked",
                "the gateway logs in to its cluster as the zone's own principal, and the controller of this node does not lead, or has \
                 not asked yet what else that may do there",
            ),
            Self::FromFile(None) => (
                ConditionStatus::Unknown,
                "NotLooked",
                "its login is in a file, and the controller of this node does not lead, or has not logged in by it yet",
            ),
        };
        Condition::new(ConditionKind::SecondLock, status, reason, message)
    }
}

/// Whether a condition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConditionStatus {
    True,
    False,
    Unknown,
}

impl ConditionStatus {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// One statement about a zone or the controller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    pub kind: ConditionKind,
    pub status: ConditionStatus,
    /// One word in CamelCase, for programs.
    pub reason: &'static str,
    /// For people.
    pub message: String,
    /// Since when the status is what it is, where that is known.
    pub since: Option<OffsetDateTime>,
}

impl Condition {
    pub fn new(
        kind: ConditionKind,
        status: ConditionStatus,
        reason: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self { kind, status, reason, message: message.into(), since: None }
    }

    /// With the time of its last transition: that of `last`, if its status was the same.
    #[must_use]
    pub fn since_last(mut self, last: &[Self], now: OffsetDateTime) -> Self {
        let before = last.iter().find(|before| before.kind == self.kind && before.status == self.status);
        self.since = Some(before.and_then(|before| before.since).unwrap_or(now));
        self
    }
}

/// What one live gateway node says that concerns one zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeView<'a> {
    pub node: &'a str,
    /// The commit it serves.
    pub serving: Sequence,
    /// Why it cannot serve the zone as wanted.
    pub problem: Option<&'a str>,
}

/// A zone's status as of one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneStatus {
    pub phase: Phase,
    /// Set exactly when the phase is [`Phase::Failed`].
    pub failed_reason: Option<String>,
    pub conditions: Vec<Condition>,
}

/// Judges one zone as of `now`. `changed` is the commit that changed it last; `nodes` are the live ones; `report` is what else is said
/// of it.
pub fn zone_status<'a>(
    zone: &PartnerZone,
    changed: Sequence,
    nodes: impl IntoIterator<Item = NodeView<'a>>,
    report: &ZoneReport<'_>,
    now: OffsetDateTime,
) -> ZoneStatus {
    let verdict = judge(changed, nodes, report.file_problem, report.lock);
    let phase = verdict.phase();
    let (status, reason, message) = match verdict {
        Verdict::Failed { reason, message } | Verdict::Pending { reason, message } => {
            (ConditionStatus::False, reason, message)
        }
        Verdict::Ready => {
            let (reason, message) = served(&zone.access, now);
            (ConditionStatus::True, reason, message)
        }
    };
    let failed_reason = (phase == Phase::Failed).then(|| message.clone());
    let mut conditions = vec![Condition::new(ConditionKind::Ready, status, reason, message)];
    conditions.extend(conditions::of(report, phase));
    conditions.push(report.lock.condition());
    ZoneStatus { phase, failed_reason, conditions }
}

/// The phase of [`zone_status`] alone: for whoever looks for some zones among many.
pub fn zone_phase<'a>(
    changed: Sequence,
    nodes: impl IntoIterator<Item = NodeView<'a>>,
    file_problem: Option<&Problem>,
    lock: SecondLock<'_>,
) -> Phase {
    judge(changed, nodes, file_problem, lock).phase()
}

/// It is served as its file asks, which may be: to nobody.
fn served(access: &Access, now: OffsetDateTime) -> (&'static str, String) {
    let everywhere = "every live node serves its last change";
    let at = |at: Option<OffsetDateTime>| at.and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_default();
    if access.is_over(now) {
        let ended = at(access.valid_until);
        return (
            "Ended",
            format!("{everywhere}: it ended at {ended} (spec.access.validUntil), and lets nobody in"),
        );
    }
    if !access.is_open(now) {
        let opens = at(access.valid_from);
        return (
            "NotOpenYet",
            format!("{everywhere}: it lets nobody in before {opens} (spec.access.validFrom)"),
        );
    }
    ("Served", everywhere.to_owned())
}

enum Verdict {
    Ready,
    Pending { reason: &'static str, message: String },
    Failed { reason: &'static str, message: String },
}

impl Verdict {
    fn phase(&self) -> Phase {
        match self {
            Self::Ready => Phase::Ready,
            Self::Pending { .. } => Phase::Pending,
            Self::Failed { .. } => Phase::Failed,
        }
    }
}

fn judge<'a>(
    changed: Sequence,
    nodes: impl IntoIterator<Item = NodeView<'a>>,
    file_problem: Option<&Problem>,
    lock: SecondLock<'_>,
) -> Verdict {
    let nodes: Vec<_> = nodes.into_iter().collect();
    // A node that is behind may complain about a form that is already gone: only those that serve the last change count.
    let mut current = nodes.iter().filter(|node| node.serving >= changed);
    if let Some((node, problem)) = current.find_map(|node| Some((node.node, node.problem?))) {
        return Verdict::Failed { reason: "NotServed", message: format!("{problem} (node {node})") };
    }
    if let SecondLock::FromFile(Some(LoginLock { condition, is_let_in: false })) = lock {
        return Verdict::Failed { reason: condition.reason, message: condition.message.clone() };
    }
    if let Some(problem) = file_problem {
        let message = format!("{problem}; the last applied form stays in force until the file is corrected");
        return Verdict::Failed { reason: "InvalidFile", message };
    }
    let distribution = Distribution::of(changed, nodes.iter().map(|node| (node.node, node.serving)));
    if distribution.is_served() {
        Verdict::Ready
    } else {
        Verdict::Pending { reason: distribution.reason(), message: distribution.message() }
    }
}

#[cfg(test)]
mod tests;
