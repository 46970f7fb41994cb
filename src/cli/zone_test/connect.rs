//! From a name to a login, one step after the other.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::login::{Origin, Proof, Setup, host_and_port};
use super::report::{Report, What};
use super::words::Trouble;
use crate::cli::Failure;
use crate::kafka::client::{self, ClientError, Connection};
use crate::kafka::socket::Socket;
use crate::kafka::tls::{Showing, ShownCertificate, UpstreamTls};

/// What gateways see as the client id.
const CLIENT_ID: &str = "partner-zones-zone-test";
/// Addresses of one name that are tried.
const ADDRESSES: usize = 8;

/// Goes as far as it gets with one address; a connection if that is all the way.
pub(super) async fn reach(
    report: &mut Report,
    setup: &Setup,
    address: &str,
    within: Duration,
) -> Result<Option<Connection>, Failure> {
    let Some((host, port)) = host_and_port(address) else { return Ok(None) };
    let tls = setup.security.tls.as_ref();
    let Some(addresses) = report.step(What::Dns, host, resolved(host, port, setup.origin, within)).await?
    else {
        return skipped(report, address, What::Dns, tls.is_some());
    };
    let Some(stream) = report.step(What::Tcp, address, connected(&addresses, within)).await? else {
        return skipped(report, address, What::Tcp, tls.is_some());
    };
    let socket = match tls {
        None => Socket::Plain(stream),
        Some(tls) => match report.step(What::Tls, address, secured(tls, host, stream, within)).await? {
            Some(socket) => socket,
            None => return skipped(report, address, What::Tls, true),
        },
    };
    report.step(What::Login, address, logged_in(socket, setup, within)).await
}

/// What cannot be done any more.
fn skipped(
    report: &mut Report,
    address: &str,
    failed: What,
    has_tls: bool,
) -> Result<Option<Connection>, Failure> {
    let why = format!("{} failed", failed.names().0);
    let chain = [What::Dns, What::Tcp, What::Tls, What::Login];
    let behind = chain.into_iter().skip_while(|what| *what != failed).skip(1);
    for what in behind.filter(|what| has_tls || *what != What::Tls) {
        report.skip(what, address, &why)?;
    }
    Ok(None)
}

pub(super) async fn resolved(
    host: &str,
    port: u16,
    origin: Origin,
    within: Duration,
) -> Result<(Vec<SocketAddr>, String), Trouble> {
    let looked_up = timeout(within, lookup_host((host, port))).await;
    let found = looked_up.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()));
    let found = found.map_err(|error| Trouble::unresolved(host, origin, &error))?;
    let addresses: Vec<SocketAddr> = found.take(ADDRESSES).collect();
    let shown: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
    Ok((addresses, shown.join(", ")))
}

/// Takes the first address that answers, as clients do, and tells of those that do not.
async fn connected(addresses: &[SocketAddr], within: Duration) -> Result<(TcpStream, String), Trouble> {
    let each = within / u32::try_from(addresses.len().max(1)).unwrap_or(1);
    let (mut failed, mut last) = (Vec::new(), Trouble::silent_network(within));
    for address in addresses {
        last = match timeout(each, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                let others =
                    if failed.is_empty() { String::new() } else { format!(" (not {})", failed.join(", ")) };
                return Ok((stream, format!("connected to {address}{others}")));
            }
            Ok(Err(error)) => Trouble::of_connect(&error),
            Err(_) => Trouble::silent_network(each),
        };
        failed.push(format!("{address}: {}", last.cause));
    }
    if let [_, _, ..] = failed.as_slice() {
        last.cause = failed.join("; ");
    }
    Err(last)
}

async fn secured(
    tls: &UpstreamTls,
    host: &str,
    stream: TcpStream,
    within: Duration,
) -> Result<(Socket, String), Trouble> {
    let (showing, files) = (Showing::default(), tls.files().clone());
    let watched = showing.clone();
    let config = tokio::task::spawn_blocking(move || watched.client_config(&files)).await;
    let config = config.map_err(|error| Trouble::new(error.to_string(), "try again"))?;
    let config = config.map_err(|error| Trouble::of_files(&error))?;
    client::configure(&stream).map_err(|error| Trouble::of_connect(&error))?;
    let handshake = UpstreamTls::handshake(Arc::new(config), host, stream);
    let now = OffsetDateTime::now_utc();
    let shown = || showing.certificate().map(|certificate| told(&certificate, now));
    match timeout(within, handshake).await {
        Ok(Ok(stream)) => {
            let version = match stream.get_ref().1.protocol_version() {
                Some(rustls::ProtocolVersion::TLSv1_3) => "TLS 1.3",
                _ => "TLS 1.2",
            };
            let seen = format!("{version}, {}", shown().unwrap_or_default());
            Ok((Socket::Tls(Box::new(stream)), seen))
        }
        Ok(Err(error)) => {
            let mut trouble = Trouble::of_handshake(&error);
            trouble.cause.extend(shown().map(|shown| format!("; it shows a {shown}")));
            Err(trouble)
        }
        Err(_) => Err(Trouble::silent_handshake(within)),
    }
}

fn told(certificate: &ShownCertificate, now: OffsetDateTime) -> String {
    let ShownCertificate { names, issuer, not_after, chain } = certificate;
    let names = if names.is_empty() { "no host".to_owned() } else { names.join(", ") };
    let days = (*not_after - now).whole_days();
    let left = if *not_after < now { "over".to_owned() } else { format!("{days} days left") };
    let chain =
        if *chain == 1 { "alone".to_owned() } else { format!("with {} more", chain.saturating_sub(1)) };
    format!("certificate for {names}, by {issuer}, until {} ({left}), {chain}", not_after.date())
}

async fn logged_in(socket: Socket, setup: &Setup, within: Duration) -> Result<(Connection, String), Trouble> {
    let login = setup.security.sasl.as_ref();
    let opened = async {
        let mut connection = Connection::over(socket, login, CLIENT_ID, within).await?;
        if let Proof::Token(token) = &setup.proof {
            connection.present(token).await?;
        }
        Ok(connection)
    };
    let connection = opened.await.map_err(|error: ClientError| Trouble::of_login(&error, setup))?;
    let seen = match (&setup.proof, login) {
        (Proof::Token(_), _) => "by OAUTHBEARER".to_owned(),
        (Proof::Certificate, _) => "by the client certificate".to_owned(),
        (_, Some(login)) => format!("as {} by {}", login.username, login.mechanism),
        (_, None) => "without a log-in".to_owned(),
    };
    Ok((connection, seen))
}

/// All of it at once, for an address that Metadata names.
pub(super) async fn open(address: &str, setup: &Setup, within: Duration) -> Result<Connection, ClientError> {
    let opened = async {
        let mut connection = Connection::connect(address, &setup.security, CLIENT_ID, within).await?;
        if let Proof::Token(token) = &setup.proof {
            connection.present(token).await?;
        }
        Ok(connection)
    };
    timeout(within, opened).await.unwrap_or(Err(ClientError::TimedOut(within)))
}
