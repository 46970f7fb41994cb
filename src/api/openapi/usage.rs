//! What partners used.
#![allow(dead_code)] // reason: nobody makes a form; answers are held against them

use schemars::JsonSchema;

use super::operation::{Operation, Tag};
use super::words::{MonthName, Time, UsageFormat, ZoneName};
use crate::zone::GroupLag;
use crate::zone::usage::{ClientUsage, TopicUsage, Volume};

/// Totals. Whoever sees some of the zone's topics is told of those alone, and not of requests, which are for the others too.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
struct UsageTotal {
    produced: Volume,
    consumed: Volume,
    #[serde(skip_serializing_if = "is_left_out")]
    requests: u64,
    /// Commits of offsets among the requests.
    #[serde(skip_serializing_if = "is_left_out")]
    commits: u64,
    /// Connections that logged in.
    #[serde(skip_serializing_if = "is_left_out")]
    connections: u64,
    /// For how long connections were to be held back for a limit of the zone, in milliseconds.
    #[serde(skip_serializing_if = "is_left_out")]
    throttled_ms: u64,
    last_seen: Option<Time>,
}

/// Totals of a month, and how things stand now.
#[derive(JsonSchema)]
pub(super) struct UsageOfMonth {
    #[serde(flatten)]
    total: UsageTotal,
    month: MonthName,
    /// Records by which consumers are behind; null where it is not known.
    lag: Option<u64>,
}

/// What a zone's partner used in a month.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
struct UsageOfZone {
    zone: ZoneName,
    month: MonthName,
    /// Those of which there is something to tell.
    months: Vec<MonthName>,
    total: UsageTotal,
    topics: Vec<UsageOfTopic>,
    credentials: Vec<UsageOfCredential>,
    /// Records by which its consumers are behind; null where it is not known.
    lag: Option<u64>,
    groups: Option<Vec<GroupLag>>,
    /// There is more lag than is told.
    lag_is_partial: Option<bool>,
}

/// By alias; `*` is what was not kept apart.
#[derive(JsonSchema)]
struct UsageOfTopic {
    name: String,
    #[serde(flatten)]
    usage: TopicUsage,
}

/// By key id, `token:` and a subject, or `certificate:` and a fingerprint; `*` is what was not kept apart.
#[derive(JsonSchema)]
struct UsageOfCredential {
    name: String,
    #[serde(flatten)]
    usage: ClientUsage,
}

/// What all partners used in a month.
#[derive(JsonSchema)]
struct UsageList {
    month: MonthName,
    items: Vec<UsageItem>,
}

/// Of one zone.
#[derive(JsonSchema)]
struct UsageItem {
    zone: ZoneName,
    total: UsageTotal,
}

/// What went to and from a zone in the last day, as this node has seen it since it started.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
struct TrafficOfZone {
    zone: ZoneName,
    /// Null where nothing has been seen yet.
    since: Option<Time>,
    /// How long each stretch is.
    every_seconds: u64,
    /// The oldest first, with those in which nothing went through.
    points: Vec<TrafficPoint>,
}

/// From then on.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
struct TrafficPoint {
    at: Time,
    produced_bytes: u64,
    consumed_bytes: u64,
}

pub(in crate::api) fn traffic() -> Operation {
    Operation::new("getZoneTraffic", Tag::Usage, "What went to and from a zone in the last day, for pictures")
        .about("Each node tells what it has seen since it started.")
        .answers::<TrafficOfZone>(200, "By quarters of an hour.")
        .refuses(403, "Some of the zone's topics are others', and this is told of all of them together.")
}

pub(in crate::api) fn of_zone() -> Operation {
    asked(Operation::new("getZoneUsage", Tag::Usage, "What a zone's partner used in a month"))
        .answers_table::<UsageOfZone>("By topic and by credential, as JSON or CSV.")
}

pub(in crate::api) fn all() -> Operation {
    asked(Operation::new("listUsage", Tag::Usage, "What all partners used in a month"))
        .answers_table::<UsageList>("A total for each zone; as CSV, by topic and by credential too.")
        .refuses(422, "The CSV is too long; ask for each zone.")
}

fn asked(operation: Operation) -> Operation {
    operation
        .query::<MonthName>("month", "The current one, if it is not said.")
        .query::<UsageFormat>("format", "As `Accept` says, if it is not said; else JSON.")
}
