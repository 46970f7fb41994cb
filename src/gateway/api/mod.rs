//! The closed table: one file per Kafka API key, each with its shapes, its versions and its treatment.
//!
//! What is not in the registry is not advertised, and refused.

use bytes::Bytes;
use thiserror::Error;

use super::addresses::Brokers;
use super::memory::Memory;
use crate::kafka::shape::{Shape, Versions};
use crate::policy::ZoneView;

/// One row of the table.
pub(crate) struct Entry {
    /// Request and response carry key and name.
    pub(crate) request: &'static Shape,
    pub(crate) response: &'static Shape,
    /// What we serve; advertised is what the broker serves of it.
    pub(crate) versions: Versions,
    pub(crate) handle: Handler,
}

/// Turns a request body that the walker has accepted into what happens with it.
pub(crate) type Handler = fn(&Exchange<'_>, Bytes) -> Result<Outcome, Refusal>;

/// What a handler may look at. The view is the one the response will be mapped with.
pub(crate) struct Exchange<'a> {
    pub(crate) version: i16,
    pub(crate) view: &'a std::sync::Arc<ZoneView>,
    pub(crate) brokers: &'a std::sync::Arc<Brokers>,
    pub(crate) memory: &'a std::sync::Mutex<Memory>,
}

/// What becomes of a request.
pub(crate) enum Outcome {
    /// Goes to the broker; its response comes back through `respond`.
    Forward { body: Bytes, respond: Respond },
    /// Goes to the broker, which will not answer (acks=0). With `then_close`, part of it was denied: the connection is
    /// closed after it, as a broker does.
    ForwardUnanswered { body: Option<Bytes>, then_close: bool },
    /// Answered here with this response body.
    Answer(Bytes),
}

/// Maps a response body that the walker has accepted.
pub(crate) type Respond = Box<dyn FnOnce(Bytes, &std::sync::Mutex<Memory>) -> Result<Bytes, Refusal> + Send>;

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
