//! Partner → broker: one request at a time, each mapped with the view of its moment.

mod adding;
mod held;
mod kept;
mod login;
mod produce;

use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use self::login::is_login;
use super::addresses::Brokers;
use super::allowance::Seat;
use super::api::{self, Entry, Exchange, Outcome, Respond, offset_commit, txn_offset_commit};
use super::budget::Reservation;
use super::close::Close;
use super::editing::AT_ONCE;
use super::inflight::{Awaited, InFlight};
use super::login::{Dialogue, Identity};
use super::memory::Memory;
use super::metrics::Direction;
use super::shared::{Port, Shared};
use super::traffic::Pace;
use super::transport::{Inbound, Outbound};
use super::usage::Used;
use crate::kafka::client::Session;
use crate::kafka::frame::{LENGTH_PREFIX, RequestHeader, request_length};
use crate::kafka::stream::Rewritten;
use crate::policy::ZoneView;

/// One direction of an authenticated connection.
pub(crate) struct RequestLoop<'a, R, W> {
    pub(crate) shared: &'a Shared,
    pub(crate) port: &'a Port,
    pub(crate) identity: &'a Identity,
    pub(crate) used: &'a Used,
    /// A login that the partner has begun on this connection.
    pub(crate) dialogue: Option<Dialogue>,
    /// Our login on the broker's connection.
    pub(crate) session: Option<Session>,
    pub(crate) seat: &'a Seat,
    pub(crate) pace: &'a Pace,
    pub(crate) memory: &'a Mutex<Memory>,
    pub(crate) partner: &'a mut Inbound<R>,
    pub(crate) broker: &'a mut Outbound<W>,
    pub(crate) owed: mpsc::Sender<Box<InFlight>>,
    /// Bytes that requests of this connection may leave here until they are answered.
    pub(crate) kept: Arc<Semaphore>,
    pub(crate) cancel: &'a CancellationToken,
    /// When this connection ends because the process does, once it has been told to.
    pub(crate) leave_at: Option<Instant>,
    /// When the frame that is being read has to be complete.
    pub(crate) due: Instant,
}

/// A request whose header has been read.
struct Incoming {
    header: RequestHeader,
    entry: &'static Entry,
    /// Bytes of the frame behind its length prefix, and of the header among them.
    frame_len: usize,
    header_len: usize,
}

impl Incoming {
    fn fetches(&self) -> bool {
        self.entry.key() == api::fetch::REQUEST.api_key
    }

    fn commits(&self) -> bool {
        [offset_commit::REQUEST.api_key, txn_offset_commit::REQUEST.api_key].contains(&self.entry.key())
    }
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> RequestLoop<'_, R, W> {
    /// Runs until the partner is done or must be cut off. Dropping `owed` then tells the other direction to finish.
    pub(crate) async fn run(mut self) -> Close {
        loop {
            if let Err(close) = self.one().await {
                // What was already accepted still goes out: it may be unacknowledged records. The reason to close stands.
                let _ = self.broker.flush().await;
                return close;
            }
        }
    }

    async fn one(&mut self) -> Result<(), Close> {
        self.wait_for_first_byte().await?;
        if self.pace.left().is_some() {
            Box::pin(self.hold_back()).await?;
        }
        // Boxed: between two requests a connection holds no room for what serving one takes.
        Box::pin(self.serve()).await
    }

    async fn serve(&mut self) -> Result<(), Close> {
        let request = self.next_request().await?;
        self.shared.metrics.request(request.entry.name());
        self.used.by(request.header.client_id.as_deref());
        self.used.meter.requested();
        if request.commits() {
            self.used.meter.committed();
        }
        self.shared.metrics.relayed(Direction::Up, LENGTH_PREFIX + request.frame_len);
        if self.is_of_login(&request)? {
            let body = self.body(&request).await?;
            return Box::pin(self.log_in_again(&request, body)).await;
        }
        if request.fetches() && self.pace.owes_fetch() {
            Box::pin(self.wait_for_fetch()).await?;
        }
        self.renew_session().await?;
        self.charge(&request);
        if request.entry.key() == api::produce::REQUEST.api_key && self.pass_produce(&request).await? {
            return Ok(());
        }
        let room = self.room(&request).await?;
        let body = self.body(&request).await?;
        let outcome = self.handle(&request, body)?;
        self.carry_out(&request, outcome, room).await
    }

