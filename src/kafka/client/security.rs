//! How connections to a cluster are secured, from the names that librdkafka gave these settings.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::kafka::sasl::{Credentials, UnknownMechanism};
use crate::secret::Secret;

/// What a connection to a broker does before its first request.
#[derive(Debug, Clone)]
pub enum UpstreamSecurity {
    Plaintext,
    SaslPlaintext(Credentials),
}

/// Why a cluster's `properties` cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SecurityError {
    #[error("security.protocol {0} needs a later version; use PLAINTEXT or SASL_PLAINTEXT")]
    NeedsLaterVersion(String),
    #[error("security.protocol {0:?} is unknown; use PLAINTEXT or SASL_PLAINTEXT")]
    UnknownProtocol(String),
    #[error("{0} is set, and security.protocol is PLAINTEXT: set it to SASL_PLAINTEXT")]
    SaslWithoutProtocol(String),
    #[error("security.protocol is SASL_PLAINTEXT, and {0} is missing")]
    Missing(&'static str),
    #[error("sasl.mechanism: {0}")]
    Mechanism(#[from] UnknownMechanism),
}

impl UpstreamSecurity {
    /// Reads `security.protocol`, `sasl.mechanism` (or `sasl.mechanisms`), `sasl.username` and `sasl.password`; other
    /// properties are not about security and are left alone.
    pub fn from_properties(properties: &BTreeMap<String, String>) -> Result<Self, SecurityError> {
        let property = |name: &str| properties.get(name).map(String::as_str);
        let protocol = property("security.protocol").unwrap_or("PLAINTEXT");
        match protocol.to_ascii_uppercase().as_str() {
            "PLAINTEXT" => match properties.keys().find(|name| name.starts_with("sasl.")) {
                Some(name) => Err(SecurityError::SaslWithoutProtocol(name.clone())),
                None => Ok(Self::Plaintext),
            },
            "SASL_PLAINTEXT" => {
                let required =
                    |name, value: Option<&str>| value.map(str::to_owned).ok_or(SecurityError::Missing(name));
                let mechanism = property("sasl.mechanism").or_else(|| property("sasl.mechanisms"));
                Ok(Self::SaslPlaintext(Credentials::new(
                    required("sasl.mechanism", mechanism)?.parse()?,
                    required("sasl.username", property("sasl.username"))?,
                    Secret::new(required("sasl.password", property("sasl.password"))?),
                )))
            }
            "SSL" | "SASL_SSL" => Err(SecurityError::NeedsLaterVersion(protocol.to_owned())),
            _ => Err(SecurityError::UnknownProtocol(protocol.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::sasl::Mechanism;

    fn from(pairs: &[(&str, &str)]) -> Result<UpstreamSecurity, SecurityError> {
        let properties =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        UpstreamSecurity::from_properties(&properties)
    }

    #[test]
    fn without_properties_the_connection_is_plain() {
        assert!(matches!(from(&[]), Ok(UpstreamSecurity::Plaintext)));
        assert!(matches!(from(&[("security.protocol", "plaintext")]), Ok(UpstreamSecurity::Plaintext)));
    }

    #[test]
    fn sasl_takes_the_names_librdkafka_knows() {
        for name in ["sasl.mechanism", "sasl.mechanisms"] {
            let security = from(&[
                ("security.protocol", "sasl_plaintext"),
                (name, "SCRAM-SHA-512"),
                ("sasl.username", "gateway"),
                ("sasl.password", "hunter2"),
            ]);
            let Ok(UpstreamSecurity::SaslPlaintext(credentials)) = security else { panic!("{security:?}") };
            let Credentials { mechanism, username, password, .. } = credentials;
            assert_eq!((mechanism, username.as_str()), (Mechanism::ScramSha512, "gateway"));
            assert_eq!(password.expose(), "hunter2");
        }
    }

    #[test]
    fn what_is_not_built_or_incomplete_is_refused_with_a_next_step() {
        let told = |pairs: &[(&str, &str)]| from(pairs).unwrap_err().to_string();
        assert_eq!(
            told(&[("security.protocol", "SASL_SSL")]),
            "security.protocol SASL_SSL needs a later version; use PLAINTEXT or SASL_PLAINTEXT"
        );
        assert_eq!(
            told(&[("sasl.username", "gateway")]),
            "sasl.username is set, and security.protocol is PLAINTEXT: set it to SASL_PLAINTEXT"
        );
        assert_eq!(
            told(&[("security.protocol", "SASL_PLAINTEXT"), ("sasl.mechanism", "PLAIN")]),
            "security.protocol is SASL_PLAINTEXT, and sasl.username is missing"
        );
        assert!(told(&[("security.protocol", "TLS")]).contains("unknown"));
        assert!(
            told(&[("security.protocol", "SASL_PLAINTEXT"), ("sasl.mechanism", "GSSAPI")]).contains("GSSAPI")
        );
    }
}
