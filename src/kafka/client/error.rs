//! What can go wrong on a connection of our own, for an operator to read.

use std::io;
use std::time::Duration;

use thiserror::Error;

use crate::kafka::codec::{DecodeError, EncodeError};
use crate::kafka::frame::FrameError;
use crate::kafka::sasl::ScramError;
use crate::kafka::tls::{self, TlsError};

/// Why a broker could not be used.
#[derive(Debug, Error)]
pub enum ClientError {
    #[error("the broker cannot be reached: {0}; check address and network")]
    Unreachable(#[source] io::Error),
    #[error("no answer within {}; check that the address is a kafka listener that this host may reach, and that security.protocol is its own", human(*.0))]
    TimedOut(Duration),
    #[error("TLS: {0}")]
    TlsFiles(#[from] TlsError),
    #[error("TLS with the broker: {0}")]
    Tls(String),
    #[error(
        "the broker closed the connection inside the TLS handshake; check that the listener's security.protocol is the configured one"
    )]
    TlsClosed,
    #[error("the connection was lost: {0}")]
    Lost(#[source] io::Error),
    #[error(
        "the broker closed the connection; check that the listener's security.protocol is the configured one"
    )]
    Closed,
    #[error("the broker's answer is not a kafka response: {0}")]
    Frame(#[from] FrameError),
    #[error("the broker's answer is not understood: {0}")]
    Decode(#[from] DecodeError),
    #[error(transparent)]
    Encode(#[from] EncodeError),
    #[error("the broker answered another request than the one that was sent")]
    Correlation,
    #[error("the broker refused {api} with error code {code}")]
    Refused { api: &'static str, code: i16 },
    #[error("the listener does not offer sasl; set security.protocol to PLAINTEXT or use another listener")]
    NoSasl,
    #[error("the broker does not offer {wanted}, only {}; change sasl.mechanism", .offered.join(", "))]
    Mechanism { wanted: &'static str, offered: Vec<String> },
    #[error(
        "the broker refused the login (error code {code}): {reason}; check sasl.username and sasl.password"
    )]
    Authentication { code: i16, reason: String },
    #[error("the scram login failed: {0}")]
    Scram(#[from] ScramError),
}

impl ClientError {
    /// An end where a frame should begin is the broker's decision, not a fault of the network.
    pub(super) fn from_read(error: io::Error) -> Self {
        // A broker that refuses our certificate says so behind the handshake (TLS 1.3).
        if let Some(told) = tls::explain(&error) {
            return Self::Tls(told);
        }
        if error.kind() == io::ErrorKind::UnexpectedEof { Self::Closed } else { Self::Lost(error) }
    }

    pub(super) fn from_handshake(error: io::Error) -> Self {
        match tls::explain(&error) {
            Some(told) => Self::Tls(told),
            None if error.kind() == io::ErrorKind::UnexpectedEof => Self::TlsClosed,
            None => Self::Lost(error),
        }
    }
}

fn human(duration: Duration) -> String {
    format!("{duration:?}")
}
