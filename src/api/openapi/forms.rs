//! Forms that answers of several paths have in them.
#![allow(dead_code)] // reason: nobody makes one; answers are held against them

use schemars::JsonSchema;

use super::words::{AskedBy, CommitId, FindingCode, RevisionName, ScopeName, Time, ZoneName};

/// What went wrong (RFC 9457).
#[derive(JsonSchema)]
pub(super) struct Problem {
    /// Always `about:blank`: the status says what kind it is.
    #[schemars(extend("const" = "about:blank"))]
    r#type: String,
    /// The status in words.
    title: String,
    status: u16,
    /// For people.
    detail: String,
}

/// A revision, and since when this node knows it.
#[derive(JsonSchema)]
pub(super) struct Seen {
    revision: RevisionName,
    at: Time,
}

/// Something wrong with a file.
#[derive(JsonSchema)]
pub(super) struct FileProblem {
    /// Null where it is not known.
    zone: Option<ZoneName>,
    code: FindingCode,
    /// `file:line:column`, as much of it as is known.
    place: String,
    message: String,
}

/// What is said of a zone, or of the source.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Condition {
    r#type: ConditionType,
    status: ConditionStatus,
    /// One word, for programs.
    reason: String,
    /// For people.
    message: String,
    last_transition_time: Option<Time>,
}

/// As those see it who do not run the service: only of some it is told in words.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConditionInPart {
    r#type: ConditionType,
    status: ConditionStatus,
    reason: String,
    #[serde(skip_serializing_if = "is_left_out")]
    message: String,
    last_transition_time: Option<Time>,
}

#[derive(JsonSchema)]
#[schemars(inline)]
enum ConditionType {
    Ready,
    Reconciling,
    Stalled,
    SourceVerified,
    Valid,
    Drifted,
    GuardBlocked,
    Suspended,
    SecondLock,
    DataPlaneDenied,
}

#[derive(JsonSchema)]
#[schemars(inline)]
enum ConditionStatus {
    True,
    False,
    Unknown,
}

/// How the last look at the source ended.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Source {
    last_observed: Option<RevisionName>,
    last_attempted: Option<RevisionName>,
    last_applied: Option<RevisionName>,
    /// What the source showed last.
    observed: Option<Seen>,
    /// What was planned last, and applied as far as that was allowed.
    attempted: Option<Seen>,
    /// What the state reflects in full.
    applied: Option<Seen>,
    plan_digest: Option<String>,
    conditions: Vec<Condition>,
    /// Errors in files: what they ask for is held back.
    problems: Vec<FileProblem>,
    /// What a guard refuses.
    refused: Vec<String>,
}

/// What operators asked for and still holds.
#[derive(JsonSchema)]
pub(super) struct Controls {
    suspended: Vec<Suspension>,
    rollback: Option<Rollback>,
    accepted: Option<Acceptance>,
}

/// Something that is left as it is.
#[derive(JsonSchema)]
pub(super) struct Suspension {
    scope: ScopeName,
    by: AskedBy,
    at: Time,
    reason: String,
}

/// Zones as they were at a commit, for a while.
#[derive(JsonSchema)]
pub(super) struct Rollback {
    commit: CommitId,
    until: Time,
    by: AskedBy,
    at: Time,
    reason: String,
}

/// A rewritten history that was taken.
#[derive(JsonSchema)]
pub(super) struct Acceptance {
    commit: CommitId,
    by: AskedBy,
    at: Time,
    reason: String,
}
