//! Produce (0): records for writable aliases. What may not pass is taken out of the request and answered here.

mod edit;
mod shapes;

#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::produce_request::TopicProduceData;
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{ProduceRequest, ProduceResponse, TransactionalId};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

pub(crate) use self::shapes::{REQUEST, RESPONSE, VERSIONS};
use super::names::{self, Key, Names};
use super::{Exchange, MapBody, Outcome, Refusal, Respond, body, transactional_id};
use crate::gateway::addresses::Brokers;
use crate::gateway::editing;
use crate::gateway::memory::Memory;
use crate::gateway::meter::Meter;
use crate::kafka::records::{Counted, Counting};
use crate::kafka::shape::{Entity, Field};
use crate::kafka::stream::{self, Instead, Rewritten, StreamError};
use crate::policy::{Topic, ZoneView};
use crate::zone::{Operation, TopicName};

/// The first version that addresses topics by id.
const BY_ID: i16 = 13;

pub(super) fn handle(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    match renamed(exchange, &body) {
        Some(outcome) => Ok(outcome),
        None => decoded(exchange, body),
    }
}

/// A request of which all may pass, and which wants an answer: its records stay where they are.
fn renamed(exchange: &Exchange<'_>, body: &Bytes) -> Option<Outcome> {
    if exchange.adding.is_some() {
        return None;
    }
    let mut names = Names::new(exchange.view);
    let (at, mut sent) = (Cell::new(None), Vec::new());
    let body = stream::rewrite(
        &REQUEST,
        exchange.version,
        body,
        |field, value| rename(exchange.view, &mut names, &at, field, value),
        |counted| sent.extend(at.get().map(|alias| (alias, counted))),
    );
    let body = body.ok().filter(|_| !names.is_empty())?;
    let memory = Memory::lock(exchange.memory);
    memory.note(names.aliases());
    if let Some(meter) = memory.meter() {
        meter.produced(sent);
    }
    let respond = respond(exchange.version, names, Arc::clone(exchange.brokers), Vec::new());
    Some(Outcome::Forward { body, respond })
}

fn rename<'v>(
    view: &'v ZoneView,
    names: &mut Names,
    at: &Cell<Option<&'v TopicName>>,
    field: &'static Field,
    value: Option<&[u8]>,
) -> Result<Instead<'v>, StreamError> {
    const REFUSED: StreamError = StreamError::NotStreamable("what is refused");
    let text = |value| std::str::from_utf8(value).map_err(|_| StreamError::Name);
    match (field.entity, value) {
        (Some(Entity::TransactionalId), Some(id)) => {
            let id = transactional_id::inside(view, text(id)?).map_err(|_| REFUSED)?;
            Ok(Instead::Text(id.to_string().into()))
        }
        (Some(Entity::Acks), Some([0, 0])) => Err(StreamError::NotStreamable("a request without an answer")),
        (Some(Entity::TopicName), Some(name)) => {
            let topic = names.admit(view, Key::Name(text(name)?), Operation::Write).map_err(|_| REFUSED)?;
            at.set(Some(&topic.alias));
            Ok(Instead::Text(topic.backing.as_str().into()))
        }
        (Some(Entity::TopicId), Some(id)) => {
            let id = Uuid::from_slice(id).map_err(|_| REFUSED)?;
            let topic = names.admit(view, Key::Id(id), Operation::Write).map_err(|_| REFUSED)?;
            at.set(Some(&topic.alias));
            topic.ids.map(|ids| Instead::Id(ids.real)).ok_or(REFUSED)
        }
        _ => Ok(Instead::Same),
    }
}

