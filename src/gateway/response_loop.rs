//! Broker → partner: answers leave in the order of their requests.

use std::sync::Mutex;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::allowance::Seat;
use super::api::fetch::{self, Hidden, Reply};
use super::api::{Refusal, Respond, produce};
use super::budget::Reservation;
use super::close::Close;
use super::editing::AT_ONCE;
use super::headers::{self, Place};
use super::inflight::{Awaited, InFlight, Own};
use super::memory::Memory;
use super::metrics::Direction;
use super::relay::{Broken, Passing};
use super::shared::Shared;
use super::traffic::{Pace, throttle_time};
use super::transport::{Inbound, Outbound};
use crate::kafka::frame::{LENGTH_PREFIX, ResponseHeader, response_length};
use crate::kafka::shape::Shape;
use crate::kafka::stream::{OneTopicHead, ResponseIdSwap, Rewritten, StreamError, TopicRef};
use crate::kafka::walker::WalkError;

/// How much memory a large response is worth, in frames: a Fetch is read and written, any other is all structure, and a
/// decoded element takes several times its bytes on the wire.
const COPIES: usize = 2;
const STRUCTURE: usize = 8;

/// The front of a Fetch response that is not held as a whole: what goes to the partner instead of the bytes `taken`, and the
/// editor of what follows them.
struct Front {
    mapped: BytesMut,
    taken: usize,
    editor: ResponseIdSwap,
}

/// A response whose header has been read, with the bytes of its frame behind the length prefix and of the header among them.
#[derive(Clone, Copy)]
struct Arriving {
    frame_len: usize,
    header_len: usize,
}

