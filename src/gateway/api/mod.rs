//! The closed table: one file per Kafka API key, each with its shapes, its versions and its treatment.
//!
//! What is not in the registry is not advertised, and refused. A handler turns a request in the partner's words into one
//! in the broker's (alias → backing topic, `<zone>:` in front of groups), takes out what the partner may not do, and
//! leaves behind how the response is turned back. It never waits and holds no state but the connection's [`Memory`].

mod add_offsets_to_txn;
mod add_partitions_to_txn;
mod administration;
pub(crate) mod api_versions;
mod body;
mod config_resource;
mod consumer_group_describe;
pub(crate) mod consumer_group_heartbeat;
mod delete_groups;
mod describe_cluster;
mod describe_configs;
mod describe_groups;
mod describe_transactions;
mod end_txn;
mod features;
pub(crate) mod fetch;
mod find_coordinator;
mod get_telemetry_subscriptions;
mod group_id;
mod group_protocol;
mod heartbeat;
mod init_producer_id;
mod join_group;
mod leave_group;
mod list_groups;
mod list_offsets;
mod list_transactions;
mod metadata;
mod names;
pub(crate) mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod offset_for_leader_epoch;
mod operations;
mod prefix;
pub(crate) mod produce;
mod push_telemetry;
mod registry;
pub(crate) mod sasl_authenticate;
pub(crate) mod sasl_handshake;
mod sync_group;
pub(crate) mod transactional_id;
pub(crate) mod txn_offset_commit;

#[cfg(test)]
mod captured;
#[cfg(any(test, fuzzing))]
#[cfg_attr(fuzzing, allow(dead_code, reason = "the tests use more of it"))]
mod fixture;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
#[cfg(any(test, fuzzing))]
mod invariants;
#[cfg(test)]
mod proof;

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use thiserror::Error;

pub(crate) use self::names::Key;
pub(crate) use self::registry::{REGISTRY, entry};
use super::addresses::Brokers;
use super::headers::{Adding, Tally};
use super::memory::Memory;
use super::offer::ApiRanges;
use super::replay::Starts;
use super::traffic::Quota;
use crate::kafka::shape::{Shape, Versions};
use crate::kafka::stream::Rewritten;
use crate::policy::ZoneView;

/// One row of the table.
pub(crate) struct Entry {
    /// Request and response carry key and name.
    pub(crate) request: &'static Shape,
    pub(crate) response: &'static Shape,
    /// What we serve; advertised is what the broker serves of it.
    pub(crate) versions: Versions,
    pub(crate) origin: Origin,
    pub(crate) handle: Handler,
}

/// Who speaks in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The broker does; only versions that it serves too are served.
    Broker,
    /// This gateway does, whatever the broker serves.
    Gateway,
    /// This gateway does, where the broker would: clients do not ask for what their brokers have not got. An answer that is on
    /// its way when a client leaves resets the connection, and takes along records that wanted no acknowledgement.
    Substitute,
}

impl Entry {
    pub(crate) fn key(&self) -> i16 {
        self.request.api_key
    }

    /// The message's name without `Request`, e.g. `Fetch`.
    pub(crate) fn name(&self) -> &'static str {
        self.request.name.strip_suffix("Request").unwrap_or(self.request.name)
    }

    /// The versions that are served in front of brokers that serve `ranges`, if any.
    pub(crate) fn served(&self, ranges: &ApiRanges) -> Option<Versions> {
        if self.origin == Origin::Gateway {
            return Some(self.versions);
        }
        self.versions.common(*ranges.get(&self.key())?)
    }
}

/// Turns a request body into what happens with it. It walks the body before it decodes anything.
pub(crate) type Handler = fn(&Exchange<'_>, Bytes) -> Result<Outcome, Refusal>;

/// What a handler may look at. The view is the one the response will be mapped with.
pub(crate) struct Exchange<'a> {
    pub(crate) version: i16,
    pub(crate) view: &'a Arc<ZoneView>,
    pub(crate) brokers: &'a Arc<Brokers>,
    pub(crate) memory: &'a Mutex<Memory>,
    /// Where replay windows begin.
    pub(crate) starts: &'a Starts,
    /// What is done to the records of a Produce request; none where its zone does nothing to them.
    pub(crate) adding: Option<Arc<Adding>>,
    /// What the zone's limits leave for the request.
    pub(crate) quota: Quota,
}

/// What becomes of a request.
pub(crate) enum Outcome {
    /// Goes to the broker; its response comes back through `respond`.
    Forward { body: Rewritten, respond: Respond },
    /// Goes to the broker as several requests, one behind the other, because the broker wants each topic once and the partner
    /// named one under two aliases. Their responses come back as one through `join`.
    ForwardEach { bodies: Vec<Bytes>, join: JoinBodies },
    /// Goes to the broker, which will not answer (acks=0). With `then_close`, part of it was denied: the connection is
    /// closed after it, as a broker does.
    ForwardUnanswered { body: Option<Bytes>, then_close: bool },
    /// Answered here with this response body.
    Answer(Bytes),
    /// Depends on work that may take long, on so many bytes; never again on such work.
    Edit { bytes: usize, work: Work },
}

/// Edits records, and says what becomes of their request.
pub(crate) type Work = Box<dyn FnOnce() -> Result<(Outcome, Tally), Refusal> + Send>;

/// How a response is mapped back.
pub(crate) enum Respond {
    /// From its whole body.
    Whole(MapBody),
    /// A Fetch response: from its whole body, or as it passes where [`fetch::Reply::streams`] says so.
    Fetch(Box<fetch::Reply>),
    /// From the bodies of so many responses, the first and those behind it.
    Joined { parts: usize, join: JoinBodies },
}

impl Respond {
    /// How many responses of the broker become the partner's one.
    pub(crate) fn parts(&self) -> usize {
        match self {
            Self::Whole(_) | Self::Fetch(_) => 1,
            Self::Joined { parts, .. } => *parts,
        }
    }

    /// Maps a whole body, and those of the [`Self::parts`] behind it.
    pub(crate) fn whole(
        self,
        body: Bytes,
        more: Vec<Bytes>,
        memory: &Mutex<Memory>,
    ) -> Result<Rewritten, Refusal> {
        match self {
            Self::Whole(map) => map(body, memory),
            Self::Fetch(reply) => reply.whole(body, memory),
            Self::Joined { join, .. } => join(body, more).map(Rewritten::from),
        }
    }
}

/// Maps a response body. It walks the body before it decodes anything.
pub(crate) type MapBody = Box<dyn FnOnce(Bytes, &Mutex<Memory>) -> Result<Rewritten, Refusal> + Send>;

/// Maps the bodies of several responses to one. It walks each of them before it decodes anything.
pub(crate) type JoinBodies = Box<dyn FnOnce(Bytes, Vec<Bytes>) -> Result<Bytes, Refusal> + Send>;

/// Why a connection cannot go on. Closed set: each is a metric label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum Refusal {
    #[error("the request does not parse")]
    MalformedRequest,
    #[error("the broker's response does not parse")]
    MalformedResponse,
    #[error("the response could not be written")]
    Unencodable,
}