/// A request of which something has to be taken out, or that has no answer, or whose records are edited.
fn decoded(exchange: &Exchange<'_>, body: Bytes) -> Result<Outcome, Refusal> {
    let (version, bytes) = (exchange.version, body.len());
    let mut request: ProduceRequest = body::request(&REQUEST, version, body)?;
    let transaction = own_transaction(exchange.view, request.transactional_id.as_deref().map(|id| &**id));
    let mut names = Names::new(exchange.view);
    let admit = |topic: &mut TopicProduceData| {
        transaction.as_ref().map_err(|error| *error)?;
        let backing = names.admit(exchange.view, key(version, topic), Operation::Write)?;
        match backing.ids {
            Some(ids) if version >= BY_ID => topic.topic_id = ids.real,
            _ => topic.name = names::wire(&backing.backing),
        }
        Ok(())
    };
    let (admitted, refused) = names::sort(request.topic_data, admit, |topic, error| refuse(&topic, error));
    let memory = Memory::lock(exchange.memory);
    memory.note(names.aliases());
    let meter = memory.meter();
    drop(memory);
    request.topic_data = admitted;
    request.transactional_id = transaction.ok().flatten();
    let mapped = Mapped { version, request, names, refused, brokers: Arc::clone(exchange.brokers), meter };
    if let Some(adding) = exchange.adding.clone() {
        let bytes = editing::weight(bytes, mapped.request.topic_data.iter().flat_map(records));
        return Ok(Outcome::Edit { bytes, work: Box::new(move || mapped.edited(&adding)) });
    }
    for topic in &mapped.request.topic_data {
        mapped.count(topic, counted(topic));
    }
    mapped.send()
}

/// A request in the broker's words, with the answers for what is not in it any more.
struct Mapped {
    version: i16,
    request: ProduceRequest,
    names: Names,
    refused: Vec<TopicProduceResponse>,
    brokers: Arc<Brokers>,
    meter: Option<Arc<Meter>>,
}

impl Mapped {
    /// Counts records that go to this topic, as the partner sent them.
    fn count(&self, topic: &TopicProduceData, counted: Counted) {
        let known = match key(self.version, topic) {
            Key::Name(backing) => self.names.back(backing),
            Key::Id(real) => self.names.back_by_id(real),
        };
        if let (Some(meter), Some(known)) = (&self.meter, known) {
            meter.produced([(&known.alias, counted)]);
        }
    }

    fn send(self) -> Result<Outcome, Refusal> {
        let Self { version, request, names, refused, brokers, .. } = self;
        let nothing_left = request.topic_data.is_empty();
        if request.acks == 0 {
            let body = if nothing_left { None } else { Some(body::encode(&request, version)?) };
            return Ok(Outcome::ForwardUnanswered { body, then_close: !refused.is_empty() });
        }
        if nothing_left {
            return body::answer(&ProduceResponse::default().with_responses(refused), version);
        }
        let respond = respond(version, names, brokers, refused);
        Ok(Outcome::Forward { body: body::encode(&request, version)?.into(), respond })
    }
}

/// The records of a topic.
fn records(topic: &TopicProduceData) -> impl Iterator<Item = &Bytes> {
    topic.partition_data.iter().filter_map(|partition| partition.records.as_ref())
}

/// How many they are.
fn counted(topic: &TopicProduceData) -> Counted {
    let mut counting = Counting::default();
    records(topic).for_each(|records| counting.field(records));
    counting.take()
}

/// What a request that passes as it arrives may do.
pub(crate) struct Admitted<'v> {
    /// As the broker knows it.
    pub(crate) transactional_id: Option<TransactionalId>,
    pub(crate) topic: &'v Topic,
}

/// Decides on a request whose records all go to the topic under this key.
pub(crate) fn authorise<'v>(
    view: &'v ZoneView,
    transactional_id: Option<&str>,
    key: Key<'_>,
) -> Result<Admitted<'v>, ResponseError> {
    let transactional_id = own_transaction(view, transactional_id)?;
    Ok(Admitted { transactional_id, topic: names::authorise(view, key, Operation::Write)? })
}

/// Null is not a transaction. From version 12 on, a request makes its partitions part of one by itself (KIP-890): what is not
/// allowed is taken out before it goes.
fn own_transaction(
    view: &ZoneView,
    transactional_id: Option<&str>,
) -> Result<Option<TransactionalId>, ResponseError> {
    transactional_id.map(|id| transactional_id::inside(view, id)).transpose()
}

/// Maps the response to a request that passed as it arrived, with this one topic.
pub(crate) fn respond_to_one(
    version: i16,
    view: &Arc<ZoneView>,
    topic: &Topic,
    brokers: &Arc<Brokers>,
) -> Respond {
    respond(version, Names::of(view, topic), Arc::clone(brokers), Vec::new())
}

