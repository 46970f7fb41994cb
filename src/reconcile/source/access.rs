//! How this process proves itself to a Git server, and whom it trusts: `source.auth`.

use std::io;
use std::path::{Path, PathBuf};

use super::network::Call;
use super::{Location, LocationError};
use crate::secret::Secret;

/// Far above any key, token, or list of hosts.
const LARGEST_FILE: u64 = 1 << 20;

/// Files, which are read anew for every fetch: what they hold may be rotated.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// https: a token, sent as the password of Basic authentication under the user name in the address.
    pub token_file: Option<PathBuf>,
    /// https: the authorities that may sign the server's certificate, instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// ssh: a private key without a passphrase.
    pub ssh_key_file: Option<PathBuf>,
    /// ssh: the keys that the server may show. No key is trusted because it was seen first.
    pub known_hosts_file: Option<PathBuf>,
}

impl Access {
    /// Refuses what would have no effect, and ssh without what it needs.
    pub(super) fn check(&self, location: &Location) -> Result<(), LocationError> {
        let is_ssh = matches!(location, Location::Ssh(_));
        let is_https = matches!(location, Location::Https(_));
        let has_effect = [
            ("tokenFile", &self.token_file, is_https, "https"),
            ("caFile", &self.ca_file, is_https, "https"),
            ("sshKeyFile", &self.ssh_key_file, is_ssh, "ssh"),
            ("knownHostsFile", &self.known_hosts_file, is_ssh, "ssh"),
        ];
        for (key, file, applies, transport) in has_effect {
            if file.is_some() && !applies {
                return Err(LocationError::NoEffect { key, transport });
            }
            if is_ssh && applies && file.is_none() {
                return Err(LocationError::SshNeeds(key));
            }
        }
        Ok(())
    }

    pub(super) fn token(&self, call: &Call) -> io::Result<Option<Secret<String>>> {
        let Some(path) = &self.token_file else { return Ok(None) };
        let token = read(path, "tokenFile", call)?;
        let is_token = |token: &str| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        match token.expose().trim() {
            trimmed if is_token(trimmed) => Ok(Some(Secret::new(trimmed.to_owned()))),
            _ => Err(call.denied(format!(
                "source.auth.tokenFile {} holds no token: one line is wanted",
                path.display()
            ))),
        }
    }

    pub(super) fn ssh_key(&self, call: &Call) -> io::Result<Secret<String>> {
        let path = self.ssh_key_file.as_deref().unwrap_or(Path::new(""));
        let key = read(path, "sshKeyFile", call)?;
        if !key.expose().contains("PRIVATE KEY-----") {
            return Err(
                call.denied(format!("source.auth.sshKeyFile {} holds no private key", path.display()))
            );
        }
        Ok(key)
    }

    pub(super) fn known_hosts(&self, call: &Call) -> io::Result<String> {
        let path = self.known_hosts_file.as_deref().unwrap_or(Path::new(""));
        read(path, "knownHostsFile", call).map(|text| text.expose().clone())
    }
}

/// No message repeats anything of the content.
fn read(path: &Path, key: &str, call: &Call) -> io::Result<Secret<String>> {
    use std::io::Read as _;
    let mut text = String::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(LARGEST_FILE).read_to_string(&mut text));
    let text = Secret::new(text);
    match read {
        Ok(_) => Ok(text),
        Err(error) => {
            Err(call.denied(format!("source.auth.{key} {} cannot be read: {error}", path.display())))
        }
    }
}
