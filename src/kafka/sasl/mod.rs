//! SASL initiation: how this process proves itself to a broker. PLAIN (RFC 4616) and SCRAM (RFC 5802, RFC 7677), sans I/O.

mod salted;
mod scram;

use std::sync::Arc;

use self::salted::SaltedPasswords;
pub use self::scram::{Challenged, Scram, ScramError, ServerProof};
pub use crate::sasl::{Mechanism, UnknownMechanism};
use crate::secret::Secret;

/// What this process logs in to the brokers of a cluster with. Clones share the salted passwords.
#[derive(Debug, Clone)]
pub struct Credentials {
    pub mechanism: Mechanism,
    pub username: String,
    pub password: Secret<String>,
    salted: Arc<SaltedPasswords>,
}

impl Credentials {
    pub fn new(mechanism: Mechanism, username: String, password: Secret<String>) -> Self {
        Self { mechanism, username, password, salted: Arc::default() }
    }

    /// Answers a SCRAM server's first message. The salted password is derived once for each salt, on a thread for such work.
    pub async fn prove(&self, challenged: Challenged) -> Result<(Vec<u8>, ServerProof), ScramError> {
        let salted = self.salted.get(&self.password, &challenged).await?;
        Ok(challenged.prove(&salted))
    }
}

/// The one message of PLAIN: no authorisation id, name, password.
pub fn plain(username: &str, password: &Secret<String>) -> Secret<Vec<u8>> {
    Secret::new([b"\0", username.as_bytes(), b"\0", password.expose().as_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_is_name_and_password_behind_nul() {
        let message = plain("acme", &Secret::new("s3cret".to_owned()));
        assert_eq!(message.expose(), b"\0acme\0s3cret");
    }
}
