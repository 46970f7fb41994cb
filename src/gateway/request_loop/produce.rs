//! A Produce request of one topic passes as it arrives: its head is decided on and mapped, its records are not held.

use bytes::BytesMut;
use kafka_protocol::error::ResponseError;
use tokio::io::{AsyncRead, AsyncWrite};

use super::super::api::produce::{self, Admitted};
use super::super::api::{Key, Refusal};
use super::super::close::Close;
use super::super::inflight::{Awaited, InFlight, Kept};
use super::super::relay::{Broken, Passing};
use super::{Incoming, RequestLoop, is_flexible, owe};
use crate::kafka::frame::LENGTH_PREFIX;
use crate::kafka::stream::{OneTopicHead, OneTopicTail, TopicRef};

/// A request whose head has been read: what is known of it, and the reader of the rest.
struct Started {
    head: OneTopicHead,
    tail: OneTopicTail,
    topic: TopicRef,
    /// Bytes of the body behind the head.
    rest: usize,
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> RequestLoop<'_, R, W> {
    /// Serves the request if it is about one topic, and its records pass as they are. False: nothing was taken of it, and it has to be
    /// read as a whole.
    pub(super) async fn pass_produce(&mut self, request: &Incoming) -> Result<bool, Close> {
        let Some(started) = self.start_produce(request).await? else { return Ok(false) };
        let (zone, brokers) = self.moment()?;
        if !zone.headers.add_on_produce.is_empty() {
            return Ok(false);
        }
        let decision =
            produce::authorise(&zone, started.head.transactional_id.as_deref(), key(&started.topic));
        match decision {
            Ok(admitted) => {
                self.used.note([&admitted.topic.alias]);
                let awaited = Awaited {
                    correlation_id: request.header.correlation_id,
                    response: request.entry.response,
                    version: request.header.version,
                    respond: produce::respond_to_one(request.header.version, &zone, admitted.topic, &brokers),
                    kept: Kept::default(),
                };
                self.send_produce(request, started, &admitted, InFlight::Awaited(awaited)).await?;
            }
            Err(error) => self.refuse_produce(request, started, error).await?,
        }
        Ok(true)
    }

    async fn start_produce(&mut self, request: &Incoming) -> Result<Option<Started>, Close> {
        let body_len = request.frame_len.saturating_sub(request.header_len);
        let body_at = LENGTH_PREFIX + request.header_len;
        loop {
            let here = self.partner.buffered().len().min(body_at + body_len);
            let unread = self.partner.buffered().get(body_at..here).unwrap_or_default();
            let read = OneTopicHead::read(&produce::REQUEST, request.header.version, body_len, unread);
            match read.map_err(|_| malformed())? {
                Some((head, tail)) => {
                    let (1, Some(topic)) = (head.topics, head.topic.clone()) else { return Ok(None) };
                    let rest = body_len.saturating_sub(head.len);
                    return Ok(Some(Started { head, tail, topic, rest }));
                }
                None => self.need(here + 1).await?,
            }
        }
    }

    async fn send_produce(
        &mut self,
        request: &Incoming,
        started: Started,
        admitted: &Admitted<'_>,
        awaited: InFlight,
    ) -> Result<(), Close> {
        let Started { head, mut tail, topic: wanted, rest } = started;
        let backing = match (wanted, admitted.topic.ids) {
            (TopicRef::Name(_), _) => TopicRef::Name(admitted.topic.backing.to_string()),
            (TopicRef::Id(_), Some(ids)) => TopicRef::Id(ids.real),
            (TopicRef::Id(_), None) => return Err(malformed()),
        };
        let body_at = LENGTH_PREFIX + request.header_len;
        let transactional_id = admitted.transactional_id.as_ref().map(|id| id.as_str());
        let unread = self.partner.buffered().get(body_at..).unwrap_or_default();
        let mapped = head.mapped(unread, transactional_id, &backing).map_err(|_| malformed())?;
        self.partner.skip(body_at + head.len);
        let mut front = BytesMut::new();
        let flexible = is_flexible(request.header.api_key, request.header.version);
        request.header.put(&mut front, flexible, mapped.len() + rest)?;
        self.broker.push(&front).await?;
        self.broker.push(&mapped).await?;
        // An unacknowledged request is owed nothing. Any other is noted before its last byte leaves: not earlier, because a
        // partner that breaks off in the middle will get no answer.
        let mut owed = (head.acks != 0).then_some(awaited);
        let mut passing =
            Passing::new(self.partner, rest, self.shared.config.limits.frame_within).due(self.due);
        loop {
            match passing.advance(|chunk| tail.push(chunk)).await {
                Ok(true) => {
                    if passing.is_last()
                        && let Some(entry) = owed.take()
                    {
                        owe(&self.owed, self.broker, entry).await?;
                    }
                    match passing.take_last() {
                        Some(last) => self.broker.push_shared(last).await?,
                        None => self.broker.push(passing.chunk()).await?,
                    }
                }
                Ok(false) if tail.is_complete() => {
                    self.used.meter.produced([(&admitted.topic.alias, tail.take_counted())]);
                    return Ok(());
                }
                Ok(false) | Err(Broken::Body(_)) => return Err(malformed()),
                Err(Broken::Connection(close)) => return Err(close),
            }
        }
    }

    /// Reads past the records of a request that may not pass, and answers for each of its partitions.
    async fn refuse_produce(
        &mut self,
        request: &Incoming,
        started: Started,
        error: ResponseError,
    ) -> Result<(), Close> {
        let Started { head, mut tail, topic, rest } = started;
        self.partner.skip(LENGTH_PREFIX + request.header_len + head.len);
        let mut passing =
            Passing::new(self.partner, rest, self.shared.config.limits.frame_within).due(self.due);
        loop {
            match passing.advance(|chunk| tail.push(chunk)).await {
                Ok(true) => {}
                Ok(false) if tail.is_complete() => break,
                Ok(false) | Err(Broken::Body(_)) => return Err(malformed()),
                Err(Broken::Connection(close)) => return Err(close),
            }
        }
        if head.acks == 0 {
            return Err(Close::DeniedUnacknowledged);
        }
        let version = request.header.version;
        let body = produce::refused_response(version, key(&topic), tail.partitions(), error)
            .map_err(|refusal| Close::Refused { name: request.entry.name(), refusal })?;
        self.answer(request, &body).await
    }
}

fn key(topic: &TopicRef) -> Key<'_> {
    match topic {
        TopicRef::Name(name) => Key::Name(name),
        TopicRef::Id(id) => Key::Id(*id),
    }
}

fn malformed() -> Close {
    Close::Refused { name: "Produce", refusal: Refusal::MalformedRequest }
}
