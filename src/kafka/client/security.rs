//! How connections to a cluster are secured, from the names that librdkafka gave these settings.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::kafka::sasl::{Credentials, Mechanism, UnknownMechanism};
use crate::kafka::tls::{UpstreamTls, UpstreamTlsFiles};
use crate::secret::Secret;

/// What a connection to a broker does before its first request. The default is nothing: plain text, no login.
#[derive(Debug, Clone, Default)]
pub struct UpstreamSecurity {
    pub tls: Option<UpstreamTls>,
    pub sasl: Option<Credentials>,
}

/// Why a cluster's `properties` cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SecurityError {
    #[error("security.protocol {0:?} is unknown; use PLAINTEXT, SASL_PLAINTEXT, SSL or SASL_SSL")]
    UnknownProtocol(String),
    #[error("{name} is set, and security.protocol is {protocol}: set it to {wanted}")]
    OtherProtocol { name: String, protocol: String, wanted: &'static str },
    #[error("security.protocol is {protocol}, and {name} is missing")]
    Missing { protocol: String, name: &'static str },
    #[error("{set} is set, and {missing} is missing: a client certificate needs both")]
    HalfIdentity { set: &'static str, missing: &'static str },
    #[error("ssl.endpoint.identification.algorithm is {0:?}; wanted is https or none")]
    Identification(String),
    #[error("sasl.mechanism: {0}")]
    Mechanism(#[from] UnknownMechanism),
}

/// The properties of one cluster, with the protocol that they are read for.
struct Properties<'a> {
    all: &'a BTreeMap<String, String>,
    protocol: String,
}

impl UpstreamSecurity {
    /// Reads librdkafka's `security.protocol`, `sasl.mechanism` (or `sasl.mechanisms`), `sasl.username`, `sasl.password`,
    /// `ssl.ca.location`, `ssl.certificate.location`, `ssl.key.location` and `ssl.endpoint.identification.algorithm`; other
    /// properties are not about security and are left alone. Files are not read yet.
    pub fn from_properties(properties: &BTreeMap<String, String>) -> Result<Self, SecurityError> {
        let written = properties.get("security.protocol").map_or("PLAINTEXT", String::as_str);
        let protocol = written.to_ascii_uppercase();
        let (has_sasl, has_tls) = match protocol.as_str() {
            "PLAINTEXT" => (false, false),
            "SASL_PLAINTEXT" => (true, false),
            "SSL" => (false, true),
            "SASL_SSL" => (true, true),
            _ => return Err(SecurityError::UnknownProtocol(written.to_owned())),
        };
        let properties = Properties { all: properties, protocol };
        if !has_sasl {
            properties.refuse("sasl.", if has_tls { "SASL_SSL" } else { "SASL_PLAINTEXT" })?;
        }
        if !has_tls {
            properties.refuse("ssl.", if has_sasl { "SASL_SSL" } else { "SSL" })?;
        }
        Ok(Self {
            tls: if has_tls { Some(properties.tls()?) } else { None },
            sasl: if has_sasl { Some(properties.sasl()?) } else { None },
        })
    }

    /// How zones' principals prove themselves on this listener: as this process does, if that is SCRAM, the only one that their
    /// passwords are made for.
    pub fn principals_mechanism(&self) -> Mechanism {
        let ours = self.sasl.as_ref().map(|sasl| sasl.mechanism);
        ours.filter(|mechanism| mechanism.scram().is_some()).unwrap_or(Mechanism::ScramSha512)
    }

    /// The same in librdkafka's words.
    pub fn librdkafka_properties(&self) -> BTreeMap<String, String> {
        let protocol = match (&self.sasl, &self.tls) {
            (None, None) => "plaintext",
            (Some(_), None) => "sasl_plaintext",
            (None, Some(_)) => "ssl",
            (Some(_), Some(_)) => "sasl_ssl",
        };
        let mut pairs = vec![("security.protocol", protocol.to_owned())];
        if let Some(Credentials { mechanism, username, password, .. }) = &self.sasl {
            pairs.extend([
                ("sasl.mechanism", mechanism.name().to_owned()),
                ("sasl.username", username.clone()),
                ("sasl.password", password.expose().clone()),
            ]);
        }
        if let Some(UpstreamTlsFiles { ca, identity, verifies_host }) =
            self.tls.as_ref().map(UpstreamTls::files)
        {
            let text = |path: &Path| path.display().to_string();
            pairs.extend(ca.iter().map(|ca| ("ssl.ca.location", text(ca))));
            if let Some((certificate, key)) = identity {
                pairs.extend([
                    ("ssl.certificate.location", text(certificate)),
                    ("ssl.key.location", text(key)),
                ]);
            }
            let identification = if *verifies_host { "https" } else { "none" };
            pairs.push(("ssl.endpoint.identification.algorithm", identification.to_owned()));
        }
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

impl Properties<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.all.get(name).map(String::as_str)
    }

    fn required(&self, name: &'static str, value: Option<&str>) -> Result<String, SecurityError> {
        value
            .map(str::to_owned)
            .ok_or_else(|| SecurityError::Missing { protocol: self.protocol.clone(), name })
    }

    /// A setting that the protocol makes meaningless is a mistake in one of the two.
    fn refuse(&self, prefix: &str, wanted: &'static str) -> Result<(), SecurityError> {
        match self.all.keys().find(|name| name.starts_with(prefix)) {
            None => Ok(()),
            Some(name) => Err(SecurityError::OtherProtocol {
                name: name.clone(),
                protocol: self.protocol.clone(),
                wanted,
            }),
        }
    }

    fn sasl(&self) -> Result<Credentials, SecurityError> {
        let mechanism = self.get("sasl.mechanism").or_else(|| self.get("sasl.mechanisms"));
        Ok(Credentials::new(
            self.required("sasl.mechanism", mechanism)?.parse()?,
            self.required("sasl.username", self.get("sasl.username"))?,
            Secret::new(self.required("sasl.password", self.get("sasl.password"))?),
        ))
    }

    fn tls(&self) -> Result<UpstreamTls, SecurityError> {
        const CERTIFICATE: &str = "ssl.certificate.location";
        const KEY: &str = "ssl.key.location";
        let path = |name| self.get(name).map(PathBuf::from);
        let identity = match (path(CERTIFICATE), path(KEY)) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (Some(_), None) => return Err(SecurityError::HalfIdentity { set: CERTIFICATE, missing: KEY }),
            (None, Some(_)) => return Err(SecurityError::HalfIdentity { set: KEY, missing: CERTIFICATE }),
        };
        let verifies_host = match self.get("ssl.endpoint.identification.algorithm") {
            None | Some("https") => true,
            Some("none") => false,
            Some(other) => return Err(SecurityError::Identification(other.to_owned())),
        };
        Ok(UpstreamTls::new(UpstreamTlsFiles { ca: path("ssl.ca.location"), identity, verifies_host }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(pairs: &[(&str, &str)]) -> Result<UpstreamSecurity, SecurityError> {
        let properties =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        UpstreamSecurity::from_properties(&properties)
    }

    #[test]
    fn without_properties_the_connection_is_plain() {
        for properties in [&[][..], &[("security.protocol", "plaintext")]] {
            let security = from(properties).unwrap();
            assert!(security.tls.is_none() && security.sasl.is_none());
        }
    }

    #[test]
    fn sasl_takes_the_names_librdkafka_knows() {
        for name in ["sasl.mechanism", "sasl.mechanisms"] {
            let security = from(&[
                ("security.protocol", "sasl_plaintext"),
                (name, "SCRAM-SHA-512"),
                ("sasl.username", "gateway"),
                ("sasl.password", "hunter2"),
            ])
            .unwrap();
            let Credentials { mechanism, username, password, .. } = security.sasl.unwrap();
            assert_eq!((mechanism, username.as_str()), (Mechanism::ScramSha512, "gateway"));
            assert_eq!(password.expose(), "hunter2");
            assert!(security.tls.is_none());
        }
    }

    #[test]
    fn what_tls_is_told_reaches_librdkafka_as_it_was_written() {
        let written = [
            ("security.protocol", "sasl_ssl"),
            ("sasl.mechanism", "PLAIN"),
            ("sasl.username", "gateway"),
            ("sasl.password", "hunter2"),
            ("ssl.ca.location", "/etc/ca.pem"),
            ("ssl.certificate.location", "/etc/us.pem"),
            ("ssl.key.location", "/etc/us.key"),
            ("ssl.endpoint.identification.algorithm", "none"),
        ];
        let security = from(&written).unwrap();
        assert!(!security.tls.as_ref().unwrap().files().verifies_host);
        let wanted = written.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        assert_eq!(security.librdkafka_properties(), wanted);
        // A host is verified unless told otherwise, by both of them.
        let plain = from(&[("security.protocol", "SSL")]).unwrap().librdkafka_properties();
        assert_eq!(plain["ssl.endpoint.identification.algorithm"], "https");
    }

    #[test]
    fn what_is_contradictory_or_incomplete_is_refused_with_a_next_step() {
        let told = |pairs: &[(&str, &str)]| from(pairs).unwrap_err().to_string();
        assert_eq!(
            told(&[("sasl.username", "gateway")]),
            "sasl.username is set, and security.protocol is PLAINTEXT: set it to SASL_PLAINTEXT"
        );
        assert_eq!(
            told(&[("ssl.ca.location", "/ca")]),
            "ssl.ca.location is set, and security.protocol is PLAINTEXT: set it to SSL"
        );
        assert_eq!(
            told(&[("security.protocol", "ssl"), ("sasl.username", "gateway")]),
            "sasl.username is set, and security.protocol is SSL: set it to SASL_SSL"
        );
        assert_eq!(
            told(&[("security.protocol", "SASL_PLAINTEXT"), ("sasl.mechanism", "PLAIN")]),
            "security.protocol is SASL_PLAINTEXT, and sasl.username is missing"
        );
        assert!(told(&[("security.protocol", "SSL"), ("ssl.key.location", "/k")]).contains("needs both"));
        let identification = ("ssl.endpoint.identification.algorithm", "maybe");
        assert!(told(&[("security.protocol", "SSL"), identification]).contains("https or none"));
        assert!(told(&[("security.protocol", "TLS")]).contains("unknown"));
        assert!(
            told(&[("security.protocol", "SASL_PLAINTEXT"), ("sasl.mechanism", "GSSAPI")]).contains("GSSAPI")
        );
    }
}