/// The response to a request of one topic whose partitions are all refused.
pub(crate) fn refused_response(
    version: i16,
    key: Key<'_>,
    partitions: &[i32],
    error: ResponseError,
) -> Result<Bytes, Refusal> {
    let topic = match key {
        Key::Name(name) => {
            TopicProduceResponse::default().with_name(StrBytes::from_string(name.to_owned()).into())
        }
        Key::Id(id) => TopicProduceResponse::default().with_topic_id(id),
    };
    let partitions = partitions.iter().map(|&index| refused_partition(index, error)).collect();
    body::encode(
        &ProduceResponse::default().with_responses(vec![topic.with_partition_responses(partitions)]),
        version,
    )
}

fn key(version: i16, topic: &TopicProduceData) -> Key<'_> {
    if version < BY_ID { Key::Name(&topic.name) } else { Key::Id(topic.topic_id) }
}

fn refuse(topic: &TopicProduceData, error: ResponseError) -> TopicProduceResponse {
    let partitions = topic.partition_data.iter().map(|data| refused_partition(data.index, error)).collect();
    TopicProduceResponse::default()
        .with_name(names::detached(&topic.name))
        .with_topic_id(topic.topic_id)
        .with_partition_responses(partitions)
}

fn refused_partition(index: i32, error: ResponseError) -> PartitionProduceResponse {
    PartitionProduceResponse::default()
        .with_index(index)
        .with_error_code(error.code())
        .with_base_offset(-1)
        .with_log_start_offset(-1)
}

fn respond(version: i16, names: Names, brokers: Arc<Brokers>, refused: Vec<TopicProduceResponse>) -> Respond {
    let map: MapBody = Box::new(move |body, _| match renamed_back(version, &names, &body) {
        Ok(renamed) if refused.is_empty() => Ok(renamed),
        _ => decoded_back(version, &names, &brokers, refused, body).map(Rewritten::from),
    });
    Respond::Whole(map)
}

/// A response without words or addresses of the broker's.
fn renamed_back(version: i16, names: &Names, body: &Bytes) -> Result<Rewritten, StreamError> {
    let name = |backing: &str| Some(names.back(backing)?.alias.as_str());
    let id = |real| Some(names.back_by_id(real)?.ids?.synthetic);
    stream::rewrite(
        &RESPONSE,
        version,
        body,
        |field, value| stream::topics_only(field, value, name, id),
        |_| {},
    )
}

fn decoded_back(
    version: i16,
    names: &Names,
    brokers: &Brokers,
    refused: Vec<TopicProduceResponse>,
    body: Bytes,
) -> Result<Bytes, Refusal> {
    let mut response: ProduceResponse = body::response(&RESPONSE, version, body)?;
    response.responses.retain_mut(|topic| show(version, names, topic));
    for topic in refused {
        let same = |known: &&mut TopicProduceResponse| {
            (&known.name, known.topic_id) == (&topic.name, topic.topic_id)
        };
        match response.responses.iter_mut().find(same) {
            Some(known) => known.partition_responses.extend(topic.partition_responses),
            None => response.responses.push(topic),
        }
    }
    response
        .node_endpoints
        .retain_mut(|endpoint| brokers.advertise(*endpoint.node_id, &mut endpoint.host, &mut endpoint.port));
    body::encode(&response, version)
}

/// Gives a topic the partner's name or id, and drops the broker's words, which may hold its own names. False for a topic
/// that was not produced to: it must not be shown.
fn show(version: i16, names: &Names, topic: &mut TopicProduceResponse) -> bool {
    for partition in &mut topic.partition_responses {
        partition.error_message = None;
        for error in &mut partition.record_errors {
            error.batch_index_error_message = None;
        }
    }
    if version < BY_ID {
        return names.rename_back(&mut topic.name);
    }
    match names.back_by_id(topic.topic_id).and_then(|known| known.ids) {
        Some(ids) => {
            topic.topic_id = ids.synthetic;
            true
        }
        None => false,
    }
}
