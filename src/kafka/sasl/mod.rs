//! SASL initiation: how this process proves itself to a broker. PLAIN (RFC 4616) and SCRAM (RFC 5802, RFC 7677), sans I/O.

mod files;
mod salted;
mod scram;

use std::sync::Arc;

use self::files::LoginFile;
pub use self::files::{LoginFileError, LoginFileFault, LoginFiles};
pub use self::salted::Salted;
use self::salted::SaltedPasswords;
pub use self::scram::{Challenged, Scram, ScramError, ServerProof};
use crate::sasl::ScramHash;
pub use crate::sasl::{Mechanism, UnknownMechanism};
use crate::secret::Secret;

/// What this process logs in to the brokers of a cluster with. Clones share the salted passwords.
#[derive(Debug, Clone)]
pub struct Credentials {
    pub mechanism: Mechanism,
    pub username: String,
    pub password: Secret<String>,
    salted: Arc<SaltedPasswords>,
    /// Where it was read; none if it was not.
    file: Option<LoginFile>,
}

impl Credentials {
    pub fn new(mechanism: Mechanism, username: String, password: Secret<String>) -> Self {
        Self { mechanism, username, password, salted: Arc::default(), file: None }
    }

    /// As its file has it now. What is from no file stays as it is, and so does one whose file cannot be read: it is still that user's.
    pub async fn renewed(&self) -> Self {
        let Some(file) = &self.file else { return self.clone() };
        file.read().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "a login is renewed as it was");
            self.clone()
        })
    }

    /// Whether it is the same user with the same password, by the same mechanism.
    pub fn is_same(&self, other: &Self) -> bool {
        self.mechanism == other.mechanism
            && self.username == other.username
            && self.password.expose() == other.password.expose()
    }

    /// The password with this salt, which is new: what a cluster is given. Who then logs in with these credentials has it already.
    /// Takes milliseconds: not for a thread that serves others.
    pub fn salted(&self, hash: ScramHash, salt: &[u8], rounds: u32) -> Salted {
        self.salted.derive(&self.password, hash, salt, rounds)
    }

    /// What one of them has salted, the other has too.
    #[cfg(test)]
    pub(crate) fn shares_salts_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.salted, &other.salted)
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
