//! Why a partner's connection ended.

use thiserror::Error;

use super::api::Refusal;
use crate::kafka::frame::FrameError;
use crate::kafka::sasl::LoginFileError;

/// Closed set: each is one label of the metric and one line for the operator. A partner never sees these texts.
#[derive(Debug, Error)]
pub(crate) enum Close {
    #[error("the partner is done")]
    PartnerDone,
    #[error("the broker closed the connection")]
    BrokerDone,
    #[error("the partner is gone: {0}")]
    PartnerGone(std::io::Error),
    #[error("the broker is gone: {0}")]
    BrokerGone(std::io::Error),
    #[error("no request for {0} s")]
    Idle(u64),
    #[error("the gateway shuts down")]
    Shutdown,
    #[error(
        "no cluster has been reached yet, so it is not known what to offer; see the errors about the cluster"
    )]
    NotReady,
    #[error(
        "there are as many connections as there may be, or as many of this address that have not logged in"
    )]
    Crowded,
    #[error(
        "no usable PROXY header: {0}; let the balancer send one (send-proxy-v2 with HAProxy), or take its address out of gateway.proxyProtocol.from"
    )]
    ProxyHeader(&'static str),
    #[error(
        "a PROXY header from an address that gateway.proxyProtocol.from does not name; add the balancer's address, or let it send none"
    )]
    UnexpectedProxyHeader,
    #[error("not authenticated within {0} s")]
    AuthenticationTimeout(u64),
    #[error("login refused")]
    AuthenticationFailed,
    #[error(
        "the client asked for a SASL mechanism other than PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512, or for OAUTHBEARER, for which no issuer is configured"
    )]
    Mechanism,
    #[error(
        "SaslHandshake version 0, whose tokens are not framed, is not served; the partner's client is older than Kafka 1.0"
    )]
    OldHandshake,
    #[error(
        "a request (API key {0}) came before the login was complete; the partner's client needs SASL: security.protocol=SASL_SSL where the gateway has TLS, else SASL_PLAINTEXT; or, for a zone of type MTLS, a certificate"
    )]
    NotAuthenticated(i16),
    #[error(
        "a TLS client on a port without TLS; the partner's client needs security.protocol=SASL_PLAINTEXT"
    )]
    TlsOnPlainPort,
    #[error(
        "{0} on a port with TLS; a partner's client needs security.protocol=SASL_SSL, a health check one that stops at connecting"
    )]
    PlainOnTlsPort(&'static str),
    #[error("TLS: {0}")]
    Handshake(String),
    #[error("the client's certificate does not log in: {0}")]
    Certificate(String),
    #[error("a request of another kind ({0}) came in the middle of a login on an authenticated connection")]
    LoginOutOfOrder(&'static str),
    #[error("a login on an authenticated connection was for another zone or by another mechanism")]
    OtherIdentity,
    #[error("the broker wants a new login on the connection (connections.max.reauth.ms), and it failed: {0}")]
    Renewal(String),
    #[error(
        "zone {zone} lies on cluster {cluster}, this port serves another one; the client keeps addresses of the wrong bootstrap server"
    )]
    WrongCluster { zone: String, cluster: String },
    #[error("the zone or the credential is no longer served")]
    Revoked,
    #[error("the credential or token has expired")]
    Expired,
    #[error(
        "zone {0} has as many connections as a zone may have on one node; its partner may leak clients, or needs another gateway node"
    )]
    ZoneFull(String),
    #[error(
        "zone {0} has as many connections as its `maxConnections` allows this node; its partner needs fewer clients, or a higher limit"
    )]
    ConnectionLimit(String),
    #[error(
        "zone {0} opens more connections than its `maxConnectionRate` allows; its partner's clients may break off again and again"
    )]
    ConnectionRate(String),
    #[error("no broker can be reached: {0}")]
    NoBroker(String),
    #[error(
        "the zone's password on its cluster is made of the master key {0}, which this node does not have; give it that one as `masterKeyFile` or `previousMasterKeyFile`"
    )]
    MasterKey(String),
    #[error("the zone's login on its cluster: {0}")]
    LoginFile(LoginFileError),
    #[error("not a Kafka frame: {0}")]
    BadFrame(#[from] FrameError),
    #[error("the partner closed inside a frame")]
    CutFrame,
    #[error("the partner took too long to send a frame")]
    SlowFrame,
    #[error("a write made no progress for {0} s")]
    WriteStalled(u64),
    #[error("the partner took more than {0} s to read an answer that is held for it")]
    SlowReader(u64),
    #[error("API key {key} version {version} is not served here")]
    UnknownRequest { key: i16, version: i16 },
    #[error("API {name}: {refusal}")]
    Refused { name: &'static str, refusal: Refusal },
    #[error(
        "an unacknowledged produce was denied in part or whole; the connection is closed, as a broker does"
    )]
    DeniedUnacknowledged,
    #[error("the broker's answer does not fit: {0}")]
    BadAnswer(String),
    #[error(
        "no memory for a large frame came free in time: the zone has taken its share, or all of them together the whole; add a gateway node if honest partners see this"
    )]
    BudgetExhausted,
    #[error("the work on a frame was interrupted, by a shutdown or by a fault of this program")]
    Interrupted,
}

