//! Salted passwords are kept: a connect must not cost thousands of hash rounds each time.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::scram::{Challenged, ScramError};
use crate::sasl::ScramHash;
use crate::secret::Secret;

/// The brokers of a cluster share salt and rounds of a user; both change with its password.
const KEPT: usize = 4;

/// A password as SCRAM uses it.
pub type Salted = Arc<Zeroizing<Vec<u8>>>;

#[derive(PartialEq, Eq)]
struct Key {
    hash: ScramHash,
    salt: Vec<u8>,
    rounds: u32,
}

/// Those of one password, the oldest first.
#[derive(Default)]
pub(super) struct SaltedPasswords(Mutex<VecDeque<(Key, Salted)>>);

impl SaltedPasswords {
    /// Who comes while one is being derived waits for it: a gateway that starts opens many connections at once.
    pub(super) async fn get(
        &self,
        password: &Secret<String>,
        challenged: &Challenged,
    ) -> Result<Salted, ScramError> {
        let Challenged { hash, salt, rounds, .. } = challenged;
        let key = Key { hash: *hash, salt: salt.clone(), rounds: *rounds };
        let mut kept = self.0.lock().await;
        if let Some((_, salted)) = kept.iter().find(|(known, _)| *known == key) {
            return Ok(Arc::clone(salted));
        }
        let (hash, salt, rounds, password) = (key.hash, key.salt.clone(), key.rounds, password.clone());
        let derive = move || hash.salted_password(password.expose().as_bytes(), &salt, rounds);
        let salted = tokio::task::spawn_blocking(derive).await.map_err(|_| ScramError::Interrupted)?;
        let salted = Arc::new(salted);
        keep(&mut kept, key, &salted);
        Ok(salted)
    }
}

impl SaltedPasswords {
    /// Derives one ahead of the server's challenge, on the thread of the caller, which must be none that serves others.
    pub(super) fn derive(
        &self,
        password: &Secret<String>,
        hash: ScramHash,
        salt: &[u8],
        rounds: u32,
    ) -> Salted {
        let salted = Arc::new(hash.salted_password(password.expose().as_bytes(), salt, rounds));
        keep(&mut self.0.blocking_lock(), Key { hash, salt: salt.to_vec(), rounds }, &salted);
        salted
    }
}

fn keep(kept: &mut VecDeque<(Key, Salted)>, key: Key, salted: &Salted) {
    if kept.len() == KEPT {
        kept.pop_front();
    }
    kept.push_back((key, Arc::clone(salted)));
}

impl fmt::Debug for SaltedPasswords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SaltedPasswords(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::sasl::Scram;

    fn challenged(hash: ScramHash, salt: &str) -> Challenged {
        let scram = Scram::with_nonce(hash, "user", "abc".to_owned());
        scram.challenged(format!("r=abcdef,s={salt},i=4096").as_bytes()).unwrap()
    }

    #[tokio::test]
    async fn a_salted_password_is_derived_once_and_never_taken_for_another() {
        let (kept, password) = (SaltedPasswords::default(), Secret::new("pencil".to_owned()));
        let first = kept.get(&password, &challenged(ScramHash::Sha256, "YQ==")).await.unwrap();
        let again = kept.get(&password, &challenged(ScramHash::Sha256, "YQ==")).await.unwrap();
        assert!(Arc::ptr_eq(&first, &again));
        let other_salt = kept.get(&password, &challenged(ScramHash::Sha256, "Yg==")).await.unwrap();
        let other_hash = kept.get(&password, &challenged(ScramHash::Sha512, "YQ==")).await.unwrap();
        assert_eq!(**first, *ScramHash::Sha256.salted_password(b"pencil", b"a", 4096));
        assert_eq!(**other_salt, *ScramHash::Sha256.salted_password(b"pencil", b"b", 4096));
        assert_eq!(**other_hash, *ScramHash::Sha512.salted_password(b"pencil", b"a", 4096));
        for salt in ["MQ==", "Mg==", "Mw==", "NA=="] {
            kept.get(&password, &challenged(ScramHash::Sha256, salt)).await.unwrap();
        }
        assert_eq!(kept.0.lock().await.len(), KEPT);
    }

    #[tokio::test]
    async fn what_was_derived_ahead_is_not_derived_again() {
        let (kept, password) = (Arc::new(SaltedPasswords::default()), Secret::new("pencil".to_owned()));
        let (of_thread, secret) = (Arc::clone(&kept), password.clone());
        let ahead = move || of_thread.derive(&secret, ScramHash::Sha256, b"a", 4096);
        let ahead = tokio::task::spawn_blocking(ahead).await.unwrap();
        let asked = kept.get(&password, &challenged(ScramHash::Sha256, "YQ==")).await.unwrap();
        assert!(Arc::ptr_eq(&ahead, &asked));
    }
}
