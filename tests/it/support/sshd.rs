//! A real sshd on loopback, with keys of its own.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::process::Process;

const SSHD: &str = "/usr/sbin/sshd";

/// Lets the one key in that [`Sshd::key`] names; ends when it is dropped.
pub(crate) struct Sshd {
    folder: TempDir,
    port: u16,
    _process: Process,
}

impl Sshd {
    pub(crate) fn start() -> Self {
        assert!(
            Path::new(SSHD).exists(),
            "{SSHD} is missing: run scripts/deps.sh test (Debian: openssh-server)"
        );
        // Where it drops its privileges; the packages make it at boot.
        let _ = fs::create_dir_all("/run/sshd");
        let folder = tempfile::tempdir().unwrap();
        for kind in ["ed25519", "rsa"] {
            keygen(&folder.path().join(format!("host_{kind}")), kind);
        }
        keygen(&folder.path().join("user"), "ed25519");
        fs::copy(folder.path().join("user.pub"), folder.path().join("authorized")).unwrap();
        // Freed for sshd to take it.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let at = folder.path().display();
        let config = format!(
            "ListenAddress 127.0.0.1\nPort {port}\nHostKey {at}/host_ed25519\nHostKey {at}/host_rsa\n\
             AuthorizedKeysFile {at}/authorized\nPidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n\
             KbdInteractiveAuthentication no\nPermitRootLogin yes\nMaxStartups 100\n"
        );
        fs::write(folder.path().join("sshd_config"), config).unwrap();
        let mut command = Command::new(SSHD);
        command.args(["-D", "-e", "-f"]).arg(folder.path().join("sshd_config"));
        let process = Process::start("sshd", &mut command);
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "sshd does not listen");
            std::thread::sleep(Duration::from_millis(50));
        }
        Self { folder, port, _process: process }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Of a repository on this machine.
    pub(crate) fn url(&self, repository: &Path) -> String {
        format!("ssh://{}@127.0.0.1:{}{}", user(), self.port, repository.display())
    }

    /// The private key that may come in.
    pub(crate) fn key(&self) -> PathBuf {
        self.folder.path().join("user")
    }

    /// Another one.
    pub(crate) fn foreign_key(&self) -> PathBuf {
        let file = self.folder.path().join("foreign");
        keygen(&file, "ed25519");
        file
    }

    /// One that comes in, and may only read: a deploy key of a forge.
    pub(crate) fn reading_key(&self) -> PathBuf {
        let file = self.folder.path().join("reader");
        keygen(&file, "ed25519");
        let script = write_script(
            &self.folder.path().join("only-read"),
            "case \"$SSH_ORIGINAL_COMMAND\" in\n  git-upload-pack*) eval \"$SSH_ORIGINAL_COMMAND\" ;;\n  \
             *) echo 'this key has been marked as read only' >&2; exit 1 ;;\nesac",
        );
        let public = fs::read_to_string(file.with_extension("pub")).unwrap();
        let line = format!("command=\"{}\" {public}", script.display());
        let authorized = self.folder.path().join("authorized");
        fs::write(&authorized, fs::read_to_string(&authorized).unwrap() + &line).unwrap();
        file
    }

    /// The public half of one of its own keys: kind and base64.
    pub(crate) fn host_key(&self, kind: &str) -> String {
        let text = fs::read_to_string(self.folder.path().join(format!("host_{kind}.pub"))).unwrap();
        text.split(' ').take(2).collect::<Vec<_>>().join(" ")
    }

    /// Writes a `known_hosts`.
    pub(crate) fn known_hosts(&self, text: &str) -> PathBuf {
        let file = self.folder.path().join("known_hosts");
        fs::write(&file, text).unwrap();
        file
    }
}

fn write_script(file: &Path, script: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    fs::write(file, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
    file.to_owned()
}

/// Who runs the tests, and whom sshd therefore lets in.
fn user() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A key pair without a passphrase: `file` and `file.pub`.
pub(crate) fn keygen(file: &Path, kind: &str) {
    let _ = fs::remove_file(file);
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-t", kind, "-N", "", "-C", ""]);
    if kind == "rsa" {
        command.args(["-b", "2048"]);
    }
    assert!(command.arg("-f").arg(file).status().expect("ssh-keygen is needed").success());
}