    /// Reads the header of the request that has begun, and looks it up in the table.
    async fn next_request(&mut self) -> Result<Incoming, Close> {
        let limits = &self.shared.config.limits;
        let begun = Instant::now();
        self.due = begun + limits.frame_within;
        self.need(LENGTH_PREFIX).await?;
        let prefix = self.partner.buffered().first_chunk().copied().unwrap_or_default();
        let frame_len = request_length(prefix, limits.produce_frame)?;
        self.due = begun + limits.frame_time(frame_len);
        let (header, header_len) = self.header(frame_len).await?;
        let unknown = Close::UnknownRequest { key: header.api_key, version: header.version };
        let Some(entry) = api::entry(header.api_key) else { return Err(unknown) };
        // A client may ask for an ApiVersions that we do not have, and is told which ones we do.
        if !entry.versions.contains(header.version) && !is_api_versions(entry) {
            return Err(unknown);
        }
        let request = Incoming { header, entry, frame_len, header_len };
        if is_login(&request) {
            request_length(prefix, limits.unauthenticated_frame)?;
        } else if entry.key() != api::produce::REQUEST.api_key {
            request_length(prefix, limits.control_frame)?;
        }
        Ok(request)
    }

    /// Between two requests: whatever waits for company is sent, and the connection may be idle or told to end.
    async fn wait_for_first_byte(&mut self) -> Result<(), Close> {
        let limits = &self.shared.config.limits;
        let leave_at = &mut self.leave_at;
        let mut moment =
            || *leave_at.get_or_insert_with(|| Instant::now() + limits.leave_within.mul_f64(rand::random()));
        if self.cancel.is_cancelled() && moment() <= Instant::now() {
            return Err(Close::Shutdown);
        }
        if !self.partner.buffered().is_empty() {
            return Ok(());
        }
        self.broker.flush().await?;
        let left = async {
            self.cancel.cancelled().await;
            sleep_until(moment()).await;
        };
        let idle = limits.idle;
        tokio::select! {
            biased;
            () = left => Err(Close::Shutdown),
            read = timeout(idle, self.partner.fill()) => match read {
                Err(_) => Err(Close::Idle(idle.as_secs())),
                Ok(Ok(0)) => Err(Close::PartnerDone),
                Ok(read) => read.map(drop),
            },
        }
    }

    async fn header(&mut self, frame_len: usize) -> Result<(RequestHeader, usize), Close> {
        loop {
            let frame = self.partner.buffered().get(LENGTH_PREFIX..).unwrap_or_default();
            if let Some(read) = RequestHeader::read(frame, frame_len, is_flexible)? {
                return Ok(read);
            }
            let more = self.partner.buffered().len() + 1;
            self.need(more).await?;
        }
    }

    /// Reads until `len` bytes of the frame are there. One byte now and then does not put off the moment it is due.
    async fn need(&mut self, len: usize) -> Result<(), Close> {
        if self.partner.buffered().len() >= len {
            return Ok(());
        }
        self.broker.flush().await?;
        match timeout_at(self.due, self.partner.fill_to(len)).await {
            Err(_) => Err(Close::SlowFrame),
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err(Close::CutFrame),
            Ok(Err(close)) => Err(close),
        }
    }

    /// Takes the request off the stream.
    async fn body(&mut self, request: &Incoming) -> Result<Bytes, Close> {
        let total = LENGTH_PREFIX + request.frame_len;
        self.need(total).await?;
        Ok(self.partner.take(total).split_off(LENGTH_PREFIX + request.header_len).freeze())
    }

    fn handle(&self, request: &Incoming, body: Bytes) -> Result<Outcome, Close> {
        let Incoming { header, entry, .. } = request;
        let refused = |refusal| Close::Refused { name: entry.name(), refusal };
        let (zone, brokers) = self.moment()?;
        if is_api_versions(entry) && !entry.versions.contains(header.version) {
            return api::api_versions::unsupported().map(Outcome::Answer).map_err(refused);
        }
        let starts = Arc::clone(&self.shared.starts.borrow());
        let adding = self.adding(request, &zone);
        let exchange = Exchange {
            version: header.version,
            view: &zone,
            brokers: &brokers,
            memory: self.memory,
            starts: &starts,
            quota: self.quota(request),
            adding,
        };
        (entry.handle)(&exchange, body).map_err(refused)
    }

