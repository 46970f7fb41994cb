//! TLS with partners: the handshake, the certificate that is replaced without a restart, the host name that was asked for.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::server::WebPkiClientVerifier;
use rustls::{AlertDescription, CertificateError, ServerConfig};
use tokio::net::TcpStream;
use tokio::sync::{Notify, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::close::Close;
use super::metrics::Metrics;
use super::proxied;
use super::shared::{Port, Shared};
use crate::kafka::socket::Socket;
use crate::kafka::tls::{FromFiles, Refreshed, TlsError, authorities, certificates, private_key, provider};

/// How often files are looked at. Whoever cannot wait sends SIGHUP.
const LOOK: Duration = Duration::from_secs(2);

/// Handshakes at a time; the others wait their turn, within their own time limit. Each holds up to 64 KiB of a stranger's bytes.
const HANDSHAKES: usize = 1024;

/// What a handshake may take once it has its turn, so that clients who say nothing do not keep the others waiting. It is two
/// round trips.
const TURN: Duration = Duration::from_secs(3);

/// Where the gateway's own certificate is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate and what leads from it to the authority, in PEM form.
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// Authorities of partners' certificates: where it is set, nobody connects without one.
    pub client_ca: Option<PathBuf>,
}

/// What partners' connections are secured with, as the files last said.
#[derive(Debug, Clone)]
pub struct ServerTls {
    config: Arc<FromFiles<ServerConfig>>,
    handshakes: Arc<Semaphore>,
}

impl ServerTls {
    /// Reads the files; without good ones there is nothing to start with.
    pub fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let watched = [Some(files.certificate.clone()), Some(files.key.clone()), files.client_ca.clone()];
        let config = FromFiles::new(watched.into_iter().flatten().collect(), move || server_config(&files));
        config.get()?;
        Ok(Self { config: Arc::new(config), handshakes: Arc::new(Semaphore::new(HANDSHAKES)) })
    }

    /// Takes new files when they change, and whenever `asked` to look. Connections that are open keep what they have.
    pub(super) async fn follow(self, asked: Arc<Notify>, metrics: Metrics) {
        loop {
            let asked = tokio::select! {
                () = asked.notified() => true,
                () = sleep(LOOK) => false,
            };
            let config = Arc::clone(&self.config);
            let Ok(refreshed) = tokio::task::spawn_blocking(move || config.refresh(asked)).await else {
                continue;
            };
            match refreshed {
                Refreshed::Unchanged => {}
                Refreshed::Replaced => {
                    metrics.certificate("replaced");
                    tracing::info!("new connections get the certificate that was read just now");
                }
                Refreshed::Refused(error) => {
                    metrics.certificate("refused");
                    tracing::error!(%error, "the new certificate cannot be used; going on with the one from before");
                }
            }
        }
    }

    /// `within` is for the handshake itself, without the time until it has its turn.
    async fn handshake(&self, stream: TcpStream, within: Duration) -> Result<TlsStream<TcpStream>, Close> {
        let Some(config) = self.config.current() else { return Err(Close::NotReady) };
        // Never closed, so there is always a turn.
        let _turn = self.handshakes.acquire().await.map_err(|_| Close::Shutdown)?;
        let shaken = timeout(within, TlsAcceptor::from(config).accept(stream)).await;
        let late = |_| Close::Handshake(format!("the client did not go on with it for {within:?}"));
        shaken.map_err(late)?.map_err(|error| failed(&error))
    }
}

