//! SASL termination: how a partner proves a credential. Each step is a value that only the next token can be made from.

pub(crate) mod plain;
mod scram;
#[cfg(test)]
mod tests;

use time::OffsetDateTime;

use super::view::{GatewayView, Login, Origin};
use crate::sasl::Mechanism;

/// A login after its handshake: whose token is next.
#[derive(Debug)]
pub(crate) enum Attempt {
    /// PLAIN's only message.
    Plain,
    /// SCRAM's first message.
    Scram(Mechanism),
    /// SCRAM's last message: the proof.
    ScramProof(Box<scram::Challenge>),
}

/// What became of a token.
#[derive(Debug)]
pub(crate) enum Step {
    /// The partner must answer this.
    Challenge(Vec<u8>, Attempt),
    /// The credential is proved; this is the last message to the partner.
    Accepted(Vec<u8>, Login),
    /// Unknown, wrong, expired or malformed: who asks is not told which.
    Refused,
}

impl Attempt {
    pub(crate) fn new(mechanism: Mechanism) -> Self {
        match mechanism {
            Mechanism::Plain => Self::Plain,
            Mechanism::ScramSha256 | Mechanism::ScramSha512 => Self::Scram(mechanism),
        }
    }

    /// Takes the next token, with the logins as they are `now` for whoever comes from there. Some microseconds of work, whatever comes.
    pub(crate) fn advance(
        self,
        view: &GatewayView,
        origin: Origin<'_>,
        token: &[u8],
        now: OffsetDateTime,
    ) -> Step {
        let step = match self {
            // RFC 4616: the server's message is empty.
            Self::Plain => {
                plain::authenticate(view, origin, token, now).map(|login| Step::Accepted(Vec::new(), login))
            }
            Self::Scram(mechanism) => scram::challenge(mechanism, view, origin, token, now)
                .map(|(text, challenge)| Step::Challenge(text, Self::ScramProof(Box::new(challenge)))),
            Self::ScramProof(challenge) => {
                challenge.verify(view, token, now).map(|(text, login)| Step::Accepted(text, login))
            }
        };
        step.unwrap_or(Step::Refused)
    }
}