    /// The zone and its cluster as they are now.
    fn moment(&self) -> Result<(Arc<ZoneView>, Arc<Brokers>), Close> {
        let view = self.shared.view();
        let zone = view.admitted(&self.identity.login()).ok_or(Close::Revoked)?;
        let brokers = view.brokers(zone, self.port).ok_or(Close::NotReady)?;
        Ok((Arc::clone(zone), Arc::clone(brokers)))
    }

    async fn carry_out(
        &mut self,
        request: &Incoming,
        outcome: Outcome,
        room: Option<Reservation>,
    ) -> Result<(), Close> {
        match outcome {
            Outcome::Answer(body) => {
                drop(room);
                self.answer(request, &body).await
            }
            Outcome::Forward { body, respond } => {
                self.await_answer(request, body.len(), respond, room).await?;
                self.forward(request, body).await
            }
            Outcome::ForwardEach { bodies, join } => {
                let sent = bodies.iter().map(Bytes::len).sum();
                let respond = Respond::Joined { parts: bodies.len(), join };
                self.await_answer(request, sent, respond, room).await?;
                for body in bodies {
                    self.forward(request, body.into()).await?;
                }
                Ok(())
            }
            Outcome::ForwardUnanswered { body, then_close } => {
                if let Some(body) = body {
                    self.forward(request, body.into()).await?;
                }
                if then_close { Err(Close::DeniedUnacknowledged) } else { Ok(()) }
            }
            Outcome::Edit { bytes, work } => {
                if bytes > AT_ONCE {
                    self.broker.flush().await?;
                }
                let edited = self.shared.editing.run(bytes, work).await?;
                let refused = |refusal| Close::Refused { name: request.entry.name(), refusal };
                let (outcome, tally) = edited.map_err(refused)?;
                self.shared.metrics.edited(Direction::Up, &tally);
                Box::pin(self.carry_out(request, outcome, room)).await
            }
        }
    }

    /// Notes that the broker owes an answer. Before it is asked: it may answer before the write returns.
    async fn await_answer(
        &mut self,
        request: &Incoming,
        sent: usize,
        respond: Respond,
        room: Option<Reservation>,
    ) -> Result<(), Close> {
        let whole = request.frame_len.saturating_sub(request.header_len);
        let kept = self.keep_rest(request, whole, sent, room).await?;
        if matches!(respond, Respond::Fetch(_)) {
            self.pace.fetch_sent();
        }
        let awaited = Awaited {
            correlation_id: request.header.correlation_id,
            response: request.entry.response,
            version: request.header.version,
            respond,
            kept,
        };
        owe(&self.owed, self.broker, InFlight::Awaited(awaited)).await
    }

    async fn forward(&mut self, request: &Incoming, body: Rewritten) -> Result<(), Close> {
        let mut head = BytesMut::with_capacity(64);
        let flexible = is_flexible(request.header.api_key, request.header.version);
        request.header.put(&mut head, flexible, body.len())?;
        self.broker.push(&head).await?;
        for piece in body.pieces() {
            self.broker.push_shared(piece).await?;
        }
        Ok(())
    }
}

/// Queues an owed answer. A full queue is the partner's backpressure; what waits to be sent must not wait behind it.
async fn owe<W: AsyncWrite + Unpin>(
    owed: &mpsc::Sender<Box<InFlight>>,
    broker: &mut Outbound<W>,
    entry: InFlight,
) -> Result<(), Close> {
    let entry = match owed.try_send(Box::new(entry)) {
        Ok(()) => return Ok(()),
        Err(mpsc::error::TrySendError::Full(entry) | mpsc::error::TrySendError::Closed(entry)) => entry,
    };
    broker.flush().await?;
    owed.send(entry).await.map_err(|_| Close::BrokerDone)
}

fn is_api_versions(entry: &Entry) -> bool {
    entry.key() == api::api_versions::REQUEST.api_key
}

/// Header v2. An unknown key is refused right after its header.
fn is_flexible(key: i16, version: i16) -> bool {
    api::entry(key).is_some_and(|entry| entry.request.is_flexible(version))
}
