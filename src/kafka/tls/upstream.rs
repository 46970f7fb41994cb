//! TLS to a broker, from librdkafka's settings: `ssl.ca.location`, `ssl.certificate.location`, `ssl.key.location`,
//! `ssl.endpoint.identification.algorithm`.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_cert_signed_by_trust_anchor};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, TlsStream};

use super::{FromFiles, Refreshed, TlsError, authorities, certificates, private_key, provider};

/// Where the material of a cluster's connections is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamTlsFiles {
    /// The authorities that may sign a broker's certificate; the system's where none is named.
    pub ca: Option<PathBuf>,
    /// What we show a broker that asks: certificate and key.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// Whether a broker's certificate must be for the host that was connected to.
    pub verifies_host: bool,
}

/// How connections to one cluster are secured. Clones share what was read; files that change are read again.
#[derive(Debug, Clone)]
pub struct UpstreamTls {
    files: UpstreamTlsFiles,
    config: Arc<FromFiles<ClientConfig>>,
}

impl UpstreamTls {
    /// Reads nothing yet: a file that is missing now is reported by the first connection, and may be there for the next.
    pub fn new(files: UpstreamTlsFiles) -> Self {
        let (certificate, key) = files.identity.clone().unzip();
        let watched = [files.ca.clone(), certificate, key].into_iter().flatten().collect();
        let wanted = files.clone();
        let config = Arc::new(FromFiles::new(watched, move || client_config(&wanted)));
        Self { files, config }
    }

    pub fn files(&self) -> &UpstreamTlsFiles {
        &self.files
    }

    /// What a connection of this moment uses. Reading files may take a while: not on a thread that serves connections.
    pub(crate) async fn client_config(&self) -> Result<Arc<ClientConfig>, TlsError> {
        let config = Arc::clone(&self.config);
        let read = tokio::task::spawn_blocking(move || {
            if config.current().is_some()
                && let Refreshed::Refused(error) = config.refresh(false)
            {
                tracing::error!(%error, "new TLS files for a cluster cannot be used; going on with those from before");
            }
            config.get()
        });
        read.await.map_err(|error| TlsError::Setup(error.to_string()))?
    }

    /// The client side of a handshake with the broker at `host`.
    pub(crate) async fn handshake(
        config: Arc<ClientConfig>,
        host: &str,
        stream: TcpStream,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(host)
            .map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidInput, error))?;
        Ok(TlsConnector::from(config).connect(name, stream).await?.into())
    }
}

/// What `files` say, read now.
pub fn client_config(files: &UpstreamTlsFiles) -> Result<ClientConfig, TlsError> {
    client_config_with(files, |verifier| verifier)
}

/// As [`client_config`], with something around the verifier of servers' certificates.
pub(super) fn client_config_with(
    files: &UpstreamTlsFiles,
    around: impl FnOnce(Arc<dyn ServerCertVerifier>) -> Arc<dyn ServerCertVerifier>,
) -> Result<ClientConfig, TlsError> {
    let roots = Arc::new(match &files.ca {
        Some(path) => authorities(path)?,
        None => system_roots()?,
    });
    let setup = |error: &dyn std::fmt::Display| TlsError::Setup(error.to_string());
    let provider = provider();
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| setup(&error))?;
    let verifier: Arc<dyn ServerCertVerifier> = if files.verifies_host {
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider);
        verifier.build().map_err(|error| setup(&error))?
    } else {
        Arc::new(AnyHost { roots, provider })
    };
    let builder = builder.dangerous().with_custom_certificate_verifier(around(verifier));
    let Some((certificate, key)) = &files.identity else { return Ok(builder.with_no_client_auth()) };
    builder.with_client_auth_cert(certificates(certificate)?, private_key(key)?).map_err(|cause| {
        TlsError::Pair { certificate: certificate.clone(), key: key.clone(), cause: cause.to_string() }
    })
}

/// As OpenSSL finds them: `SSL_CERT_FILE`, `SSL_CERT_DIR`, or where the distribution keeps them.
fn system_roots() -> Result<RootCertStore, TlsError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let errors: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
        return Err(TlsError::NoSystemRoots(errors.join(", ")));
    }
    Ok(roots)
}

/// `ssl.endpoint.identification.algorithm: none`: the certificate's chain and dates count, its names do not.
#[derive(Debug)]
struct AnyHost {
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for AnyHost {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&certificate, &self.roots, intermediates, now, algorithms)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// What TLS says went wrong on a connection to a broker, with the setting to look at; none if it was not TLS.
pub fn explain(error: &std::io::Error) -> Option<String> {
    let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    let next = match error {
        rustls::Error::InvalidCertificate(wrong) => match wrong {
            // An authority that was made anew under its old name shows as a bad signature.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                "its certificate is signed by an authority that is not trusted here; name the right one with ssl.ca.location"
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "its certificate has expired; renew it on the broker"
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "its certificate is not valid yet; compare the clocks"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "its certificate is for another host; give it the broker's advertised host as a subject alternative name, or set \
                 ssl.endpoint.identification.algorithm to none"
            }
            _ => "its certificate cannot be accepted",
        },
        rustls::Error::InvalidMessage(_) => {
            "what answered does not speak TLS; is the listener one without TLS (security.protocol PLAINTEXT or SASL_PLAINTEXT)?"
        }
        rustls::Error::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::CertificateUnknown
            | AlertDescription::HandshakeFailure,
        ) => {
            "the broker wants a client certificate that it trusts; set ssl.certificate.location and ssl.key.location, or correct them"
        }
        _ => "the TLS handshake failed",
    };
    Some(format!("{next} ({error})"))
}

#[cfg(test)]
mod tests;
