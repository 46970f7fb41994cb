//! TLS with partners: the handshake, the certificate that is replaced without a restart, the host name that was asked for, and the
//! certificates that clients show.

mod authorities;
mod chain;
mod trust;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::{AlertDescription, CertificateError, ServerConfig};
use tokio::net::TcpStream;
use tokio::sync::{Notify, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use self::authorities::{Authorities, Clients};
pub(crate) use self::authorities::{Refused, Rules};
pub(crate) use self::chain::Chain;
use self::trust::{ClientVerifier, CurrentTrust};
use super::close::Close;
use super::metrics::Metrics;
use super::proxied;
use super::shared::{Port, Shared};
use crate::kafka::socket::Socket;
use crate::kafka::tls::{FromFiles, Refreshed, TlsError, certificates, private_key, provider};
use crate::policy::PrincipalMapping;
use crate::zone::Certificates;

/// How often files are looked at. Whoever cannot wait sends SIGHUP.
const LOOK: Duration = Duration::from_secs(2);

/// Handshakes at a time; the others wait their turn, within their own time limit. Each holds up to 64 KiB of a stranger's bytes.
const HANDSHAKES: usize = 1024;

/// What a handshake may take once it has its turn, so that clients who say nothing do not keep the others waiting. It is two
/// round trips.
const TURN: Duration = Duration::from_secs(3);

/// Where the gateway's own certificate is, and what it wants of partners'.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate and what leads from it to the authority, in PEM form.
    pub certificate: PathBuf,
    pub key: PathBuf,
    pub clients: ClientCertificates,
}

/// What the gateway wants of partners' certificates.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientCertificates {
    /// Authorities of partners whose zones name none.
    pub ca: Option<PathBuf>,
    pub auth: ClientAuth,
    /// Fingerprints of certificates that are not taken any more, one on each line.
    pub revoked: Option<PathBuf>,
    /// Whose a certificate is.
    pub mapping: PrincipalMapping,
}

/// Whether a partner needs a certificate, as Kafka's `ssl.client.auth`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ClientAuth {
    /// Who shows one has to show a good one.
    #[default]
    Requested,
    /// Nobody connects without one, and who logs in by SASL needs one of the gateway's own authorities.
    Required,
}

/// What partners' connections are secured with, as the files last said.
#[derive(Debug, Clone)]
pub struct ServerTls {
    material: Arc<FromFiles<Material>>,
    trust: CurrentTrust,
    auth: ClientAuth,
    mapping: Arc<PrincipalMapping>,
    handshakes: Arc<Semaphore>,
    /// The files were read again.
    replaced: Arc<Notify>,
}

/// What the files hold.
#[derive(Debug)]
struct Material {
    config: Arc<ServerConfig>,
    clients: Arc<Clients>,
}

