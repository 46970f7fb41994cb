//! Why a step failed, and what to do next, in words for whoever runs the gateways or is their partner.

use std::io;
use std::time::Duration;

use rustls::{AlertDescription, CertificateError};

use super::login::{Origin, Proof, Setup};
use crate::kafka::client::ClientError;
use crate::kafka::tls::TlsError;
use crate::zone::format_duration;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) cause: String,
    pub(super) next: String,
}

impl Trouble {
    pub(super) fn new(cause: impl Into<String>, next: impl Into<String>) -> Self {
        Self { cause: cause.into(), next: next.into() }
    }

    pub(super) fn of_zone(standing: String) -> Self {
        Self::new(standing, "`reconciler get zone NAME` has its conditions, each with its reason")
    }

    pub(super) fn unresolved(host: &str, origin: Origin, error: &io::Error) -> Self {
        let next = match origin {
            Origin::Gateways => format!(
                "`{host}` is what partners are told (gateway.advertisedHost, or the zone's name in front of gateway.sni.domain): make \
                 it resolve where partners are, or correct it"
            ),
            Origin::Given => format!("correct `{host}` where it is given, or make it resolve here"),
        };
        Self::new(format!("the name does not resolve ({error})"), next)
    }

    /// Of one address that the name stands for.
    pub(super) fn of_connect(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::new(
                "connection refused: nothing listens there",
                "start a gateway there, or look at gateway.listen and its ports, and at what stands in front of it: a balancer, a \
                 container's published ports, a firewall that refuses",
            ),
            io::ErrorKind::TimedOut => Self::new(error.to_string(), FILTERED),
            _ => Self::new(error.to_string(), "look at the network and the routes between here and there"),
        }
    }

    pub(super) fn silent_network(within: Duration) -> Self {
        Self::new(format!("no connection within {}", format_duration(within)), FILTERED)
    }

    pub(super) fn of_files(error: &TlsError) -> Self {
        Self::new(
            error.to_string(),
            "correct the file, or name another one with --ca, --certificate and --key",
        )
    }

    pub(super) fn silent_handshake(within: Duration) -> Self {
        Self::new(
            format!("connected, and no answer to the TLS handshake within {}", format_duration(within)),
            "look at what listens there: it takes connections and does not speak TLS, or waits for something itself (a balancer that \
             has nobody behind it, a PROXY header that does not come)",
        )
    }

    pub(super) fn of_handshake(error: &io::Error) -> Self {
        let told = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        let Some(told) = told else {
            return Self::new(
                format!("the connection ended inside the TLS handshake ({error})"),
                "look at what listens there: a gateway without TLS, or a balancer that has nobody behind it",
            );
        };
        let next = match told {
            rustls::Error::InvalidCertificate(wrong) => certificate(wrong),
            rustls::Error::InvalidMessage(_) => {
                "what answers does not speak TLS: is it another program, or a gateway without gateway.tls?"
            }
            rustls::Error::AlertReceived(alert) if wants_certificate(*alert) => CERTIFICATE,
            _ => "look at the gateway's log, which says what it had against the handshake",
        };
        Self::new(told.to_string(), next)
    }

    /// Of a connection that is open, from its first request to the end of its login.
    pub(super) fn of_login(error: &ClientError, setup: &Setup) -> Self {
        let silent = "look at what listens there: it takes connections and does not answer as Kafka does. A gateway under TLS wants \
                      SASL_SSL; one with gateway.proxyProtocol is to be reached by its balancer";
        match error {
            ClientError::Authentication { code, reason } => Self::new(
                format!("the log-in was refused: {reason} (error code {code})"),
                refused(&setup.proof),
            ),
            ClientError::Scram(cause) => {
                Self::new(format!("the log-in failed: {cause}"), refused(&setup.proof))
            }
            ClientError::Mechanism { wanted, offered } => Self::new(
                format!("{wanted} is not offered there, only {}", offered.join(", ")),
                "connect to a gateway's listener, by a mechanism of the zone (`credentials list NAME` shows them)",
            ),
            ClientError::NoSasl => Self::new(
                "what answers speaks Kafka and asks for no log-in",
                "it is no gateway's listener: correct the address",
            ),
            ClientError::TimedOut(within) => {
                Self::new(format!("connected, and no answer within {}", format_duration(*within)), silent)
            }
            ClientError::Closed | ClientError::Lost(_) if matches!(setup.proof, Proof::Certificate) => {
                Self::new("the connection was closed: the certificate is not accepted", CERTIFICATE)
            }
            ClientError::Closed => Self::new("the connection was closed without an answer", silent),
            ClientError::Tls(told) => Self::new(told.clone(), CERTIFICATE),
            ClientError::Frame(_) | ClientError::Decode(_) | ClientError::Correlation => {
                Self::new(error.to_string(), silent)
            }
            ClientError::Unreachable(cause) => Self::of_connect(cause),
            ClientError::TlsFiles(cause) => Self::of_files(cause),
            _ => Self::new(error.to_string(), "look at the gateway's log of this moment"),
        }
    }

    /// Of a broker's address, all that it takes to be logged in there.
    pub(super) fn of_broker(error: &ClientError, setup: &Setup) -> Self {
        let Self { cause, next } = Self::of_login(error, setup);
        match error {
            ClientError::Unreachable(_) | ClientError::TimedOut(_) => Self::new(
                cause,
                "partners are sent to this address for the broker's partitions: let its port through as you do the first one \
                 (gateway.brokerPortBase + the broker's number; one port for all with gateway.sni), and publish it",
            ),
            _ => Self::new(cause, next),
        }
    }

    /// Of a request on a connection that was logged in.
    pub(super) fn of_request(error: &ClientError) -> Self {
        let cause = match error {
            ClientError::TimedOut(within) => format!("no answer within {}", format_duration(*within)),
            ClientError::Closed => "the gateway closed the connection".to_owned(),
            error => error.to_string(),
        };
        Self::new(cause, "look at the gateway's log of this moment, and whether its cluster's brokers live")
    }
}

