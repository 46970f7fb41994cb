//! The certificate that a client has shown, with what leads from it to its authority.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::pki_types::CertificateDer;
use thiserror::Error;
use time::OffsetDateTime;

use super::authorities::{Refused, Rules};
use crate::kafka::socket::Socket;
use crate::policy::certificate::{self, NoSubject};
use crate::zone::Fingerprint;

/// Certificates that a client may show: its own, and as many as lead to any authority.
const LONGEST: usize = 10;

/// Bytes of all of them. A session ticket carries them too, and has to fit 64 KiB.
const LARGEST: usize = 24 << 10;

/// A client shows more than anybody needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the client shows more than {LONGEST} certificates, or more than {LARGEST} bytes of them")]
pub(super) struct TooLarge;

/// What a client may show at all.
pub(super) fn check_size(own: &CertificateDer<'_>, others: &[CertificateDer<'_>]) -> Result<(), TooLarge> {
    let bytes = own.len() + others.iter().map(|other| other.len()).sum::<usize>();
    if others.len() >= LONGEST || bytes > LARGEST { Err(TooLarge) } else { Ok(()) }
}

/// TLS has shown that the client has the key of the first one, on this connection or on the one that it resumes; nothing
/// else about them is settled by that.
#[derive(Debug)]
pub(crate) struct Chain {
    own: CertificateDer<'static>,
    others: Vec<CertificateDer<'static>>,
    /// Of all of them, its own first.
    fingerprints: Vec<Fingerprint>,
    /// The rules that it was found good by last: verifying signatures is too much for every request.
    accepted_by: Mutex<Option<Arc<Rules>>>,
}

/// Two connections of one client are as good as each other.
impl PartialEq for Chain {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprints == other.fingerprints
    }
}

impl Eq for Chain {}

impl Chain {
    /// What the client of this connection has shown; none if it has not.
    pub(crate) fn of(socket: &Socket) -> Option<Arc<Self>> {
        let Socket::Tls(stream) = socket else { return None };
        Self::new(stream.get_ref().1.peer_certificates()?).map(Arc::new)
    }

    fn new(certificates: &[CertificateDer<'_>]) -> Option<Self> {
        let (own, others) = certificates.split_first()?;
        check_size(own, others).ok()?;
        Some(Self {
            own: own.clone().into_owned(),
            others: others.iter().map(|other| other.clone().into_owned()).collect(),
            fingerprints: certificates.iter().map(|der| certificate::fingerprint(der)).collect(),
            accepted_by: Mutex::default(),
        })
    }

    /// Of the client's own certificate.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        self.fingerprints.first().copied().unwrap_or_else(|| certificate::fingerprint(&self.own))
    }

    pub(super) fn fingerprints(&self) -> &[Fingerprint] {
        &self.fingerprints
    }

    pub(super) fn parts(&self) -> (&CertificateDer<'static>, &[CertificateDer<'static>]) {
        (&self.own, &self.others)
    }

    /// Whose certificate it says it is.
    pub(crate) fn subject(&self) -> Result<String, NoSubject> {
        certificate::subject(&self.own)
    }

    /// When the first of them ends, of the others only what is still good: the client may show one that nobody needs.
    pub(crate) fn ends(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        let others = self.others.iter().filter_map(|der| certificate::not_after(der));
        others.filter(|end| *end > now).chain(certificate::not_after(&self.own)).min()
    }

    /// Whether it is good by these rules: looked at once for each set of them, and its end is another matter.
    pub(crate) fn judge(&self, rules: &Arc<Rules>) -> Result<(), Refused> {
        let mut accepted_by = self.accepted_by.lock().unwrap_or_else(PoisonError::into_inner);
        if accepted_by.as_ref().is_some_and(|before| Arc::ptr_eq(before, rules)) {
            return Ok(());
        }
        rules.judge(self, OffsetDateTime::now_utc())?;
        *accepted_by = Some(Arc::clone(rules));
        Ok(())
    }
}
