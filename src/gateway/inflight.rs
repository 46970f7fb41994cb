//! Requests that are owed an answer, in the order in which the answers must leave.

use bytes::{Bytes, BytesMut};

use super::api::Respond;
use super::close::Close;
use crate::kafka::frame::ResponseHeader;
use crate::kafka::shape::Shape;

/// One owed answer. What is answered here waits in the same queue behind what a broker still owes: clients match answers
/// strictly in order. A request with acks=0 has no entry.
pub(crate) enum InFlight {
    /// Answered here: a whole frame.
    Ready(Bytes),
    Awaited(Awaited),
}

/// The broker answers. `respond` keeps the view that the request was mapped with.
pub(crate) struct Awaited {
    pub(crate) correlation_id: i32,
    pub(crate) response: &'static Shape,
    pub(crate) version: i16,
    pub(crate) respond: Respond,
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