const FILTERED: &str = "what is sent there is lost on the way: look at firewalls, security groups and routes between here and there";

const CERTIFICATE: &str = "the gateway wants a client certificate that it trusts (--certificate, --key): one whose subject maps to the zone's \
                           service account, signed by spec.authenticationMode.ca or gateway.tls.clientCaFile, and not revoked";

fn wants_certificate(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::HandshakeFailure
    )
}

fn certificate(wrong: &CertificateError) -> &'static str {
    match wrong {
        // An authority that was made anew under its old name shows as a bad signature.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "the certificate's authority is not trusted here: name it with --ca FILE, and give it to partners, whose clients will not trust \
             it either; or have a public one sign gateway.tls.certificateFile, with all certificates between in that file"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "renew gateway.tls.certificateFile; gateways take the new one without a restart"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "compare the clocks",
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "have gateway.tls.certificateFile name the host that partners connect to (gateway.advertisedHost; with gateway.sni \
             `*.` and the domain), or correct the address"
        }
        _ => "replace gateway.tls.certificateFile by a certificate for a server",
    }
}

fn refused(proof: &Proof) -> &'static str {
    match proof {
        Proof::Issued => {
            "the credential was issued a moment ago, so it is not the secret: does this address lead to the gateways of this server \
             (`get nodes`), is the zone open (spec.access: validFrom, validUntil) and open to this host (allowedCidrs)?"
        }
        Proof::Given => {
            "compare name and secret with what was issued; `credentials list NAME` says whether it has expired, was rotated or is gone. \
             The zone may be open at other times or to other networks (spec.access)"
        }
        Proof::Token(_) => {
            "the token has to be of the zone's issuer, for its audience, not expired, and its subject the zone's service account (`get zone \
             NAME -o properties` says which they are); the gateway's log says what was wrong with it"
        }
        Proof::Certificate => CERTIFICATE,
    }
}
