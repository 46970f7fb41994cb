//! One connection of our own to one broker: connected, versions known, logged in.
//!
//! A metadata poller sends typed requests over it; the gateway takes the stream and relays.

mod error;
mod security;
mod session;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::ApiVersionsRequest;
use kafka_protocol::protocol::{Request, StrBytes};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

pub use self::error::ClientError;
pub use self::security::{SecurityError, UpstreamSecurity};
pub use self::session::{Link, Session};
use super::codec;
use super::control_shapes::API_VERSIONS_RESPONSE;
use super::features::Features;
use super::frame::{LENGTH_PREFIX, RequestHeader, ResponseHeader, response_length};
use super::sasl::Credentials;
use super::shape::{Shape, Versions};
use super::socket::Socket;
use super::tls::UpstreamTls;
use super::walker::Limits;
use crate::secret::Secret;

/// What brokers' metrics call this client (KIP-511).
const SOFTWARE: &str = "partner-zones";

/// The largest response that is read here. Metadata of 100 000 partitions takes some 5 MB.
const MAX_RESPONSE: usize = 64 * 1024 * 1024;
/// Before the broker has proved anything: versions and SASL tokens are small.
const MAX_EARLY_RESPONSE: usize = 1024 * 1024;
/// A peer that vanished is noticed within about two minutes, whether the line is silent or there is something to send: without
/// the last one, what is unacknowledged would keep the line for a quarter of an hour, probes or not.
const KEEPALIVE_AFTER: Duration = Duration::from_mins(1);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(10);
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED: Duration = Duration::from_mins(2);

const API_VERSIONS: i16 = 18;
const SASL_HANDSHAKE: i16 = 17;
const SASL_AUTHENTICATE: i16 = 36;

/// A broker connection that is ready for requests.
#[derive(Debug)]
pub struct Connection {
    stream: Socket,
    client_id: String,
    correlation_id: i32,
    /// What one request may take.
    within: Duration,
    max_response: usize,
    limits: Limits,
    versions: BTreeMap<i16, Versions>,
    /// None where no login was asked for.
    session: Option<Session>,
}

impl Connection {
    /// Connects to `address` (`host:port`), secures the connection, asks for the broker's versions and logs in, all of it `within`
    /// this time.
    /// Each later request has the same time for itself.
    pub async fn connect(
        address: &str,
        security: &UpstreamSecurity,
        client_id: &str,
        within: Duration,
    ) -> Result<Self, ClientError> {
        let deadline = Instant::now() + within;
        let ready = async {
            let stream = open(address, security).await?;
            Self::begin(stream, security.sasl.as_ref(), client_id, within).await
        };
        timeout_at(deadline, ready).await.unwrap_or(Err(ClientError::TimedOut(within)))
    }

    /// The same over a socket that is connected, and secured if it has to be.
    pub async fn over(
        stream: Socket,
        login: Option<&Credentials>,
        client_id: &str,
        within: Duration,
    ) -> Result<Self, ClientError> {
        let ready = Self::begin(stream, login, client_id, within);
        timeout(within, ready).await.unwrap_or(Err(ClientError::TimedOut(within)))
    }

    async fn begin(
        stream: Socket,
        login: Option<&Credentials>,
        client_id: &str,
        within: Duration,
    ) -> Result<Self, ClientError> {
        let mut connection = Self {
            stream,
            client_id: client_id.to_owned(),
            correlation_id: 0,
            within,
            max_response: MAX_EARLY_RESPONSE,
            limits: Limits::default(),
            versions: BTreeMap::new(),
            session: None,
        };
        connection.ask_versions().await?;
        if let Some(credentials) = login {
            connection.log_in(credentials).await?;
        }
        connection.max_response = MAX_RESPONSE;
        Ok(connection)
    }

    /// Logs in by a token (OAUTHBEARER) on a connection without a login. Nothing renews it.
    pub async fn present(&mut self, token: &Secret<String>) -> Result<(), ClientError> {
        let within = self.within;
        let version = self.login_version()?;
        let told = timeout(within, session::present(token, version, self)).await;
        told.unwrap_or(Err(ClientError::TimedOut(within)))
    }

