//! ssh by libgit2, through the relay. Keys of servers are compared here: libgit2 would look for them where the user of
//! this process keeps them, and under the relay's address.

use std::io;
use std::sync::Arc;

use git2::{CertificateCheckStatus, Cred, CredentialType, ErrorClass, ErrorCode, RemoteCallbacks};

use super::Call;
use super::known_hosts::{KnownHosts, Verdict};
use super::relay::Relay;
use crate::reconcile::source::SourceError;
use crate::reconcile::source::access::Access;
use crate::reconcile::source::location::SshAddress;
use crate::secret::Secret;

/// A server, what is known of it, and the key that this source shows it. Files are read anew for each fetch.
pub(in crate::reconcile::source) struct Ssh<'a> {
    call: &'a Arc<Call>,
    address: &'a SshAddress,
    known_hosts: KnownHosts,
    key: Secret<String>,
    relay: Relay,
}

impl<'a> Ssh<'a> {
    pub(in crate::reconcile::source) fn new(
        call: &'a Arc<Call>,
        address: &'a SshAddress,
        access: &Access,
    ) -> io::Result<Self> {
        let known_hosts = KnownHosts::parse(&access.known_hosts(call)?);
        let key = access.ssh_key(call)?;
        let relay = Relay::open(call, &address.host, address.port)?;
        Ok(Self { call, address, known_hosts, key, relay })
    }

    /// What libgit2 connects to.
    pub(in crate::reconcile::source) fn url(&self) -> String {
        let SshAddress { user, path, .. } = self.address;
        let relay = self.relay.address();
        if path.starts_with('/') {
            format!("ssh://{user}@{relay}{path}")
        } else {
            // The form for paths from the home folder.
            format!("{user}@[{relay}]:{path}")
        }
    }

    pub(in crate::reconcile::source) fn callbacks<'b>(&'b self, callbacks: &mut RemoteCallbacks<'b>) {
        callbacks.certificate_check(|certificate, _| {
            let key = certificate.as_hostkey().and_then(|certificate| certificate.hostkey());
            self.check(key.unwrap_or_default()).map(|()| CertificateCheckStatus::CertificateOk)
        });
        let mut asked = 0_u8;
        callbacks.credentials(move |_, _, kinds| {
            if kinds.contains(CredentialType::USERNAME) {
                return Cred::username(&self.address.user);
            }
            asked = asked.saturating_add(1);
            // libgit2 asks again for as long as the server refuses. Two methods may want the same key.
            if asked > 2 || !kinds.contains(CredentialType::SSH_MEMORY) {
                return Err(abort(&self.call.denied(
                    "the key in source.auth.sshKeyFile was refused: is its public half registered there, and is it without a passphrase?",
                )));
            }
            Cred::ssh_key_from_memory(&self.address.user, None, self.key.expose(), None)
        });
    }

    fn check(&self, key: &[u8]) -> Result<(), git2::Error> {
        let SshAddress { host, port, .. } = self.address;
        let cause = match self.known_hosts.judge(host, *port, key) {
            Verdict::Known => return Ok(()),
            verdict => verdict.explain(host, *port, key),
        };
        Err(abort(&self.call.fail(SourceError::HostKey { url: self.call.url().to_owned(), cause })))
    }
}

/// libgit2 carries no text of a callback further; the call keeps the cause.
fn abort(error: &io::Error) -> git2::Error {
    git2::Error::new(ErrorCode::User, ErrorClass::Callback, error.to_string())
}