impl Close {
    /// The metric label.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::PartnerDone => "partner_done",
            Self::BrokerDone => "broker_done",
            Self::PartnerGone(_) => "partner_gone",
            Self::BrokerGone(_) => "broker_gone",
            Self::Idle(_) => "idle",
            Self::Shutdown => "shutdown",
            Self::NotReady => "not_ready",
            Self::Crowded => "too_many_connections",
            Self::ProxyHeader(_) => "proxy_header",
            Self::UnexpectedProxyHeader => "unexpected_proxy_header",
            Self::AuthenticationTimeout(_) => "authentication_timeout",
            Self::AuthenticationFailed => "authentication_failed",
            Self::Mechanism => "mechanism",
            Self::OldHandshake => "old_handshake",
            Self::NotAuthenticated(_) => "not_authenticated",
            Self::TlsOnPlainPort => "tls_on_plain_port",
            Self::PlainOnTlsPort(_) => "plain_on_tls_port",
            Self::Handshake(_) => "tls_handshake",
            Self::Certificate(_) => "certificate",
            Self::LoginOutOfOrder(_) => "login_out_of_order",
            Self::OtherIdentity => "other_identity",
            Self::Renewal(_) => "renewal",
            Self::WrongCluster { .. } => "wrong_cluster",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::ZoneFull(_) => "zone_full",
            Self::ConnectionLimit(_) => "connection_limit",
            Self::ConnectionRate(_) => "connection_rate",
            Self::NoBroker(_) => "no_broker",
            Self::MasterKey(_) => "master_key",
            Self::LoginFile(_) => "login_file",
            Self::BadFrame(_) => "bad_frame",
            Self::CutFrame => "cut_frame",
            Self::SlowFrame => "slow_frame",
            Self::WriteStalled(_) => "write_stalled",
            Self::SlowReader(_) => "slow_reader",
            Self::UnknownRequest { .. } => "unknown_request",
            Self::Refused { .. } => "refused",
            Self::DeniedUnacknowledged => "denied_unacknowledged",
            Self::BadAnswer(_) => "bad_answer",
            Self::BudgetExhausted => "budget_exhausted",
            Self::Interrupted => "interrupted",
        }
    }

    /// Whether an operator should look: the ordinary ends of a connection are not worth a warning.
    pub(crate) fn is_remarkable(&self) -> bool {
        !matches!(
            self,
            Self::PartnerDone
                | Self::BrokerDone
                | Self::PartnerGone(_)
                | Self::Idle(_)
                | Self::Shutdown
                | Self::Crowded
                | Self::DeniedUnacknowledged
        )
    }
}
