//! What the controller does, and what operators ask of it.
#![allow(dead_code)] // reason: nobody makes a form; answers are held against them

use schemars::JsonSchema;

use super::forms::{Acceptance, Controls, Rollback, Source, Suspension};
use super::operation::{Operation, Tag};
use super::words::{Id, OutcomeName, Plan, RevisionName, Time, ZoneName};
use crate::api::controller::Apply;
use crate::api::controls::{Accept, End, RollBack, Suspend};

/// How the controller of the node that leads stands.
#[derive(JsonSchema)]
struct Controller {
    /// Who answers.
    node: String,
    /// Whether it leads; if not, the leader could not be asked.
    leading: bool,
    /// What the state reflects.
    revision: Option<RevisionName>,
    controls: Controls,
    /// Null on a node that has not looked.
    source: Option<Source>,
    /// The last ones, the newest first.
    runs: Vec<Run>,
}

/// What came of a run, or of several in a row that did the same.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Run {
    /// The request that it answers, if it was asked for.
    request: Option<String>,
    outcome: OutcomeName,
    message: String,
    revision: Option<RevisionName>,
    /// The plan's digest.
    plan: Option<String>,
    /// The commit to the state that it made.
    sequence: Option<u64>,
    applied: Applied,
    /// What guards refuse.
    refused: Vec<String>,
    /// Errors in files.
    problems: Vec<String>,
    /// What partners who were connected notice.
    noticed: Vec<String>,
    held: Vec<Held>,
    failed: Vec<Failed>,
    first_at: Time,
    last_at: Time,
    /// Of the last of them.
    took_ms: u64,
    count: u64,
}

/// Zones that it created, updated and deleted.
#[derive(JsonSchema)]
#[schemars(inline)]
struct Applied {
    created: u64,
    updated: u64,
    deleted: u64,
}

/// A zone that was left as it was.
#[derive(JsonSchema)]
#[schemars(inline)]
struct Held {
    zone: ZoneName,
    reason: String,
    message: String,
}

/// A zone that could not be brought to what it should be.
#[derive(JsonSchema)]
#[schemars(inline)]
struct Failed {
    zone: ZoneName,
    message: String,
}

/// The last plan, and what came of it.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
struct LastPlan {
    node: String,
    leading: bool,
    at: Option<Time>,
    /// False: of large plans the first entries are shown.
    is_whole: Option<bool>,
    /// The run that was made by it.
    run: Option<Run>,
    /// Null until one was made.
    plan: Option<Plan>,
}

/// A run that will be made.
#[derive(JsonSchema)]
struct RunAsked {
    node: String,
    /// By which it is found among the controller's runs.
    request: Id,
}

pub(in crate::api) fn show() -> Operation {
    Operation::new("getController", Tag::Controller, "How the controller stands, and what was asked of it")
        .answers::<Controller>(200, "As the leader says, or this node if the leader cannot be asked.")
}

pub(in crate::api) fn plan() -> Operation {
    Operation::new("getPlan", Tag::Controller, "The plan that was made last, and what came of it")
        .about("What was applied is done; what is held, refused or failed is what the next run would do.")
        .answers::<LastPlan>(200, "As the leader says, or this node if the leader cannot be asked.")
}

pub(in crate::api) fn suspend() -> Operation {
    Operation::new("suspend", Tag::Controller, "Leaves a zone, the source or everything as it is")
        .takes::<Suspend>()
        .answers::<Suspension>(201, "It is suspended.")
        .refuses(404, "There is no such zone.")
        .refuses(409, "There are too many suspensions.")
}

pub(in crate::api) fn resume() -> Operation {
    Operation::new("resume", Tag::Controller, "Goes on with what was suspended")
        .takes::<Suspend>()
        .answers_nothing(204, "It goes on.")
        .refuses(409, "It is not suspended.")
}

pub(in crate::api) fn roll_back() -> Operation {
    Operation::new("rollBack", Tag::Controller, "Makes zones what they were at a commit, for a while")
        .takes::<RollBack>()
        .answers::<Rollback>(201, "It is rolled back at the next run.")
}

pub(in crate::api) fn end_rollback() -> Operation {
    Operation::new("endRollback", Tag::Controller, "Ends a rollback before its time")
        .takes::<End>()
        .answers_nothing(204, "It ends at the next run.")
        .refuses(409, "Nothing is rolled back.")
}

pub(in crate::api) fn accept() -> Operation {
    Operation::new("acceptHistory", Tag::Controller, "Takes a history of the source that was rewritten")
        .takes::<Accept>()
        .answers::<Acceptance>(201, "It is taken at the next run.")
}

pub(in crate::api) fn apply() -> Operation {
    Operation::new("apply", Tag::Controller, "Asks for a run now")
        .about("What lifts a guard (`allowDeletes`, `allowUpdates`) names the plan that it is for, and a reason.")
        .may_take::<Apply>()
        .answers::<RunAsked>(202, "A run is made soon.")
}