fn server_config(files: &TlsFiles) -> Result<ServerConfig, TlsError> {
    let setup = |error: &dyn std::fmt::Display| TlsError::Setup(error.to_string());
    let provider = provider();
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| setup(&error))?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(authorities(path)?), provider);
            builder.with_client_cert_verifier(verifier.build().map_err(|error| setup(&error))?)
        }
    };
    let (chain, key) = (certificates(&files.certificate)?, private_key(&files.key)?);
    let mut config = builder.with_single_cert(chain, key).map_err(|cause| TlsError::Pair {
        certificate: files.certificate.clone(),
        key: files.key.clone(),
        cause: cause.to_string(),
    })?;
    // Clients that come back are spared most of a handshake. A new configuration has new ticket keys: whom an old authority
    // had vouched for is verified anew.
    config.ticketer = rustls::crypto::ring::Ticketer::new().map_err(|error| setup(&error))?;
    Ok(config)
}

/// Secures an accepted connection, if this gateway uses TLS, and finds out what the partner connected to.
pub(super) async fn enter(shared: &Shared, stream: TcpStream, port: &Port) -> Result<(Socket, Port), Close> {
    let Some(tls) = &shared.config.tls else { return Ok((Socket::Plain(stream), port.clone())) };
    let within = shared.config.limits.authenticate_within;
    let secured = async {
        recognise(&stream).await?;
        tls.handshake(stream, TURN).await
    };
    let stream =
        timeout(within, secured).await.unwrap_or(Err(Close::AuthenticationTimeout(within.as_secs())))?;
    let (_, session) = stream.get_ref();
    shared.metrics.handshake(session.protocol_version());
    let host = session.server_name().zip(shared.config.sni.as_ref());
    let host = host.and_then(|(name, domain)| domain.read(name));
    let port = match (port, host) {
        (Port::Bootstrap, Some(host)) => Port::Zone { zone: host.zone, node: host.node },
        _ => port.clone(),
    };
    Ok((Socket::Tls(Box::new(stream.into())), port))
}

/// Looks at the first bytes without taking them: TLS says only "not TLS" of what else may come.
async fn recognise(stream: &TcpStream) -> Result<(), Close> {
    const HANDSHAKE: u8 = 0x16;
    let mut first = [0; 4];
    let length = stream.peek(&mut first).await.map_err(Close::PartnerGone)?;
    match first.get(..length).unwrap_or_default() {
        [] => Err(Close::PartnerDone),
        [HANDSHAKE, ..] => Ok(()),
        header if proxied::is_header(header) => Err(Close::UnexpectedProxyHeader),
        [b'A'..=b'Z', ..] => Err(Close::PlainOnTlsPort("an HTTP request")),
        // The high byte of a Kafka frame's length, which is never as large as the two above.
        [0, ..] => Err(Close::PlainOnTlsPort("a Kafka client without TLS")),
        _ => Err(Close::PlainOnTlsPort("something that is neither TLS nor Kafka")),
    }
}

/// What a failed handshake means for the operator, who has the partner on the telephone.
fn failed(error: &io::Error) -> Close {
    let Some(cause) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) else {
        return match error.kind() {
            io::ErrorKind::UnexpectedEof => Close::Handshake(
                "the client went away; if it goes on, it does not trust the certificate or is no TLS client"
                    .to_owned(),
            ),
            kind => Close::PartnerGone(kind.into()),
        };
    };
    let meaning = match cause {
        rustls::Error::AlertReceived(
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::DecryptError
            | AlertDescription::UnsupportedCertificate,
        ) => {
            "the client does not accept this gateway's certificate; give the partner its authority, and see that it is not expired and \
             covers the host that the client connects to"
        }
        rustls::Error::NoCertificatesPresented => {
            "the client shows no certificate, and gateway.tls.clientCaFile wants one"
        }
        rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        ) => "the client's certificate is not signed by an authority of gateway.tls.clientCaFile",
        rustls::Error::InvalidCertificate(_) => "the client's certificate cannot be accepted",
        rustls::Error::PeerIncompatible(_) => {
            "the client has no protocol version or cipher in common with this gateway, which has TLS 1.2 and 1.3"
        }
        _ => "the client does not follow the protocol",
    };
    Close::Handshake(format!("{meaning} ({cause})"))
}

#[cfg(test)]
mod tests;
