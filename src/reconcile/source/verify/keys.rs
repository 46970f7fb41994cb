//! Whose signatures count: public keys in a folder, one or more to a file.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest, Sha256};

use super::wire::Wire;
use crate::manifest::finding::printable;

/// Far above any list of people.
const LARGEST_FILE: u64 = 1 << 20;

/// Who signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// The key's comment, else the name of its file.
    pub person: String,
    /// `SHA256:…`, as `ssh-keygen -l` shows it.
    pub fingerprint: String,
}

/// Keys in their wire form, with the person each belongs to.
#[derive(Debug)]
pub(super) struct Keys(BTreeMap<Vec<u8>, String>);

impl Keys {
    /// Reads all of `folder`: `*.pub` and `*.sshpub`. Anything else in there is an error, since it may be meant as a key, or be
    /// a private one. Hidden names are passed over: orchestrators keep their own there.
    pub(super) fn load(folder: &Path) -> Result<Self, String> {
        let entries =
            fs::read_dir(folder).map_err(|error| format!("{} cannot be read: {error}", folder.display()))?;
        let mut files: Vec<PathBuf> = Vec::new();
        for entry in entries {
            files
                .push(entry.map_err(|error| format!("{} cannot be read: {error}", folder.display()))?.path());
        }
        files.retain(|file| file.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.')));
        files.sort();
        let mut keys = BTreeMap::new();
        for file in &files {
            let text = text(file)?;
            for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
            {
                let (key, comment) = key(line).ok_or_else(|| {
                    format!(
                        "{} has a line that is no public key: wanted is `ssh-ed25519 AAAA… name`, as ssh-keygen writes it",
                        file.display()
                    )
                })?;
                let stem = file.file_stem().unwrap_or_default().to_string_lossy();
                keys.insert(key, printable(if comment.is_empty() { &stem } else { &comment }));
            }
        }
        if keys.is_empty() {
            return Err(format!(
                "{} holds no public key: add a *.pub file for each person",
                folder.display()
            ));
        }
        Ok(Self(keys))
    }

    /// Whose key this is.
    pub(super) fn signer(&self, key: &[u8]) -> Option<Signer> {
        let person = self.0.get(key)?.clone();
        Some(Signer { person, fingerprint: fingerprint(key) })
    }
}

/// `SHA256:…` of a key in its wire form.
pub(super) fn fingerprint(key: &[u8]) -> String {
    format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(key)))
}

fn text(file: &Path) -> Result<String, String> {
    let shown = file.display();
    if !file.extension().is_some_and(|extension| extension == "pub" || extension == "sshpub") {
        return Err(format!("{shown} is no *.pub or *.sshpub file: keep only public keys in that folder"));
    }
    let size = fs::metadata(file).map_err(|error| format!("{shown} cannot be read: {error}"))?.len();
    if size > LARGEST_FILE {
        return Err(format!("{shown} is {size} bytes long, at most {LARGEST_FILE} are read"));
    }
    let text = fs::read_to_string(file).map_err(|error| format!("{shown} cannot be read: {error}"))?;
    if text.contains("PRIVATE KEY-----") {
        return Err(format!(
            "{shown} holds a PRIVATE key: remove it at once, and replace it wherever it is used"
        ));
    }
    Ok(text)
}

/// `kind base64 [comment]`; options in front are not understood.
fn key(line: &str) -> Option<(Vec<u8>, String)> {
    let mut fields = line.split_ascii_whitespace();
    let (kind, encoded) = (fields.next()?, fields.next()?);
    let key = STANDARD.decode(encoded).ok()?;
    (Wire(&key).string()? == kind.as_bytes()).then_some(())?;
    Some((key, fields.collect::<Vec<_>>().join(" ")))
}

#[cfg(test)]
mod tests {
    use super::super::wire::put;
    use super::*;

    fn line(body: u8, comment: &str) -> String {
        let mut key = Vec::new();
        put(&mut key, b"ssh-ed25519");
        put(&mut key, &[body; 32]);
        format!("ssh-ed25519 {} {comment}\n", STANDARD.encode(key))
    }

    fn load(files: &[(&str, String)]) -> Result<Keys, String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        Keys::load(folder.path())
    }

    #[test]
    fn a_person_is_named_by_the_comment_or_by_the_file() {
        let team = format!("# the team\n\n{}{}", line(1, "Ada Lovelace <ada@example.com>"), line(2, ""));
        let keys =
            load(&[("team.pub", team), ("bob.sshpub", line(3, "")), (".data", "x".to_owned())]).unwrap();
        let people: Vec<&str> = keys.0.values().map(String::as_str).collect();
        assert_eq!(people, ["Ada Lovelace <ada@example.com>", "team", "bob"]);
        let (key, _) = key(&line(1, "")).unwrap();
        assert!(keys.signer(&key).unwrap().fingerprint.starts_with("SHA256:"));
        assert_eq!(keys.signer(b"other"), None);
    }

    #[test]
    fn what_is_no_public_key_is_an_error_and_not_passed_over() {
        let private = "-----BEGIN OPENSSH PRIVATE KEY-----\n".to_owned();
        let restricted = format!("cert-authority {}", line(1, ""));
        for (name, text, says) in [
            ("ada.pub", private.clone(), "PRIVATE key"),
            ("id_ed25519", private, "keep only public keys"),
            ("ada.pub", "nonsense".to_owned(), "no public key"),
            ("ada.pub", restricted, "no public key"),
            ("ada.pub", "# nobody\n".to_owned(), "holds no public key"),
            ("README.md", line(1, ""), "keep only public keys"),
        ] {
            let error = load(&[(name, text)]).unwrap_err();
            assert!(error.contains(says), "{name}: {error}");
        }
        assert!(load(&[]).is_err());
        assert!(Keys::load(Path::new("/nonexistent")).is_err());
    }
}
