//! Which client certificates a handshake lets through: those that the gateway or any zone could accept. Whose they are, and
//! whether that zone accepts them, is asked at the login, of resumed sessions too.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::ProducesTickets;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, OtherError, SignatureScheme};

use super::authorities::Authorities;
use super::chain::check_size;
use crate::kafka::tls::{TlsError, provider};

/// Authorities of handshakes at this time, and the key of their tickets: a session is not resumed that began under others, or
/// when nobody was asked for a certificate.
#[derive(Debug)]
struct Trust {
    /// None: clients are not asked for a certificate.
    authorities: Option<Authorities>,
    tickets: Arc<dyn ProducesTickets>,
}

impl Trust {
    fn new(authorities: Option<Authorities>) -> Result<Self, TlsError> {
        let tickets = rustls::crypto::ring::Ticketer::new();
        let tickets = tickets.map_err(|error| TlsError::Setup(error.to_string()))?;
        Ok(Self { authorities, tickets })
    }

    fn certificates(&self) -> &[CertificateDer<'static>] {
        self.authorities.as_ref().map_or(&[], Authorities::certificates)
    }
}

/// The trust of now, which handshakes read and the publisher of views replaces.
#[derive(Debug, Clone)]
pub(super) struct CurrentTrust(Arc<Mutex<Arc<Trust>>>);

impl CurrentTrust {
    pub(super) fn new() -> Result<Self, TlsError> {
        Ok(Self(Arc::new(Mutex::new(Arc::new(Trust::new(None)?)))))
    }

    fn get(&self) -> Arc<Trust> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on handshakes trust all of these, and tickets of another trust are worth nothing.
    pub(super) fn set<'a>(&self, all: impl Iterator<Item = &'a Authorities>) -> Result<(), TlsError> {
        let mut certificates: Vec<_> = all.flat_map(Authorities::certificates).cloned().collect();
        certificates.sort_unstable_by(|a, b| a.as_ref().cmp(b.as_ref()));
        certificates.dedup();
        if self.get().certificates() == certificates {
            return Ok(());
        }
        let some = !certificates.is_empty();
        let authorities =
            some.then(|| Authorities::new(certificates).map_err(TlsError::Setup)).transpose()?;
        let trust = Arc::new(Trust::new(authorities)?);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = trust;
        Ok(())
    }
}

/// Tickets of the trust of now.
impl ProducesTickets for CurrentTrust {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        self.get().tickets.lifetime()
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.get().tickets.encrypt(plain)
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        self.get().tickets.decrypt(cipher)
    }
}

/// Asks clients for a certificate while there is an authority that could have signed it.
#[derive(Debug)]
pub(super) struct ClientVerifier {
    trust: CurrentTrust,
    required: bool,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientVerifier {
    pub(super) fn new(trust: CurrentTrust, required: bool) -> Self {
        Self { trust, required, algorithms: provider().signature_verification_algorithms }
    }
}

impl ClientCertVerifier for ClientVerifier {
    fn offer_client_auth(&self) -> bool {
        self.required || self.trust.get().authorities.is_some()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.required
    }

    /// None: who may come in is nothing for strangers, and a client shows what it has.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        check_size(end_entity, intermediates)
            .map_err(|error| CertificateError::Other(OtherError(Arc::new(error))))?;
        let trust = self.trust.get();
        let authorities = trust.authorities.as_ref().ok_or(CertificateError::UnknownIssuer)?;
        authorities.verify((end_entity, intermediates), now)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
