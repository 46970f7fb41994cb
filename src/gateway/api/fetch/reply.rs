//! The way back of a fetch: from a whole body, or as the body passes.

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
use crate::gateway::memory::Memory;
use crate::kafka::stream::{self, Rewritten};

/// What is left behind of a fetch that went to the broker.
#[derive(Debug)]
pub(crate) struct Reply {
    version: i16,
    session: Arc<Session>,
    kind: Kind,
    brokers: Arc<Brokers>,
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
    pub(super) fn new(version: i16, session: Arc<Session>, kind: Kind, brokers: Arc<Brokers>) -> Self {
        Self { version, session, kind, brokers }
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
        if self.session.answered_here().is_empty() {
            let head = body.first_chunk().copied().unwrap_or_default();
            let renamed = stream::rewrite(&RESPONSE, self.version, &body, |field, value| {
                stream::topics_only(field, value, |name| self.shown_name(name), |id| self.shown_id(id))
            });
            if let Ok(rewritten) = renamed {
                self.begin(head, memory);
                return Ok(rewritten);
            }
        }
        self.decoded(body, memory).map(Rewritten::from)
    }

    /// Maps a body that something has to be taken out of, or put into.
    fn decoded(self, body: Bytes, memory: &Mutex<Memory>) -> Result<Bytes, Refusal> {
        let mut response: FetchResponse = body::response(&RESPONSE, self.version, body)?;
        self.remember(response.error_code, response.session_id, memory);
        response.responses.retain_mut(|topic| self.show(topic));
        if response.error_code == 0 && !self.is_throttled(&response) {
            let local = self.session.answered_here().iter().map(|(shown, local)| local_topic(shown, local));
            response.responses.extend(local);
        }
        response.node_endpoints.retain_mut(|endpoint| {
            self.brokers.advertise(*endpoint.node_id, &mut endpoint.host, &mut endpoint.port)
        });
        body::encode(&response, self.version)
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
        if self.version < BY_ID {
            let Some(known) = self.session.back(&topic.topic) else { return false };
            topic.topic = names::wire(&known.alias);
            return true;
        }
        let Some(id) = self.shown_id(topic.topic_id) else { return false };
        topic.topic_id = id;
        true
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
    let partition = |&index: &i32| {
        PartitionData::default()
            .with_partition_index(index)
            .with_error_code(local.error_code)
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