impl ServerTls {
    /// Reads the files; without good ones there is nothing to start with.
    pub fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let ClientCertificates { ca, auth, revoked, mapping } = files.clients.clone();
        let watched = [Some(files.certificate.clone()), Some(files.key.clone()), ca, revoked];
        let trust = CurrentTrust::new()?;
        let of_configs = trust.clone();
        let make = move || material(&files, &of_configs);
        let material = FromFiles::new(watched.into_iter().flatten().collect(), make);
        trust.set(material.get()?.clients.authorities.iter())?;
        Ok(Self {
            material: Arc::new(material),
            trust,
            auth,
            mapping: Arc::new(mapping),
            handshakes: Arc::new(Semaphore::new(HANDSHAKES)),
            replaced: Arc::default(),
        })
    }

    /// Whether a login by SASL needs a certificate of the gateway's authorities beside it.
    pub(crate) fn auth(&self) -> ClientAuth {
        self.auth
    }

    pub(crate) fn mapping(&self) -> &PrincipalMapping {
        &self.mapping
    }

    /// What a zone's certificates are held against: what was made before, if nothing is different now. Those of no zone are held
    /// against what a zone's are that names nothing.
    pub(crate) fn rules(
        &self,
        zone: &Certificates,
        before: Option<(&Certificates, &Arc<Rules>)>,
    ) -> Result<Arc<Rules>, String> {
        let Some(material) = self.material.current() else {
            return Err("the gateway's certificates are not read yet".to_owned());
        };
        let same = before.filter(|(was, rules)| *was == zone && rules.are_of(&material.clients));
        match same {
            Some((_, rules)) => Ok(Arc::clone(rules)),
            None => Rules::of_zone(zone, &material.clients).map(Arc::new),
        }
    }

    /// Lets certificates through the handshake that any of these could accept, or the gateway itself.
    pub(super) fn trust<'a>(&self, zones: impl Iterator<Item = &'a Arc<Rules>>) {
        let Some(material) = self.material.current() else { return };
        let of_zones = zones.map(|rules| rules.authorities());
        let all: Vec<&Authorities> = material.clients.authorities.iter().chain(of_zones).collect();
        if let Err(error) = self.trust.set(all.into_iter()) {
            tracing::error!(%error, "the authorities of clients' certificates stay as they were");
        }
    }

    /// Waits until the files have been read again.
    pub(super) async fn replaced(&self) {
        self.replaced.notified().await;
    }

    /// Takes new files when they change, and whenever `asked` to look. Connections that are open keep the gateway's certificate
    /// that they have; the client's own is judged again.
    pub(super) async fn follow(self, asked: Arc<Notify>, metrics: Metrics) {
        loop {
            let asked = tokio::select! {
                () = asked.notified() => true,
                () = sleep(LOOK) => false,
            };
            let material = Arc::clone(&self.material);
            let Ok(refreshed) = tokio::task::spawn_blocking(move || material.refresh(asked)).await else {
                continue;
            };
            match refreshed {
                Refreshed::Unchanged => {}
                Refreshed::Replaced => {
                    metrics.certificate("replaced");
                    self.replaced.notify_one();
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
        let Some(material) = self.material.current() else { return Err(Close::NotReady) };
        // Never closed, so there is always a turn.
        let _turn = self.handshakes.acquire().await.map_err(|_| Close::Shutdown)?;
        let acceptor = TlsAcceptor::from(Arc::clone(&material.config));
        let shaken = timeout(within, acceptor.accept(stream)).await;
        let late = |_| Close::Handshake(format!("the client did not go on with it for {within:?}"));
        shaken.map_err(late)?.map_err(|error| failed(&error))
    }
}

fn material(files: &TlsFiles, trust: &CurrentTrust) -> Result<Material, TlsError> {
    let clients = Clients::read(files.clients.ca.as_ref(), files.clients.revoked.as_ref())?;
    let config = server_config(files, trust)?;
    Ok(Material { config: Arc::new(config), clients: Arc::new(clients) })
}

fn server_config(files: &TlsFiles, trust: &CurrentTrust) -> Result<ServerConfig, TlsError> {
    let verifier = ClientVerifier::new(trust.clone(), files.clients.auth == ClientAuth::Required);
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::Setup(error.to_string()))?
        .with_client_cert_verifier(Arc::new(verifier));
    let (chain, key) = (certificates(&files.certificate)?, private_key(&files.key)?);
    let mut config = builder.with_single_cert(chain, key).map_err(|cause| TlsError::Pair {
        certificate: files.certificate.clone(),
        key: files.key.clone(),
        cause: cause.to_string(),
    })?;
    // Clients that come back are spared most of a handshake, if they are trusted as they were.
    config.ticketer = Arc::new(trust.clone());
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
            "the client shows no certificate, and gateway.tls.clientAuth wants one"
        }
        rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        ) => {
            "the client's certificate is not signed by an authority of gateway.tls.clientCaFile or of any zone of type MTLS \
             (spec.authenticationMode.ca)"
        }
        rustls::Error::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        ) => {
            "the client's certificate is not valid at this time; give the partner a new one, and see that clocks are right"
        }
        rustls::Error::InvalidCertificate(
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. },
        ) => "the client's certificate is not for clients; issue one whose extended key usage has clientAuth",
        // Ours alone, see `ClientVerifier`.
        rustls::Error::InvalidCertificate(CertificateError::Other(_)) => {
            "the client shows more certificates than are read; its own and what leads to the authority are enough"
        }
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
