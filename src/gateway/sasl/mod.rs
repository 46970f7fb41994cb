//! SASL termination: how a partner proves a credential. Each step is a value that only the next token can be made from.

mod bearer;
pub(crate) mod plain;
mod scram;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use time::OffsetDateTime;

pub(crate) use self::bearer::INVALID_TOKEN;
use super::issuers::Issuers;
use super::view::{GatewayView, Login, Origin};
use crate::sasl::Mechanism;

/// What a partner may prove itself by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    /// A secret of ours.
    Secret(Mechanism),
    /// Somebody else's token: OAUTHBEARER (RFC 7628).
    Token,
}

impl Method {
    /// All that there are. Where nobody's tokens are accepted, none are asked for.
    pub(crate) fn offered(issuers: &Issuers) -> impl Iterator<Item = Self> {
        let token = (!issuers.is_empty()).then_some(Self::Token);
        Mechanism::ALL.into_iter().map(Self::Secret).chain(token)
    }

    /// The registered name of its mechanism.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Secret(mechanism) => mechanism.name(),
            Self::Token => "OAUTHBEARER",
        }
    }
}

/// A login after its handshake: whose token is next.
#[derive(Debug)]
pub(crate) enum Attempt {
    /// PLAIN's only message.
    Plain,
    /// SCRAM's first message.
    Scram(Mechanism),
    /// SCRAM's last message: the proof.
    ScramProof(Box<scram::Challenge>),
    /// OAUTHBEARER's only message, if its token is good.
    Bearer(Arc<Issuers>),
    /// OAUTHBEARER's second message after a bad one: the client has been told, and says so.
    BearerRefused,
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

    /// Waits, for seconds at most, for what the next token needs that is not here yet.
    pub(crate) async fn prepare(&self, token: &[u8]) {
        if let (Self::Bearer(issuers), Some(message)) = (self, bearer::Message::parse(token)) {
            issuers.await_key(message.token).await;
        }
    }

    /// The name that the next token is to prove, if it says one. Nothing is known of it yet.
    pub(crate) fn claimed(&self, token: &[u8]) -> Option<String> {
        match self {
            Self::Plain => plain::claimed(token).map(str::to_owned),
            Self::ScramProof(challenge) => Some(challenge.user().to_owned()),
            Self::Scram(_) | Self::Bearer(_) | Self::BearerRefused => None,
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
            Self::Bearer(issuers) => {
                return match bearer::authenticate(&issuers, view, origin, token, now) {
                    Ok(login) => Step::Accepted(Vec::new(), login),
                    Err(()) => Step::Challenge(INVALID_TOKEN.into(), Self::BearerRefused),
                };
            }
            Self::BearerRefused => None,
        };
        step.unwrap_or(Step::Refused)
    }
}
