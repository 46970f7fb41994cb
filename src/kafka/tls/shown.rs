//! What a server shows in a TLS handshake, whether it is accepted or not: for whoever has to know why a client does not trust it.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use time::OffsetDateTime;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::upstream::client_config_with;
use super::{TlsError, UpstreamTlsFiles};

/// Names of a certificate that are told.
const NAMES: usize = 20;

/// A server's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownCertificate {
    /// The hosts that it is for.
    pub names: Vec<String>,
    pub issuer: String,
    pub not_after: OffsetDateTime,
    /// How many certificates came with it.
    pub chain: usize,
}

/// The certificates of one handshake, the server's own first.
#[derive(Debug, Clone, Default)]
pub struct Showing(Arc<Mutex<Vec<CertificateDer<'static>>>>);

impl Showing {
    /// What `files` say, read now, for one handshake that is watched.
    pub fn client_config(&self, files: &UpstreamTlsFiles) -> Result<ClientConfig, TlsError> {
        let noted = self.clone();
        client_config_with(files, move |inner| Arc::new(Watched { inner, noted }))
    }

    /// None if the handshake did not come to it, or what was shown is no certificate.
    pub fn certificate(&self) -> Option<ShownCertificate> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, own) = X509Certificate::from_der(all.first()?).ok()?;
        let names = own.subject_alternative_name().ok().flatten();
        let names = names.into_iter().flat_map(|it| &it.value.general_names).filter_map(name);
        Some(ShownCertificate {
            names: names.take(NAMES).collect(),
            issuer: own.issuer().to_string(),
            not_after: OffsetDateTime::from_unix_timestamp(own.validity().not_after.timestamp()).ok()?,
            chain: all.len(),
        })
    }
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from)).ok().map(|ip| ip.to_string())
        }
        _ => None,
    }
}

#[derive(Debug)]
struct Watched {
    inner: Arc<dyn ServerCertVerifier>,
    noted: Showing,
}

impl ServerCertVerifier for Watched {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let chain = std::iter::once(end_entity).chain(intermediates);
        *self.noted.0.lock().unwrap_or_else(PoisonError::into_inner) =
            chain.map(|certificate| certificate.clone().into_owned()).collect();
        self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
