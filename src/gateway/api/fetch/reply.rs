//! The way back of a fetch: from a whole body, or as the body passes.

use std::cell::Cell;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::{BrokerId, FetchResponse};
use uuid::Uuid;

use super::session::{Local, Session, Shown};
use super::{BY_ID, RESPONSE};
use crate::gateway::addresses::Brokers;
use crate::gateway::api::{Refusal, body, names};
use crate::gateway::headers;
use crate::gateway::memory::Memory;
use crate::gateway::meter::Meter;
use crate::kafka::records::{self, Counted};
use crate::kafka::stream::{self, Rewritten, StreamError, TopicRef};
use crate::policy::Topic;

/// What is left behind of a fetch that went to the broker.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(super) version: i16,
    pub(super) session: Arc<Session>,
    kind: Kind,
    brokers: Arc<Brokers>,
    /// Where it is counted what comes.
    meter: Option<Arc<Meter>>,
}

/// What the fetch was to the broker's fetch sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// No session.
    Single,
    /// Asks for a new session; the response says whether there is one.
    Opens,
    /// An incremental fetch in this session.
    Continues(i32),
}

impl Reply {
    pub(super) fn new(
        version: i16,
        session: Arc<Session>,
        kind: Kind,
        brokers: Arc<Brokers>,
        meter: Option<Arc<Meter>>,
    ) -> Self {
        Self { version, session, kind, brokers, meter }
    }

    /// Bytes of the body that [`Reply::begin`] wants: throttle time, error code and session id.
    pub(crate) const HEAD: usize = 10;

    /// Whether the body may pass as it arrives, because nothing has to be put in. Ids are swapped in place; names may change
    /// the length, so there must not be more than one ([`Reply::names_topics`]).
    pub(crate) fn streams(&self) -> bool {
        self.session.passes(self.version)
    }

    pub(crate) fn version(&self) -> i16 {
        self.version
    }

    /// Whether the response addresses topics by name, and not by id.
    pub(crate) fn names_topics(&self) -> bool {
        self.version < BY_ID
    }

    /// The alias that the partner knows a topic by.
    pub(crate) fn shown_name(&self, backing: &str) -> Option<&str> {
        self.session.back(backing).map(|topic| topic.alias.as_str())
    }

    /// The id that the partner knows a topic by. None: the broker sent what was not asked for, and it must not pass.
    pub(crate) fn shown_id(&self, real: Uuid) -> Option<Uuid> {
        Some(self.session.back_by_id(real)?.ids?.synthetic)
    }

    /// Takes note of the session that a passing body is about, from its first [`Reply::HEAD`] bytes. Before there were
    /// sessions they were other things.
    pub(crate) fn begin(&self, head: [u8; Self::HEAD], memory: &Mutex<Memory>) {
        let [_, _, _, _, error_high, error_low, session @ ..] = head;
        let error_code = i16::from_be_bytes([error_high, error_low]);
        self.remember(error_code, i32::from_be_bytes(session), memory);
    }

    /// Maps a whole body. Where it is a matter of names alone, its records stay where they are.
    pub(crate) fn whole(self, body: Bytes, memory: &Mutex<Memory>) -> Result<Rewritten, Refusal> {
        self.begin(body.first_chunk().copied().unwrap_or_default(), memory);
        if self.hides() {
            return self.hidden(self.decoded(body)?, headers::room()).map(|hidden| hidden.body.into());
        }
        if self.session.answered_here().is_empty()
            && !self.session.has_windows()
            && let Ok(rewritten) = self.renamed(&body)
        {
            return Ok(rewritten);
        }
        let response = self.decoded(body)?;
        body::encode(&response, self.version).map(Rewritten::from)
    }

    /// A body in which nothing but names has to change.
    fn renamed(&self, body: &Bytes) -> Result<Rewritten, StreamError> {
        let (at, mut came) = (Cell::new(None), Vec::new());
        let by_name = |name: &str| self.session.back(name).inspect(|topic| at.set(Some(*topic)));
        let by_id = |real| self.session.back_by_id(real).inspect(|topic| at.set(Some(*topic)));
        let rewritten = stream::rewrite(
            &RESPONSE,
            self.version,
            body,
            |field, value| {
                let name = |name: &str| Some(by_name(name)?.alias.as_str());
                stream::topics_only(field, value, name, |real| Some(by_id(real)?.ids?.synthetic))
            },
            |counted| came.extend(at.get().map(|topic| (topic, counted))),
        )?;
        self.consumed(came);
        Ok(rewritten)
    }

