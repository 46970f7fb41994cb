use std::fs;
use std::path::PathBuf;

use partner_zones::reconcile::source::{GitConfig, History, Snapshot, Source, SourceError, Verify};
use partner_zones::zone::Revision;

use super::{Hosted, MAIN, content};
use crate::support::sshd::keygen;

impl Hosted {
    /// A key pair of this person, and its public half among those that count.
    fn person(&self, name: &str, kind: &str) -> PathBuf {
        let file = self.stranger(name, kind);
        let public = fs::read_to_string(file.with_extension("pub")).unwrap();
        fs::create_dir_all(self.keys()).unwrap();
        fs::write(self.keys().join(format!("{name}.pub")), public).unwrap();
        file
    }

    fn stranger(&self, name: &str, kind: &str) -> PathBuf {
        let file = self.scratch.path().join(name);
        match kind.strip_prefix("ecdsa-") {
            Some(bits) => {
                let mut command = std::process::Command::new("ssh-keygen");
                command.args(["-q", "-t", "ecdsa", "-b", bits, "-N", "", "-C", "", "-f"]).arg(&file);
                assert!(command.status().unwrap().success());
            }
            None => keygen(&file, kind),
        }
        file
    }

    fn keys(&self) -> PathBuf {
        self.scratch.path().join("keys")
    }

    /// Commits with a signature of this key, pushes, and gives the commit's id.
    fn push_signed(&self, key: &std::path::Path, content: &str) -> String {
        self.repository.write("zones/acme.yaml", content);
        self.commit_signed(key, content);
        self.repository.git(&["push", "--quiet", "--force", "origin", "main"]);
        self.repository.git(&["rev-parse", "HEAD"])
    }

    fn commit_signed(&self, key: &std::path::Path, message: &str) {
        self.repository.git(&["add", "--all"]);
        let key = format!("user.signingkey={}", key.display());
        let signing = [
            "-c",
            "gpg.format=ssh",
            "-c",
            &key,
            "commit",
            "--quiet",
            "-S",
            "--allow-empty",
            "--message",
            message,
        ];
        self.repository.git(&signing);
    }

    fn source(&self, verify: Verify) -> Source {
        let url = self.repository.url();
        Source::git(GitConfig { verify, ..self.config(url.to_str().unwrap()) }).unwrap()
    }

    async fn head(&self) -> Result<Snapshot, SourceError> {
        self.source(Verify::Head(self.keys())).read(History::default()).await
    }

    async fn range(&self, applied: &str) -> Result<Snapshot, SourceError> {
        let history = History::after(Some(Revision::commit(MAIN, applied)));
        self.source(Verify::Range(self.keys())).read(history).await
    }
}

#[tokio::test]
async fn every_kind_of_key_that_git_signs_with_is_checked_and_its_person_named() {
    let hosted = Hosted::new();
    for kind in ["ed25519", "ecdsa-256", "ecdsa-384", "rsa"] {
        let key = hosted.person(kind, kind);
        hosted.push_signed(&key, kind);
        let snapshot = hosted.head().await.unwrap();
        assert_eq!(content(&snapshot), kind);
        let signer = snapshot.commit.unwrap().signer.unwrap();
        assert_eq!(signer.person, kind);
        let shown = std::process::Command::new("ssh-keygen").arg("-lf").arg(&key).output().unwrap();
        assert!(String::from_utf8(shown.stdout).unwrap().contains(&signer.fingerprint), "{signer:?}");
    }
}

