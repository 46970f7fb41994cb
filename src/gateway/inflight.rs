//! Requests that are owed an answer, in the order in which the answers must leave.

use bytes::{Bytes, BytesMut};

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::api::Respond;
use super::budget::Reservation;
use super::close::Close;
use crate::kafka::frame::ResponseHeader;
use crate::kafka::shape::Shape;

/// One owed answer. What is answered here waits in the same queue behind what a broker still owes: clients match answers
/// strictly in order. A request with acks=0 has no entry.
pub(crate) enum InFlight {
    /// Answered here: a whole frame.
    Ready {
        frame: Bytes,
        kept: Kept,
    },
    Awaited(Awaited),
    /// Asked by us: nothing of the answer goes to the partner.
    Own(Own),
}

/// A request of our own on a partner's connection to its broker.
pub(crate) struct Own {
    pub(crate) response: &'static Shape,
    pub(crate) version: i16,
    /// Takes the response's body.
    pub(crate) answer: oneshot::Sender<Bytes>,
}

impl Own {
    /// Answers come in order, so that the id need not be unlike the partner's.
    pub(crate) const CORRELATION_ID: i32 = -1;
}

/// What stays in memory between a request and its answer is counted until the answer is out, so that a partner who asks
/// and never reads cannot pile it up.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    _of_connection: Option<OwnedSemaphorePermit>,
    _of_process: Option<Reservation>,
}

impl Kept {
    /// Out of what this connection may keep ([`super::Limits::kept`]), and, if it is large, of what the process may hold.
    pub(crate) fn new(of_connection: OwnedSemaphorePermit, of_process: Option<Reservation>) -> Self {
        Self { _of_connection: Some(of_connection), _of_process: of_process }
    }
}

/// The broker answers. `respond` keeps the view that the request was mapped with.
pub(crate) struct Awaited {
    pub(crate) correlation_id: i32,
    pub(crate) response: &'static Shape,
    pub(crate) version: i16,
    pub(crate) respond: Respond,
    pub(crate) kept: Kept,
}

impl Awaited {
    pub(crate) fn header(&self) -> ResponseHeader {
        ResponseHeader::of(self.response, self.version)
    }
}

/// A response frame around a body.
pub(crate) fn response_frame(
    header: ResponseHeader,
    correlation_id: i32,
    body: &[u8],
) -> Result<Bytes, Close> {
    let mut frame = BytesMut::with_capacity(body.len() + 16);
    header.put(&mut frame, correlation_id, body.len())?;
    frame.extend_from_slice(body);
    Ok(frame.freeze())
}
