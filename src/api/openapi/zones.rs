//! Zones: read, and written as commits to the source.
#![allow(dead_code)] // reason: nobody makes a form; answers are held against them

use schemars::JsonSchema;

use super::forms::{Controls, Problem, Source};
use super::operation::{Operation, Tag};
use super::words::{
    AnyForm, ClusterName, EntityTag, FindingCode, Included, Labels, Limit, OrderName, PageToken, PhaseName,
    PlanOfWrite, Remark, RevisionName, Searched, TopicName, Zone, ZoneJustWritten,
};

/// Zones, or a part of them.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ZoneList {
    items: Vec<Zone>,
    /// How many fit, in all parts together.
    total: u64,
    /// How many topics they share that are seen.
    total_topics: u64,
    /// What the next part is asked for with; null at the end.
    next_page_token: Option<String>,
    /// For those who see all zones. Null on a node that has not looked.
    #[serde(skip_serializing_if = "is_left_out")]
    source: Option<Source>,
    /// For those who see all zones.
    #[serde(skip_serializing_if = "is_left_out")]
    controls: Controls,
}

/// What a write did, or would do.
#[derive(JsonSchema)]
struct Written {
    result: Outcome,
    /// Where the zone stands in the source.
    file: String,
    /// What changes in that file.
    diff: String,
    plan: PlanOfWrite,
    /// Null if nothing was committed.
    commit: Option<Commit>,
    zone: ZoneJustWritten,
}

/// What a deletion did, or would do.
#[derive(JsonSchema)]
struct Deleted {
    result: Outcome,
    file: String,
    diff: String,
    plan: PlanOfWrite,
    commit: Option<Commit>,
}

#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Outcome {
    Created,
    Updated,
    Unchanged,
    Deleted,
}

/// A commit to the source.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Commit {
    revision: RevisionName,
    /// The branch in full.
    reference: String,
    /// The branch has to be merged before anything happens.
    is_proposal: bool,
}

/// The zone, or the files with it, would not be right.
#[derive(JsonSchema)]
struct NotRight {
    #[serde(flatten)]
    problem: Problem,
    findings: Vec<Fault>,
}

/// What is not right.
#[derive(JsonSchema)]
struct Fault {
    code: FindingCode,
    /// Null where it is not known, or not told.
    place: Option<String>,
    message: String,
    /// What can be done.
    #[serde(skip_serializing_if = "is_left_out")]
    help: Option<String>,
}

/// It was not written, for a reason that another request would not change.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
struct NotWritten {
    #[serde(flatten)]
    problem: Problem,
    /// Where writes are not taken: the file to commit.
    #[serde(skip_serializing_if = "is_left_out")]
    file: String,
    /// Where writes are not taken: what is to be in it; null if it is to be removed.
    #[serde(skip_serializing_if = "is_left_out")]
    text: Option<String>,
    /// In place of `text`, where the file holds more than whoever asks may see: the zone's document in it.
    #[serde(skip_serializing_if = "is_left_out")]
    document: Option<String>,
    #[serde(skip_serializing_if = "is_left_out")]
    diff: String,
    /// Of a guard that holds it back.
    #[serde(skip_serializing_if = "is_left_out")]
    reasons: Vec<String>,
    /// What lets it pass, if it is meant.
    #[serde(skip_serializing_if = "is_left_out")]
    ways_out: Vec<String>,
}

pub(in crate::api) fn list() -> Operation {
    Operation::new("listZones", Tag::Zones, "Zones: filtered, in an order, in parts")
        .query::<PhaseName>("status", "Zones in this phase.")
        .query::<Labels>("label", "`key=value`, or `key` for any value. All have to hold.")
        .query::<Searched>(
            "search",
            "Text to look for in names, descriptions, topics and partners, whatever its case.",
        )
        .query::<ClusterName>("cluster", "Zones of this backing cluster.")
        .query::<TopicName>("topic", "Zones that share this backing topic.")
        .query::<OrderName>("sort", "By `name`, if nothing is said.")
        .query::<Included>("include", "What else is shown.")
        .query::<Limit>("limit", "Entries at most; all, if it is not said.")
        .query::<PageToken>(
            "pageToken",
            "`nextPageToken` of the part before, with the same filters and order.",
        )
        .answers::<ZoneList>(200, "The zones that fit.")
}

pub(in crate::api) fn one() -> Operation {
    Operation::new("getZone", Tag::Zones, "A zone in its written form, with its status")
        .answers::<Zone>(200, "The zone.")
        .with_header("ETag", "Of the written form, for those who see all of it.")
}

pub(in crate::api) fn create() -> Operation {
    let operation = Operation::new("createZone", Tag::Zones, "Creates a zone")
        .about("The same zone again is no error: whoever did not hear the answer asks again.");
    write(operation)
        .takes_a_zone()
        .answers::<Written>(201, "It was committed.")
        .with_header("ETag", "Of the written form.")
        .with_header("Location", "The zone's path.")
        .with_links(
            "name",
            "$response.body#/zone/metadata/name",
            &[
                "getZone",
                "deleteZone",
                "getZoneUsage",
                "getZoneTraffic",
                "listZoneCredentials",
                "issueCredential",
            ],
        )
}

pub(in crate::api) fn replace() -> Operation {
    let operation = Operation::new("putZone", Tag::Zones, "Creates or replaces a zone");
    on_condition(write(operation))
        .takes_a_zone()
        .answers::<Written>(201, "It was committed, and is a new zone.")
        .with_header("ETag", "Of the written form.")
}

pub(in crate::api) fn delete() -> Operation {
    let operation = Operation::new("deleteZone", Tag::Zones, "Deletes a zone, with its credentials");
    on_condition(terms(operation))
        .answers::<Deleted>(200, "It was committed; of a dry run: it would be.")
        .answers::<Deleted>(202, "It is a proposal: nothing happens before it is merged.")
}

/// What any write may be told, and be refused for.
fn terms(operation: Operation) -> Operation {
    operation
        .query::<bool>("dryRun", "Finds out everything, and commits nothing.")
        .query::<Remark>("reason", "Why: for the commit's message.")
        .refuses_with::<NotWritten>(
            409,
            "A rule is against it: writes are not taken, a guard holds it back, there is such a zone, others keep pushing.",
        )
        .refuses_with::<NotRight>(422, "With it the files would not be right.")
}

fn write(operation: Operation) -> Operation {
    terms(operation)
        .answers::<Written>(
            200,
            "It was committed, or says what is there already; of a dry run: it would be.",
        )
        .with_header("ETag", "Of the written form.")
        .answers::<Written>(202, "It is a proposal: nothing happens before it is merged.")
}

fn on_condition(operation: Operation) -> Operation {
    operation
        .header::<EntityTag>(
            "If-Match",
            "The `ETag` that was seen: refused if the source has another form by now.",
        )
        .header::<AnyForm>("If-None-Match", "Refused if there is such a zone.")
        .refuses(412, "The zone has changed since it was seen.")
}
