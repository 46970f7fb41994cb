//! Whose certificates are accepted from clients, and what a certificate is held against.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{CertificateError, RootCertStore};
use thiserror::Error;
use time::OffsetDateTime;

use super::chain::Chain;
use crate::kafka::tls::{TlsError, certificates, provider};
use crate::zone::{Certificates, Fingerprint};

/// Authorities of clients' certificates. Never none.
#[derive(Debug, Clone)]
pub(crate) struct Authorities {
    certificates: Vec<CertificateDer<'static>>,
    verifier: Arc<dyn ClientCertVerifier>,
}

impl Authorities {
    /// The error says which certificate cannot be one, and why.
    pub(crate) fn new(certificates: Vec<CertificateDer<'static>>) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        for (index, certificate) in certificates.iter().enumerate() {
            roots.add(certificate.clone()).map_err(|error| format!("certificate {}: {error}", index + 1))?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
        let verifier = verifier.build().map_err(|error| error.to_string())?;
        Ok(Self { certificates, verifier })
    }

    pub(super) fn read(path: &Path) -> Result<Self, TlsError> {
        Self::new(certificates(path)?).map_err(|cause| TlsError::Authority { path: path.to_owned(), cause })
    }

    pub(super) fn certificates(&self) -> &[CertificateDer<'static>] {
        &self.certificates
    }

    /// Whether they vouch for the first certificate as a client's, by way of the others.
    pub(super) fn verify(
        &self,
        chain: (&CertificateDer<'_>, &[CertificateDer<'_>]),
        now: UnixTime,
    ) -> Result<(), rustls::Error> {
        self.verifier.verify_client_cert(chain.0, chain.1, now).map(drop)
    }
}

/// What the gateway's files say about clients' certificates.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    /// None without `gateway.tls.clientCaFile`.
    pub(crate) authorities: Option<Authorities>,
    /// Certificates that no zone takes any more.
    revoked: BTreeSet<Fingerprint>,
}

impl Clients {
    pub(super) fn read(ca: Option<&PathBuf>, revoked: Option<&PathBuf>) -> Result<Self, TlsError> {
        Ok(Self {
            authorities: ca.map(|path| Authorities::read(path)).transpose()?,
            revoked: revoked.map(|path| fingerprints(path)).transpose()?.unwrap_or_default(),
        })
    }
}

/// One on each line; `#` begins a comment.
fn fingerprints(path: &Path) -> Result<BTreeSet<Fingerprint>, TlsError> {
    const LARGEST: usize = 4 << 20;
    let refused = |cause: String| TlsError::Revoked { path: path.to_owned(), cause };
    let text = std::fs::read_to_string(path).map_err(|error| refused(error.to_string()))?;
    if text.len() > LARGEST {
        return Err(refused(format!("it has {} bytes, at most {LARGEST} are read", text.len())));
    }
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    let written = lines.enumerate().filter(|(_, line)| !line.is_empty());
    written
        .map(|(index, line)| {
            Fingerprint::try_from(line).map_err(|error| refused(format!("line {} {error}", index + 1)))
        })
        .collect()
}

/// Why a certificate does not count.
#[derive(Debug, Error)]
pub(crate) enum Refused {
    #[error("certificate {0} is revoked")]
    Revoked(Fingerprint),
    #[error("it is not accepted: {0}")]
    Untrusted(rustls::Error),
}

impl Refused {
    /// An authority that is not among those that count here.
    pub(crate) fn is_foreign(&self) -> bool {
        let foreign = [CertificateError::UnknownIssuer, CertificateError::BadSignature];
        matches!(self, Self::Untrusted(rustls::Error::InvalidCertificate(error)) if foreign.contains(error))
    }
}

/// What certificates of one zone are held against; or of no zone, those of connections that log in by SASL.
#[derive(Debug)]
pub(crate) struct Rules {
    authorities: Authorities,
    revoked: BTreeSet<Fingerprint>,
    gateway: Arc<Clients>,
}

impl Rules {
    /// The zone's own authorities, or the gateway's where it has none. Never both: a zone's partner is nobody elsewhere, and who
    /// is known to the gateway is nobody in a zone that names its authorities.
    pub(crate) fn of_zone(zone: &Certificates, gateway: &Arc<Clients>) -> Result<Self, String> {
        let authorities = if zone.ca.is_empty() {
            gateway.authorities.clone().ok_or(
                "spec.authenticationMode.type MTLS needs an authority for the partner's certificates; give it in \
                 spec.authenticationMode.ca, or set gateway.tls.clientCaFile",
            )?
        } else {
            let own = zone.ca.iter().map(|der| CertificateDer::from(der.to_vec())).collect();
            Authorities::new(own).map_err(|error| {
                format!("spec.authenticationMode.ca cannot be used, {error}; put the authority's certificate there")
            })?
        };
        Ok(Self { authorities, revoked: zone.revoked.clone(), gateway: Arc::clone(gateway) })
    }

    /// Whether they were made from this state of the gateway's files.
    pub(crate) fn are_of(&self, gateway: &Arc<Clients>) -> bool {
        Arc::ptr_eq(&self.gateway, gateway)
    }

    pub(crate) fn authorities(&self) -> &Authorities {
        &self.authorities
    }

    /// What the partner has shown before and what it shows now are judged alike: by the rules of now.
    pub(super) fn judge(&self, chain: &Chain, now: OffsetDateTime) -> Result<(), Refused> {
        let revoked =
            |print: &&Fingerprint| self.revoked.contains(*print) || self.gateway.revoked.contains(*print);
        if let Some(print) = chain.fingerprints().iter().find(revoked) {
            return Err(Refused::Revoked(*print));
        }
        let seconds = u64::try_from(now.unix_timestamp()).unwrap_or_default();
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        self.authorities.verify(chain.parts(), now).map_err(Refused::Untrusted)
    }
}
