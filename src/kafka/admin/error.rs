//! What can go wrong with an administrative request, for an operator to read.

use thiserror::Error;

use crate::kafka::client::ClientError;

const CLUSTER_AUTHORIZATION_FAILED: i16 = 31;
const NOT_CONTROLLER: i16 = 41;
const SECURITY_DISABLED: i16 = 54;

/// Longest text of a broker that is repeated, in characters.
const TEXT_LIMIT: usize = 200;

/// Why a cluster could not be asked, or did not do what it was asked.
#[derive(Debug, Error)]
pub enum AdminError {
    #[error("no bootstrap server answers: {0}")]
    NoBroker(String),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("its brokers do not serve {0}; Kafka 2.7 or later is needed")]
    NotServed(&'static str),
    #[error(
        "its brokers have no authorizer, so ACLs would protect nothing; set authorizer.class.name on them"
    )]
    NoAuthorizer,
    #[error(
        "the user of its `properties` may not do {0}; allow it DESCRIBE and ALTER on the cluster resource"
    )]
    Forbidden(&'static str),
    #[error(
        "it is run by ZooKeeper, and this broker is not the controller; only clusters of KRaft can be administered"
    )]
    NotController,
    #[error("it refused {api} with error code {code}{}", text(.message))]
    Refused { api: &'static str, code: i16, message: String },
    #[error("it is cluster {is} now, and was {was} a moment ago; nothing was changed on it")]
    AnotherCluster { was: String, is: String },
    #[error("its answer to {0} does not fit the request")]
    Mismatch(&'static str),
}

impl AdminError {
    /// Nothing for code 0. What the broker says is repeated only if the code alone does not say what to do.
    pub(super) fn check(api: &'static str, code: i16, message: Option<&str>) -> Result<(), Self> {
        match code {
            0 => Ok(()),
            CLUSTER_AUTHORIZATION_FAILED => Err(Self::Forbidden(api)),
            SECURITY_DISABLED => Err(Self::NoAuthorizer),
            NOT_CONTROLLER => Err(Self::NotController),
            code => Err(Self::Refused { api, code, message: printable(message.unwrap_or_default()) }),
        }
    }
}

/// A broker's text without anything that a terminal would obey.
fn printable(text: &str) -> String {
    let shown = |c: &char| !c.is_control() && !('\u{202a}'..='\u{202e}').contains(c);
    text.chars().filter(shown).take(TEXT_LIMIT).collect()
}

fn text(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_cluster_lacks_is_said_with_the_next_step_and_its_own_text_is_harmless() {
        let told = |code, message| AdminError::check("CreateAcls", code, message).unwrap_err().to_string();
        assert!(AdminError::check("CreateAcls", 0, Some("")).is_ok());
        assert!(told(54, None).contains("authorizer.class.name"));
        assert!(told(31, None).contains("DESCRIBE and ALTER"));
        assert_eq!(
            told(42, Some("bad\u{1b}[31m name")),
            "it refused CreateAcls with error code 42: bad[31m name"
        );
        assert!(told(42, Some(&"x".repeat(1000))).len() < 300);
    }
}