#[tokio::test]
async fn what_is_unsigned_unknown_or_tampered_with_is_held_with_commit_and_author_named() {
    let hosted = Hosted::new();
    let ada = hosted.person("ada", "ed25519");
    let unsigned = hosted.push("unsigned");
    let error = hosted.head().await.unwrap_err();
    assert_eq!(error.reason(), "Unsigned");
    let text = error.to_string();
    assert!(text.contains(&unsigned) && text.contains("Test <test@example.com>"), "{text}");

    let mallory = hosted.stranger("mallory", "ed25519");
    hosted.push_signed(&mallory, "by a stranger");
    let error = hosted.head().await.unwrap_err();
    assert!(error.reason() == "UnknownSigner" && error.to_string().contains("SHA256:"), "{error}");

    // The same signature over another message.
    hosted.push_signed(&ada, "signed");
    let signed = hosted.repository.git(&["cat-file", "commit", "HEAD"]);
    let forged = write_commit(&hosted, &signed.replace("\n\nsigned", "\n\nforged"));
    hosted.repository.git(&["push", "--quiet", "--force", "origin", &format!("{forged}:{MAIN}")]);
    assert_eq!(hosted.head().await.unwrap_err().reason(), "BadSignature");

    // OpenPGP is not checked here, and is not taken for good.
    let armor = signed.replace("SSH SIGNATURE", "PGP SIGNATURE");
    let pgp = write_commit(&hosted, &armor);
    hosted.repository.git(&["push", "--quiet", "--force", "origin", &format!("{pgp}:{MAIN}")]);
    assert_eq!(hosted.head().await.unwrap_err().reason(), "UnsupportedSignature");

    // A key that is taken out of the folder counts no longer.
    hosted.push_signed(&ada, "good");
    hosted.head().await.unwrap();
    fs::rename(hosted.keys().join("ada.pub"), hosted.scratch.path().join("ada.old")).unwrap();
    assert_eq!(hosted.head().await.unwrap_err().reason(), "VerifyKeysUnusable");
}

/// Writes a commit object as it is given.
fn write_commit(hosted: &Hosted, text: &str) -> String {
    let file = hosted.scratch.path().join("commit");
    fs::write(&file, format!("{text}\n")).unwrap();
    hosted.repository.git(&["hash-object", "-t", "commit", "-w", file.to_str().unwrap()])
}

#[tokio::test]
async fn a_range_is_every_commit_since_the_one_in_force_of_all_parents() {
    let hosted = Hosted::new();
    let ada = hosted.person("ada", "ed25519");
    let legacy = hosted.push("legacy, unsigned");
    // The first time, the head speaks for itself: what came before is as it is.
    let first = hosted.push_signed(&ada, "first");
    let source = hosted.source(Verify::Range(hosted.keys()));
    assert!(source.read(History::default()).await.is_ok());
    drop(source);
    assert!(hosted.range(&first).await.is_ok());
    assert_eq!(hosted.range(&legacy).await.unwrap().commit.unwrap().signer.unwrap().person, "ada");

    // A signed merge that carries unsigned work.
    hosted.repository.git(&["checkout", "--quiet", "-b", "side"]);
    hosted.repository.write("zones/side.yaml", "side");
    hosted.repository.git(&["add", "--all"]);
    hosted.repository.git(&["commit", "--quiet", "--message", "unsigned side"]);
    let side = hosted.repository.git(&["rev-parse", "HEAD"]);
    hosted.repository.git(&["checkout", "--quiet", "main"]);
    hosted.commit_signed(&ada, "signed main");
    hosted.repository.git(&["merge", "--quiet", "--no-ff", "--no-commit", "side"]);
    hosted.push_signed(&ada, "signed merge");
    assert!(hosted.head().await.is_ok(), "head asks for no more than the head");
    let error = hosted.range(&first).await.unwrap_err();
    assert!(error.reason() == "Unsigned" && error.to_string().contains(&side), "{error}");
}

#[tokio::test]
async fn an_old_signed_commit_cannot_be_played_back() {
    let hosted = Hosted::new();
    let ada = hosted.person("ada", "ed25519");
    let shared = hosted.push_signed(&ada, "shared");
    let revoked = hosted.push_signed(&ada, "revoked");
    hosted.range(&shared).await.unwrap();
    hosted.repository.git(&["push", "--quiet", "--force", "origin", &format!("{shared}:{MAIN}")]);
    assert_eq!(hosted.range(&revoked).await.unwrap_err().reason(), "SourceRewritten");
    // A lost mirror changes nothing: the state says what is in force.
    fs::remove_dir_all(hosted.scratch.path().join("mirrors")).unwrap();
    assert_eq!(hosted.range(&revoked).await.unwrap_err().reason(), "SourceRewritten");
}
