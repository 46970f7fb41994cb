//! The service as a whole, and what stands behind it.
#![allow(dead_code)] // reason: nobody makes a form; answers are held against them

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde_json::Value;

use super::operation::{Operation, Tag};
use super::words::{ClusterName, Id, Limit, PageToken, Permission, Searched, Time, TopicName, ZoneName};
use crate::api::nodes::Node;
use crate::api::state::ObservedState;
use crate::store::Lease;
use crate::store::backup::Backup;

/// Topics of a backing cluster, or a part of them.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
struct TopicList {
    cluster: ClusterName,
    items: Vec<BackingTopic>,
    /// How many fit, in all parts together.
    total: u64,
    next_page_token: Option<String>,
    /// When the cluster said so.
    observed_at: Time,
    /// The cluster has more topics than were looked at.
    is_partial: bool,
}

/// A topic, and with whom it is shared.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
struct BackingTopic {
    cluster: ClusterName,
    name: TopicName,
    partitions: u64,
    /// The first hundred.
    shared_with: Vec<Share>,
    /// How many there are.
    shares: u64,
}

/// A topic that is shared with one zone.
#[derive(JsonSchema)]
struct Share {
    zone: ZoneName,
    alias: TopicName,
    permission: Permission,
}

/// Events, or a part of them, the newest first.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
struct EventList {
    items: Vec<Event>,
    /// One request reads one stretch of the log: where nothing in it fits, the list is empty, and this goes on before it.
    next_page_token: Option<String>,
}

/// CloudEvents 1.0.
#[derive(JsonSchema)]
struct Event {
    #[schemars(extend("const" = "1.0"))]
    specversion: String,
    id: Id,
    source: String,
    #[schemars(regex(pattern = r"^partner-zones\."))]
    r#type: String,
    subject: String,
    time: Time,
    #[schemars(extend("const" = "application/json"))]
    datacontenttype: String,
    /// `sequence`, the number of the commit to the state, and what belongs to the type.
    data: BTreeMap<String, Value>,
}

/// The gateways that live.
#[derive(JsonSchema)]
struct NodeList {
    items: Vec<Node<'static>>,
    /// Null while nobody leads.
    leader: Option<Lease>,
    /// The last commit to the state.
    sequence: u64,
}

pub(in crate::api) fn topics() -> Operation {
    Operation::new("listTopics", Tag::Service, "Topics of a backing cluster, and with whom each is shared")
        .query::<ClusterName>("cluster", "The first of the configuration, if it is not said.")
        .query::<Searched>("search", "Text to look for in names, whatever its case.")
        .query::<Limit>("limit", "Entries at most; 100, if it is not said.")
        .query::<PageToken>("pageToken", "`nextPageToken` of the part before, with the same filters.")
        .answers::<TopicList>(200, "Topics that fit.")
        .refuses(404, "There is no such cluster.")
}

pub(in crate::api) fn audit() -> Operation {
    Operation::new("listAuditEvents", Tag::Service, "What is written in the audit log, the newest first")
        .query::<ZoneName>("zone", "Events about this zone.")
        .query::<String>("type", "`zone.created`, or `zone` for all of them.")
        .query::<Limit>("limit", "Entries at most; 100, if it is not said.")
        .query::<PageToken>("pageToken", "`nextPageToken` of the part before, with the same filters.")
        .answers::<EventList>(200, "Events that fit.")
        .refuses(409, "The log's retention took what was to be read: ask again.")
}

pub(in crate::api) fn events() -> Operation {
    Operation::new("streamEvents", Tag::Service, "Says that something has changed, as long as somebody listens")
        .about("Server-sent events named `zones`, with `{\"sequence\", \"revision\"}`: ask again. The first one comes at once.")
        .answers_text("text/event-stream", "Events, until the key is deleted or the node stops.")
}

pub(in crate::api) fn nodes() -> Operation {
    Operation::new("listNodes", Tag::Service, "The gateways that live, as they say, and who leads")
        .answers::<NodeList>(200, "All of them.")
}

pub(in crate::api) fn state() -> Operation {
    Operation::new("getState", Tag::Service, "What a plan compares with").answers::<ObservedState>(
        200,
        "The zones as they were last applied, and the rest that a plan is made of.",
    )
}

pub(in crate::api) fn backup() -> Operation {
    Operation::new("exportState", Tag::Service, "Everything that the state holds, to keep a copy of it")
        .about("There is no secret in clear in it, but enough to try guesses on.")
        .answers::<Backup>(200, "As this node has read it.")
        .with_header("Cache-Control", "`no-store`.")
}

pub(in crate::api) fn hint() -> Operation {
    Operation::new(
        "hintSource",
        Tag::Service,
        "A forge says that something was pushed: the source is looked at sooner",
    )
    .about("Nothing in it is used, but for its signature.")
    .for_forges()
    .answers_nothing(202, "The source is looked at.")
    .refuses(401, "The signature does not fit the body and the secret.")
    .refuses(404, "This node takes no hints: `source.webhook` is not configured.")
    .refuses(429, "There were many hints, or too many wrong ones from this address.")
    .refuses(503, "This node cannot read the secret.")
}

pub(in crate::api) fn openapi() -> Operation {
    Operation::new("getDocument", Tag::Service, "This document")
        .for_anybody()
        .answers::<BTreeMap<String, Value>>(200, "OpenAPI 3.1.")
}