/// The other direction of an authenticated connection.
pub(crate) struct ResponseLoop<'a, R, W> {
    pub(crate) shared: &'a Shared,
    pub(crate) seat: &'a Seat,
    pub(crate) pace: &'a Pace,
    pub(crate) memory: &'a Mutex<Memory>,
    pub(crate) broker: &'a mut Inbound<R>,
    pub(crate) partner: &'a mut Outbound<W>,
    /// Boxed: a channel keeps room for 32 entries, on an idle connection too.
    pub(crate) owed: mpsc::Receiver<Box<InFlight>>,
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> ResponseLoop<'_, R, W> {
    /// Runs until nothing more can be owed ([`Close::PartnerDone`]) or the broker is done.
    pub(crate) async fn run(mut self) -> Close {
        loop {
            if let Err(close) = self.one().await {
                // Answers that are complete still reach the partner; the reason to close stands. Who did not read in time
                // gets no more of it.
                if !matches!(close, Close::SlowReader(_) | Close::WriteStalled(_)) {
                    let within = self.shared.config.limits.drain_within;
                    let _ = Box::pin(timeout(within, self.partner.flush())).await;
                }
                return close;
            }
        }
    }

    async fn one(&mut self) -> Result<(), Close> {
        let owed = self.next_owed().await?;
        if !matches!(*owed, InFlight::Ready { .. }) {
            self.wait_for_first_byte().await?;
        }
        // Boxed: while nothing is owed, or the broker takes its time, a connection holds no room for what an answer takes.
        Box::pin(self.settle(*owed)).await
    }

    async fn settle(&mut self, owed: InFlight) -> Result<(), Close> {
        match owed {
            InFlight::Ready { frame, kept } => {
                let sent = self.send(frame).await;
                drop(kept);
                sent
            }
            InFlight::Awaited(awaited) => self.relay(awaited).await,
            InFlight::Own(own) => self.keep(own).await,
        }
    }

    /// The head of the queue. While it is empty the broker is watched: it may close an idle connection.
    async fn next_owed(&mut self) -> Result<Box<InFlight>, Close> {
        match self.owed.try_recv() {
            Ok(entry) => return Ok(entry),
            Err(mpsc::error::TryRecvError::Disconnected) => return Err(Close::PartnerDone),
            Err(mpsc::error::TryRecvError::Empty) => self.partner.flush().await?,
        }
        tokio::select! {
            biased;
            entry = self.owed.recv() => entry.ok_or(Close::PartnerDone),
            read = self.broker.fill() => match read? {
                0 => Err(Close::BrokerDone),
                _ => Err(Close::BadAnswer("bytes that nobody asked for".to_owned())),
            },
        }
    }

    async fn relay(&mut self, awaited: Awaited) -> Result<(), Close> {
        let (header, due) = (awaited.header(), awaited.correlation_id);
        let arriving = self.arriving(header, due).await?;
        let Arriving { frame_len, header_len } = arriving;
        // How much of what is edited passes is known once it is.
        let is_edited = matches!(&awaited.respond, Respond::Fetch(reply) if reply.hides());
        if matches!(awaited.respond, Respond::Fetch(_)) && !is_edited {
            self.pace.fetch_answered(LENGTH_PREFIX + frame_len, &self.shared.metrics);
        }
        let throttled =
            if is_edited { None } else { self.throttle(awaited.response, awaited.version, arriving).await? };
        if frame_len > self.shared.config.limits.small_frame
            && let Respond::Fetch(reply) = &awaited.respond
            && reply.streams()
            && let Some(front) = self.front(reply, arriving).await?
        {
            self.broker.skip(LENGTH_PREFIX + header_len + front.taken);
            return self.pass_fetch(reply, front, (header, due), frame_len - header_len).await;
        }
        let worth = match &awaited.respond {
            Respond::Fetch(reply) if reply.hides() => self.seat.edited_worth(frame_len),
            Respond::Fetch(_) => COPIES,
            Respond::Whole(_) | Respond::Joined { .. } => STRUCTURE,
        };
        let (body, room) = self.whole(arriving, worth).await?;
        let (mut more, mut rooms) = (Vec::new(), Vec::new());
        for _ in 1..awaited.respond.parts() {
            let arriving = self.arriving(header, due).await?;
            let (body, room) = self.whole(arriving, worth).await?;
            more.push(body);
            rooms.extend(room);
        }
        let name = awaited.response.name;
        let Awaited { respond, kept, version, response, .. } = awaited;
        let refused = |refusal| Close::Refused { name, refusal };
        let mapped = match respond {
            Respond::Fetch(reply) if reply.hides() => self.hide(reply, frame_len, body).await?,
            respond => respond.whole(body, more, self.memory),
        };
        let mut mapped = mapped.map_err(refused)?;
        if let Some(ms) = throttled.filter(|_| response.api_key == produce::RESPONSE.api_key) {
            mapped = throttle_time::in_produce(version, &mapped, ms).map_err(refused)?;
        }
        self.send_around(header, due, &mapped).await?;
        drop((room, rooms, kept));
        Ok(())
    }

    /// Maps a Fetch response, and takes headers out of its records. What came is charged in full: a partner who asks again and again for
    /// what cannot be read costs as much as one who reads.
    async fn hide(
        &mut self,
        reply: Box<Reply>,
        frame_len: usize,
        body: Bytes,
    ) -> Result<Result<Rewritten, Refusal>, Close> {
        reply.begin(body.first_chunk().copied().unwrap_or_default(), self.memory);
        let room = if self.seat.edits(frame_len) { headers::room() } else { headers::no_room() };
        let (bytes, work) = match reply.hiding(body, room) {
            Ok(hiding) => hiding,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if bytes > AT_ONCE {
            self.partner.flush().await?;
        }
        let hidden = self.shared.editing.run(bytes, work).await?;
        Ok(hidden.map(|Hidden { body, tally }| {
            self.shared.metrics.edited(Direction::Down, &tally);
            tally.unreadable.into_iter().for_each(|place| self.tell(place));
            self.pace.fetch_answered(LENGTH_PREFIX + frame_len, &self.shared.metrics);
            Rewritten::from(match self.pace.throttle_time() {
                Some(ms) => throttle_time::in_fetch(body, ms),
                None => body,
            })
        }))
    }

    /// A client asks for such a batch again and again.
    fn tell(&self, Place { zone, backing, partition, cause }: Place) {
        let about = (zone.clone(), backing.clone(), partition);
        if let Some(unsaid) = self.shared.unreadable.is_due(about, Instant::now()) {
            tracing::warn!(
                %zone, topic = %backing, partition, %cause, unsaid,
                "a batch cannot be read, so that headers cannot be removed from it; its partner gets an error instead",
            );
        }
    }

    /// How many milliseconds the connection is held back, if it is; written in front of an answer that has its place for it there.
    async fn throttle(
        &mut self,
        response: &Shape,
        version: i16,
        arriving: Arriving,
    ) -> Result<Option<i32>, Close> {
        let Arriving { frame_len, header_len } = arriving;
        let Some(ms) = self.pace.throttle_time() else { return Ok(None) };
        if throttle_time::is_in_front(response, version) && frame_len >= header_len + throttle_time::LEN {
            let body_at = LENGTH_PREFIX + header_len;
            self.need(body_at + throttle_time::LEN).await?;
            throttle_time::raise(self.broker.buffered_mut().get_mut(body_at..).unwrap_or_default(), ms);
        }
        Ok(Some(ms))
    }

    /// The answer to a request of our own, which is small.
    async fn keep(&mut self, own: Own) -> Result<(), Close> {
        let header = ResponseHeader::of(own.response, own.version);
        let Arriving { frame_len, header_len } = self.arriving(header, Own::CORRELATION_ID).await?;
        if frame_len > self.shared.config.limits.small_frame {
            return Err(Close::BadAnswer(format!("{frame_len} bytes of {}", own.response.name)));
        }
        self.need(LENGTH_PREFIX + frame_len).await?;
        let frame = self.broker.take(LENGTH_PREFIX + frame_len);
        // Who asked may have given up; the answer has been taken from the stream all the same.
        let _ = own.answer.send(frame.freeze().slice(LENGTH_PREFIX + header_len..));
        Ok(())
    }

    /// Waits for a response and reads its header.
    async fn arriving(&mut self, header: ResponseHeader, due: i32) -> Result<Arriving, Close> {
        self.wait_for_first_byte().await?;
        self.need(LENGTH_PREFIX).await?;
        let prefix = self.broker.buffered().first_chunk().copied().unwrap_or_default();
        let frame_len = response_length(prefix, self.shared.config.limits.response_frame)
            .map_err(|error| Close::BadAnswer(error.to_string()))?;
        let header_len = self.header(header, due, frame_len).await?;
        Ok(Arriving { frame_len, header_len })
    }

    /// Reads the rest of a response. A large one takes its room first, `worth` so many frames.
    async fn whole(
        &mut self,
        arriving: Arriving,
        worth: usize,
    ) -> Result<(Bytes, Option<Reservation>), Close> {
        let Arriving { frame_len, header_len } = arriving;
        let room = if frame_len > self.shared.config.limits.small_frame {
            // Earlier answers may be read at leisure, but not while room is held for this one.
            Box::pin(self.partner.flush()).await?;
            Some(self.seat.reserve(frame_len * worth).await.map_err(|_| Close::BudgetExhausted)?)
        } else {
            None
        };
        if room.is_some() {
            self.broker.make_room(LENGTH_PREFIX + frame_len);
        }
        self.need(LENGTH_PREFIX + frame_len).await?;
        let mut frame = self.broker.take(LENGTH_PREFIX + frame_len);
        Ok((frame.split_off(LENGTH_PREFIX + header_len).freeze(), room))
    }

    /// Reads as much of a Fetch response as decides how long it becomes. `None`: it has to be read as a whole.
    async fn front(&mut self, reply: &Reply, arriving: Arriving) -> Result<Option<Front>, Close> {
        let (shape, version) = (&fetch::RESPONSE, reply.version());
        let body_at = LENGTH_PREFIX + arriving.header_len;
        let body_len = arriving.frame_len - arriving.header_len;
        self.need(body_at + Reply::HEAD).await?;
        if let Some(head) = self.broker.buffered().get(body_at..).and_then(<[u8]>::first_chunk) {
            reply.begin(*head, self.memory);
        }
        if !reply.names_topics() {
            let editor = ResponseIdSwap::new(shape, version, body_len);
            return Ok(Some(Front { mapped: BytesMut::new(), taken: 0, editor }));
        }
        loop {
            let here = self.broker.buffered().len().min(body_at + body_len);
            let unread = self.broker.buffered().get(body_at..here).unwrap_or_default();
            match OneTopicHead::read(shape, version, body_len, unread).map_err(bad)? {
                Some((head, tail)) => {
                    let Some(TopicRef::Name(backing)) = &head.topic else { return Ok(None) };
                    let Some(alias) = reply.shown_name(backing).filter(|_| head.topics == 1) else {
                        return Ok(None);
                    };
                    let editor = ResponseIdSwap::behind(TopicRef::Name(backing.clone()), tail);
                    let alias = TopicRef::Name(alias.to_owned());
                    let mapped = head.mapped(unread, None, &alias).map_err(bad)?;
                    return Ok(Some(Front { mapped, taken: head.len, editor }));
                }
                None => self.need(here + 1).await?,
            }
        }
    }

    /// Passes a Fetch response on as it arrives, behind its front.
    async fn pass_fetch(
        &mut self,
        reply: &Reply,
        front: Front,
        (header, due): (ResponseHeader, i32),
        body_len: usize,
    ) -> Result<(), Close> {
        let Front { mapped, taken, mut editor } = front;
        let rest = body_len - taken;
        let mut head = BytesMut::with_capacity(16 + mapped.len());
        header.put(&mut head, due, mapped.len() + rest)?;
        head.extend_from_slice(&mapped);
        self.shared.metrics.relayed(Direction::Down, head.len() + rest);
        self.partner.push(&head).await?;
        let mut passing = Passing::new(self.broker, rest, self.shared.config.limits.write_stall);
        loop {
            let shown = |real| reply.shown_id(real);
            let came = |topic: &TopicRef, counted| reply.count(topic, counted);
            match passing.advance(|chunk| editor.push(chunk, shown, came)).await {
                Ok(true) => match passing.take_last() {
                    Some(last) => self.partner.push_shared(last).await?,
                    None => self.partner.push(passing.chunk()).await?,
                },
                Ok(false) if editor.is_complete() => return Ok(()),
                Ok(false) | Err(Broken::Body(None)) => return Err(bad(WalkError::Truncated.into())),
                Err(Broken::Body(Some(error))) => return Err(bad(error)),
                Err(Broken::Connection(close)) => return Err(close),
            }
        }
    }

    /// Reads the header and checks that this is the answer to the head of the queue.
    async fn header(&mut self, header: ResponseHeader, due: i32, frame_len: usize) -> Result<usize, Close> {
        loop {
            let frame = self.broker.buffered().get(LENGTH_PREFIX..).unwrap_or_default();
            let read = header.read(frame, frame_len).map_err(|error| Close::BadAnswer(error.to_string()))?;
            match read {
                Some((id, header_len)) if id == due => return Ok(header_len),
                Some((id, _)) => {
                    return Err(Close::BadAnswer(format!("correlation id {id} where {due} is due")));
                }
                None => {
                    let more = self.broker.buffered().len() + 1;
                    self.need(more).await?;
                }
            }
        }
    }

    /// A broker may take its time to begin: a long poll, a rebalance.
    async fn wait_for_first_byte(&mut self) -> Result<(), Close> {
        if !self.broker.buffered().is_empty() {
            return Ok(());
        }
        self.partner.flush().await?;
        if self.broker.fill().await? == 0 { Err(Close::BrokerDone) } else { Ok(()) }
    }

    /// What it has begun it has to go on with.
    async fn need(&mut self, len: usize) -> Result<(), Close> {
        if self.broker.buffered().len() >= len {
            return Ok(());
        }
        self.partner.flush().await?;
        while self.broker.buffered().len() < len {
            self.broker.more(self.shared.config.limits.write_stall).await?;
        }
        Ok(())
    }

    async fn send(&mut self, frame: Bytes) -> Result<(), Close> {
        self.send_in_time(frame.len(), std::iter::once(frame)).await
    }

    /// Sends a body with a header in front.
    async fn send_around(
        &mut self,
        header: ResponseHeader,
        correlation_id: i32,
        body: &Rewritten,
    ) -> Result<(), Close> {
        let mut head = BytesMut::with_capacity(16);
        header.put(&mut head, correlation_id, body.len())?;
        let len = head.len() + body.len();
        self.send_in_time(len, std::iter::once(head.freeze()).chain(body.pieces())).await
    }

    /// Sends what is here as a whole. A large one takes room that is others' too: its reader has as long as a sender of it
    /// would have, however steadily it reads, and it is gone when this returns, for the least piece keeps all of it.
    async fn send_in_time(
        &mut self,
        len: usize,
        mut pieces: impl Iterator<Item = Bytes>,
    ) -> Result<(), Close> {
        let limits = &self.shared.config.limits;
        self.shared.metrics.relayed(Direction::Down, len);
        if len <= limits.small_frame {
            return self.push_all(&mut pieces).await;
        }
        let within = limits.frame_time(len);
        // Boxed, as all that is rare: an idle connection keeps no room for it.
        let sent = Box::pin(timeout(within, async {
            self.push_all(&mut pieces).await?;
            self.partner.flush().await
        }));
        sent.await.unwrap_or(Err(Close::SlowReader(within.as_secs())))
    }

    async fn push_all(&mut self, pieces: &mut impl Iterator<Item = Bytes>) -> Result<(), Close> {
        for piece in pieces {
            self.partner.push_shared(piece).await?;
        }
        Ok(())
    }
}

fn bad(error: StreamError) -> Close {
    Close::BadAnswer(error.to_string())
}