    /// Counts records of the broker's topic, which are on their way to the partner.
    pub(crate) fn count(&self, topic: &TopicRef, counted: Counted) {
        let known = match topic {
            TopicRef::Name(name) => self.session.back(name),
            TopicRef::Id(id) => self.session.back_by_id(*id),
        };
        self.consumed(known.map(|known| (known, counted)));
    }

    pub(super) fn consumed<'t>(&self, records: impl IntoIterator<Item = (&'t Topic, Counted)>) {
        let records = records.into_iter().filter(|(_, counted)| counted.bytes > 0);
        if let Some(meter) = &self.meter {
            meter.consumed(records.map(|(topic, counted)| (&topic.alias, counted)));
        }
    }

    /// Maps a body that something has to be taken out of, or put into.
    pub(super) fn decoded(&self, body: Bytes) -> Result<FetchResponse, Refusal> {
        let mut response: FetchResponse = body::response(&RESPONSE, self.version, body)?;
        response.responses.retain_mut(|topic| self.show(topic));
        if response.error_code == 0 && !self.is_throttled(&response) {
            let local = self.session.answered_here().iter().map(|(shown, local)| local_topic(shown, local));
            response.responses.extend(local);
        }
        response.node_endpoints.retain_mut(|endpoint| {
            self.brokers.advertise(*endpoint.node_id, &mut endpoint.host, &mut endpoint.port)
        });
        Ok(response)
    }

    /// An empty answer to a full fetch means "slow down", and is one only as long as it is empty (KIP-219).
    fn is_throttled(&self, response: &FetchResponse) -> bool {
        let full = !matches!(self.kind, Kind::Continues(_));
        full && response.throttle_time_ms > 0
            && response.responses.is_empty()
            && self.session.reaches_broker()
    }

    /// Gives a topic the partner's name or id. False for one that was not asked for: it must not be shown.
    fn show(&self, topic: &mut FetchableTopicResponse) -> bool {
        let names = self.names_topics();
        let known =
            if names { self.session.back(&topic.topic) } else { self.session.back_by_id(topic.topic_id) };
        let Some(known) = known else { return false };
        // What has to be edited counts once it is known that it passes.
        if !self.hides() {
            let records = topic.partitions.iter().filter_map(|partition| partition.records.as_ref());
            self.consumed(records.map(|records| (known, records::count(records))));
        }
        for partition in &mut topic.partitions {
            let first = self.session.opens_at(known, partition.partition_index);
            // Without an offset it is an error, or of a version that has none.
            if let Some(first) = first.filter(|_| partition.log_start_offset >= 0) {
                partition.log_start_offset = partition.log_start_offset.max(first);
            }
        }
        if names {
            topic.topic = names::wire(&known.alias);
            return true;
        }
        known.ids.map(|ids| topic.topic_id = ids.synthetic).is_some()
    }

    fn remember(&self, error_code: i16, session_id: i32, memory: &Mutex<Memory>) {
        match self.kind {
            Kind::Opens if error_code == 0 && session_id != 0 => {
                Memory::lock(memory).sessions.put(session_id, Arc::clone(&self.session));
            }
            // The broker has closed it (nothing was left in it), or does not know it. After any other error it lives on.
            Kind::Continues(id)
                if session_id == 0
                    && (error_code == 0 || error_code == ResponseError::FetchSessionIdNotFound.code()) =>
            {
                Memory::lock(memory).sessions.remove(&id);
            }
            Kind::Single | Kind::Opens | Kind::Continues(_) => {}
        }
    }
}

/// The answer that a broker gives for partitions which it does not read. An unknown high watermark changes nothing at a client.
fn local_topic(shown: &Shown, local: &Local) -> FetchableTopicResponse {
    let partition = |(&index, &error_code): (&i32, &i16)| {
        PartitionData::default()
            .with_partition_index(index)
            .with_error_code(error_code)
            .with_high_watermark(-1)
            .with_last_stable_offset(-1)
            .with_log_start_offset(-1)
            .with_aborted_transactions(Some(Vec::new()))
            .with_preferred_read_replica(BrokerId(-1))
            .with_records(Some(Bytes::new()))
    };
    let topic =
        FetchableTopicResponse::default().with_partitions(local.partitions.iter().map(partition).collect());
    match shown {
        Shown::Name(name) => topic.with_topic(name.clone()),
        Shown::Id(id) => topic.with_topic_id(*id),
    }
}