    /// Connects to the first of these addresses that answers. `within` is the time for each of them.
    ///
    /// # Errors
    /// What the last of them had against it.
    pub async fn connect_any(
        addresses: impl Iterator<Item = &str>,
        security: &UpstreamSecurity,
        client_id: &str,
        within: Duration,
    ) -> Result<Self, ClientError> {
        let mut last = ClientError::TimedOut(within);
        for address in addresses {
            match Self::connect(address, security, client_id, within).await {
                Ok(connection) => return Ok(connection),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Takes answers of this many array elements from now on: a cluster's ACLs are more than anything that partners see.
    #[must_use]
    pub fn taking(mut self, elements: u32) -> Self {
        self.limits.elements = elements;
        self
    }

    /// The versions that the broker serves, per API key.
    pub fn broker_versions(&self) -> &BTreeMap<i16, Versions> {
        &self.versions
    }

    /// The highest version of an API that both the broker and `ours` have.
    pub fn common_version(&self, api_key: i16, ours: Versions) -> Option<i16> {
        Some(self.versions.get(&api_key)?.common(ours)?.last)
    }

    /// Sends one request and waits for its response, which `response` describes. Where the broker limits a session, it is renewed
    /// first when its end is near.
    ///
    /// After an error the connection is of no further use: where its stream stands is unknown.
    pub async fn request<M: Request>(
        &mut self,
        message: &M,
        version: i16,
        response: &'static Shape,
    ) -> Result<M::Response, ClientError> {
        let within = self.within;
        let exchange = async {
            if let Some(mut session) = self.session.take_if(|session| session.is_due(Instant::now())) {
                session.renew(self).await?;
                self.session = Some(session);
            }
            self.exchange(message, version, response).await
        };
        timeout_at(Instant::now() + within, exchange).await.unwrap_or(Err(ClientError::TimedOut(within)))
    }

    /// What the broker says of its cluster's features. Version 3 of ApiVersions has them; it leaves out those that start at
    /// level 0, which version 4 has too.
    pub async fn features(&mut self) -> Result<Features, ClientError> {
        let Some(version) = self.common_version(API_VERSIONS, Versions::new(3, 4)) else {
            return Ok(Features::default());
        };
        let request = ApiVersionsRequest::default()
            .with_client_software_name(StrBytes::from_static_str(SOFTWARE))
            .with_client_software_version(StrBytes::from_static_str(env!("CARGO_PKG_VERSION")));
        let answer = self.request(&request, version, &API_VERSIONS_RESPONSE).await?;
        match answer.error_code {
            0 => Ok(Features::of(&answer)),
            code => Err(ClientError::Refused { api: "ApiVersions", code }),
        }
    }

    /// The bare stream, and the login on it, if one was asked for. Nothing of a response is buffered in here: the next byte is a
    /// frame's first.
    pub fn into_parts(self) -> (Socket, Option<Session>) {
        (self.stream, self.session)
    }

    async fn exchange<M: Request>(
        &mut self,
        message: &M,
        version: i16,
        response: &'static Shape,
    ) -> Result<M::Response, ClientError> {
        self.correlation_id = self.correlation_id.wrapping_add(1);
        let body = codec::encode(message, version)?;
        let header = RequestHeader {
            api_key: M::KEY,
            version,
            correlation_id: self.correlation_id,
            client_id: Some(self.client_id.clone()),
        };
        let mut out = BytesMut::with_capacity(64 + body.len());
        header.put(&mut out, M::header_version(version) >= 2, body.len())?;
        out.extend_from_slice(&body);
        self.stream.write_all(&out).await.map_err(ClientError::from_read)?;
        self.stream.flush().await.map_err(ClientError::from_read)?;

        let frame = self.read_frame().await?;
        let header = ResponseHeader::of(response, version).read(&frame, frame.len())?;
        let Some((correlation_id, start)) = header else { return Err(ClientError::Closed) };
        if correlation_id != self.correlation_id {
            return Err(ClientError::Correlation);
        }
        Ok(codec::decode_lenient_within(response, version, frame.slice(start..), self.limits)?)
    }

    /// Reads one frame; its buffer grows as bytes arrive, not by what the length claims.
    async fn read_frame(&mut self) -> Result<Bytes, ClientError> {
        let mut prefix = [0; LENGTH_PREFIX];
        self.stream.read_exact(&mut prefix).await.map_err(ClientError::from_read)?;
        let len = response_length(prefix, self.max_response)?;
        let mut frame = Vec::new();
        let limit = u64::try_from(len).unwrap_or(u64::MAX);
        let read = (&mut self.stream).take(limit).read_to_end(&mut frame).await.map_err(ClientError::Lost)?;
        if read < len { Err(ClientError::Closed) } else { Ok(frame.into()) }
    }

    /// Version 0, which every broker answers.
    async fn ask_versions(&mut self) -> Result<(), ClientError> {
        let answer = self.exchange(&ApiVersionsRequest::default(), 0, &API_VERSIONS_RESPONSE).await?;
        if answer.error_code != 0 {
            return Err(ClientError::Refused { api: "ApiVersions", code: answer.error_code });
        }
        let ranges = answer.api_keys.iter();
        self.versions =
            ranges.map(|api| (api.api_key, Versions::new(api.min_version, api.max_version))).collect();
        Ok(())
    }

    async fn log_in(&mut self, credentials: &Credentials) -> Result<(), ClientError> {
        let token_version = self.login_version()?;
        self.session = Some(Session::open(credentials, token_version, self).await?);
        Ok(())
    }

    /// The version of SaslAuthenticate.
    fn login_version(&self) -> Result<i16, ClientError> {
        let handshake = self.common_version(SASL_HANDSHAKE, Versions::new(1, 1));
        let token = self.common_version(SASL_AUTHENTICATE, Versions::new(0, 1));
        handshake.and(token).ok_or(ClientError::NoSasl)
    }
}

impl Link for Connection {
    async fn ask<M: Request>(
        &mut self,
        message: &M,
        version: i16,
        response: &'static Shape,
    ) -> Result<M::Response, ClientError> {
        self.exchange(message, version, response).await
    }
}

/// A socket to the broker, secured as it is told.
async fn open(address: &str, security: &UpstreamSecurity) -> Result<Socket, ClientError> {
    let tls = match &security.tls {
        Some(tls) => Some(tls.client_config().await?),
        None => None,
    };
    let stream = TcpStream::connect(address).await.map_err(ClientError::Unreachable)?;
    configure(&stream).map_err(ClientError::Lost)?;
    let Some(tls) = tls else { return Ok(Socket::Plain(stream)) };
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let secured = UpstreamTls::handshake(tls, host, stream).await.map_err(ClientError::from_handshake)?;
    Ok(Socket::Tls(Box::new(secured)))
}

/// A broker's address as Metadata has it in two parts. An IPv6 address needs brackets before a port.
pub fn host_port(host: &str, port: i32) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// Sends small frames at once, and notices a peer that is gone.
pub fn configure(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_AFTER).with_interval(KEEPALIVE_EVERY);
    let socket = SockRef::from(stream);
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
    socket.set_tcp_keepalive(&keepalive)
}

#[cfg(test)]
mod tests;
