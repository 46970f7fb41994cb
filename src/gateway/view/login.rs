//! Who may come in, and who has: the zones' entrances, what a login has proved, and what becomes of it.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use time::OffsetDateTime;

use super::super::sasl::Method;
use super::super::tls::{Chain, Rules};
use crate::policy::ZoneView;
use crate::sasl::Mechanism;
use crate::zone::{Authentication, Credential, IssuerName, KeyId, ZoneName};

/// Who a connection belongs to.
#[derive(Debug, Clone)]
pub(crate) struct Login {
    /// As the partner wrote it: the service account or the key id; for a token, its subject.
    pub(crate) user: String,
    pub(crate) zone: Arc<ZoneView>,
    pub(crate) proof: Proof,
    /// The certificate that has to be good beside what was proved, where the gateway wants one.
    pub(crate) beside: Option<Beside>,
    /// Where it came from.
    pub(crate) address: IpAddr,
    pub(crate) expires_at: Option<OffsetDateTime>,
}

impl Login {
    /// The same, with what has to be good beside it: it ends with whichever of both ends first.
    pub(crate) fn with(self, beside: Option<Beside>) -> Self {
        let ends = beside.as_ref().and_then(|beside| beside.ends);
        Self { expires_at: earlier(self.expires_at, ends), beside, ..self }
    }

    /// What was logged in with, as figures call it: a key id, or what no key id is.
    pub(crate) fn credential(&self) -> String {
        match &self.proof {
            Proof::Credential { key_id, .. } => key_id.to_string(),
            Proof::Token { .. } => format!("token:{}", self.user),
            Proof::Certificate(chain) => format!("certificate:{}", chain.fingerprint()),
        }
    }

    pub(crate) fn is_expired(&self, now: OffsetDateTime) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }
}

/// A certificate that was shown beside a login by SASL. Like what was proved it is asked again, as long as the connection lives,
/// whether it still counts.
#[derive(Debug, Clone)]
pub(crate) struct Beside {
    pub(crate) chain: Arc<Chain>,
    /// Another login on the same connection does not put it off.
    pub(crate) ends: Option<OffsetDateTime>,
}

/// The first of two ends, of which there may be none.
pub(super) fn earlier(one: Option<OffsetDateTime>, other: Option<OffsetDateTime>) -> Option<OffsetDateTime> {
    one.into_iter().chain(other).min()
}

/// What a login has proved. Each kind is asked again, as long as the connection lives, whether it still counts
/// ([`super::GatewayView::standing`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Proof {
    /// The secret of a credential that was issued here.
    Credential { key_id: KeyId, mechanism: Mechanism },
    /// The key of a certificate.
    Certificate(Arc<Chain>),
    /// A token of this issuer, by OAUTHBEARER. When it ends is when the login does.
    Token { issuer: IssuerName },
}

impl Proof {
    /// Whether it was proved by this mechanism: a connection keeps to the one that it came with.
    pub(crate) fn is_by(&self, method: Method) -> bool {
        match self {
            Self::Credential { mechanism, .. } => method == Method::Secret(*mechanism),
            Self::Token { .. } => method == Method::Token,
            Self::Certificate(_) => false,
        }
    }
}

/// For the log.
impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Credential { key_id, mechanism } => write!(f, "{key_id} by {mechanism}"),
            Self::Certificate(chain) => write!(f, "certificate {}", chain.fingerprint()),
            Self::Token { issuer } => write!(f, "a token of issuer {issuer}"),
        }
    }
}

/// What is left of a login at this moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing<'a> {
    /// The login's zone as it is now.
    pub(crate) zone: &'a Arc<ZoneView>,
    /// When the session ends unless it is renewed.
    pub(crate) ends: Option<OffsetDateTime>,
}

/// What is known of a connection before anybody has logged in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin<'a> {
    pub(crate) address: IpAddr,
    /// The zone that a host name has named.
    pub(crate) zone: Option<&'a ZoneName>,
}

impl Origin<'_> {
    /// Whether whoever comes like this is to know of the zone at all: it admits the address, and no other one was named.
    pub(super) fn finds(self, zone: &ZoneView) -> bool {
        zone.admits(self.address) && self.zone.is_none_or(|wanted| zone.name == *wanted)
    }
}

/// A zone, and how partners get into it.
#[derive(Debug)]
pub(crate) struct Entrance {
    pub(crate) zone: Arc<ZoneView>,
    pub(super) authentication: Authentication,
    /// Whose tokens open it, if any do.
    pub(super) issuer: Option<IssuerName>,
    /// The zone lets partners in at this time.
    pub(super) open: bool,
    /// What a certificate is held against; none where nobody logs in by one.
    pub(crate) rules: Option<Arc<Rules>>,
}

impl Entrance {
    /// Whether a login that was for this zone still finds it, and it is open to where the login came from.
    pub(super) fn is_of(&self, login: &Login) -> bool {
        self.open
            && self.zone.id == login.zone.id
            && self.zone.cluster == login.zone.cluster
            && self.zone.admits(login.address)
    }
}

/// A credential that a user name may prove, and what it opens.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    pub(crate) entrance: Arc<Entrance>,
    pub(crate) credential: Arc<Credential>,
    /// The user name is the key id, not the service account.
    pub(super) by_key_id: bool,
}

impl Candidate {
    /// Whether the zone accepts a proof by this mechanism under this user name. All credentials of a zone share its service
    /// account, and SCRAM must know before the proof which one is meant.
    pub(crate) fn proves_by(&self, mechanism: Mechanism) -> bool {
        (self.by_key_id || mechanism == Mechanism::Plain)
            && self
                .credential
                .mechanisms(self.entrance.authentication.mode)
                .any(|accepted| accepted == mechanism)
    }

    /// The login of whoever has proved it.
    pub(crate) fn login(&self, user: &str, mechanism: Mechanism, address: IpAddr) -> Login {
        Login {
            user: user.to_owned(),
            zone: Arc::clone(&self.entrance.zone),
            proof: Proof::Credential { key_id: self.credential.key_id.clone(), mechanism },
            beside: None,
            address,
            expires_at: self.credential.expires_at,
        }
    }
}
