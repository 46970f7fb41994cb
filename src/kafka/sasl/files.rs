//! Logins from a folder: `<name>.properties` each, in the spelling of Java and librdkafka. Somebody else makes these users and changes
//! their passwords, so a file is read whenever its login is needed.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use thiserror::Error;
use zeroize::Zeroizing;

use super::Credentials;
use crate::sasl::Mechanism;
use crate::secret::Secret;

/// The largest file that is read, in bytes: three lines.
const MAX_BYTES: u64 = 16 * 1024;
/// Names that come and go must not fill the memory: beyond this many, all are read anew.
const KEPT: usize = 20_000;
/// Permissions of whoever is neither the owner nor of the group.
const OTHERS: u32 = 0o007;

const MECHANISM: [&str; 2] = ["sasl.mechanism", "sasl.mechanisms"];
const USERNAME: &str = "sasl.username";
const PASSWORD: &str = "sasl.password";

/// A folder of logins. Clones share what was read.
#[derive(Debug, Clone)]
pub struct LoginFiles(Arc<Folder>);

struct Folder {
    path: PathBuf,
    /// Of files that name none.
    mechanism: Mechanism,
    kept: Mutex<HashMap<String, Kept>>,
}

/// The same text is the same login, whose salted passwords are worth keeping.
struct Kept {
    text: Secret<String>,
    credentials: Credentials,
}

/// The file that a login was read from.
#[derive(Debug, Clone)]
pub(super) struct LoginFile {
    files: LoginFiles,
    name: String,
}

/// Why a file gives no login. Nothing of what stands in it is repeated.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{} {fault}", path.display())]
pub struct LoginFileError {
    pub path: PathBuf,
    pub fault: LoginFileFault,
}

/// What is wrong with it; a sentence that goes on after its path.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LoginFileFault {
    #[error("is missing")]
    Missing,
    #[error("cannot be read: {0}")]
    Unreadable(io::ErrorKind),
    #[error("is no regular file")]
    NotAFile,
    #[error("may be read or written by others than its owner and group (mode {0:o}): chmod 640 or 600")]
    OpenToOthers(u32),
    #[error("is larger than {MAX_BYTES} bytes")]
    TooLarge,
    #[error("is not UTF-8")]
    NotText,
    #[error("has no NAME=VALUE in line {0}")]
    NotAProperty(usize),
    #[error(
        "sets something else in line {0} than sasl.mechanism, sasl.username and sasl.password: it would have no effect, take it out"
    )]
    Unknown(usize),
    #[error("sets in line {0} what is set before")]
    Twice(usize),
    #[error("has a control character in line {0}")]
    Control(usize),
    #[error("has no {0}")]
    NotSet(&'static str),
    #[error("has a sasl.mechanism that is none of PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512")]
    Mechanism,
}

impl LoginFiles {
    /// `mechanism` is that of files that name none.
    pub fn new(folder: PathBuf, mechanism: Mechanism) -> Self {
        Self(Arc::new(Folder { path: folder, mechanism, kept: Mutex::default() }))
    }

    /// Where the login of this name is. A name has no slash, and is neither `.` nor `..`.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path.join(format!("{name}.properties"))
    }

    /// The login of this name as it is now. Reads a file: not on a thread that serves connections.
    ///
    /// # Errors
    /// There is no such file, others may read it, or it is no login.
    pub fn read(&self, name: &str) -> Result<Credentials, LoginFileError> {
        let path = self.path(name);
        let faulty = |fault| LoginFileError { path: path.clone(), fault };
        let text = contents(&path).map_err(faulty)?;
        let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let credentials = match kept.get(name).filter(|known| known.text.expose() == text.expose()) {
            Some(known) => known.credentials.clone(),
            None => login(text.expose(), self.0.mechanism).map_err(faulty)?,
        };
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(name.to_owned(), Kept { text, credentials: credentials.clone() });
        let file = LoginFile { files: self.clone(), name: name.to_owned() };
        Ok(Credentials { file: Some(file), ..credentials })
    }

    /// The same, on a thread for such work.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub async fn latest(&self, name: &str) -> Result<Credentials, LoginFileError> {
        let (files, wanted) = (self.clone(), name.to_owned());
        let reading = tokio::task::spawn_blocking(move || files.read(&wanted));
        let stopped = LoginFileFault::Unreadable(io::ErrorKind::Interrupted);
        reading.await.unwrap_or_else(|_| Err(LoginFileError { path: self.path(name), fault: stopped }))
    }
}

impl fmt::Debug for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Folder").field("path", &self.path).finish_non_exhaustive()
    }
}

impl LoginFile {
    pub(super) async fn read(&self) -> Result<Credentials, LoginFileError> {
        self.files.latest(&self.name).await
    }
}

fn contents(path: &Path) -> Result<Secret<String>, LoginFileFault> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => LoginFileFault::Missing,
        kind => LoginFileFault::Unreadable(kind),
    };
    // Before it is opened: to open what is no file can take for ever.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(LoginFileFault::NotAFile);
    }
    let file = File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.mode() & 0o777;
    if mode & OTHERS != 0 {
        return Err(LoginFileFault::OpenToOthers(mode));
    }
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_BYTES {
        return Err(LoginFileFault::TooLarge);
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| LoginFileFault::NotText)?;
    Ok(Secret::new(text.to_owned()))
}

/// Values are taken as they are, without escapes; white space around them is not part of them.
fn login(text: &str, mechanism: Mechanism) -> Result<Credentials, LoginFileFault> {
    let (mut of_file, mut username, mut password) = (None, None, None);
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        if line.chars().any(char::is_control) {
            return Err(LoginFileFault::Control(number));
        }
        let (name, value) = line.split_once('=').ok_or(LoginFileFault::NotAProperty(number))?;
        let place = match name.trim_end() {
            name if MECHANISM.contains(&name) => &mut of_file,
            USERNAME => &mut username,
            PASSWORD => &mut password,
            _ => return Err(LoginFileFault::Unknown(number)),
        };
        if place.replace(value.trim_start()).is_some() {
            return Err(LoginFileFault::Twice(number));
        }
    }
    let set = |name, value: Option<&str>| {
        value.filter(|value| !value.is_empty()).map(str::to_owned).ok_or(LoginFileFault::NotSet(name))
    };
    let mechanism = match of_file {
        Some(name) => name.parse().map_err(|_| LoginFileFault::Mechanism)?,
        None => mechanism,
    };
    Ok(Credentials::new(mechanism, set(USERNAME, username)?, Secret::new(set(PASSWORD, password)?)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const GOOD: &str = "# made by the cloud\nsasl.username = acme-app\nsasl.password=a=b \\ c\n";

    fn put(folder: &Path, name: &str, text: &[u8], mode: u32) {
        let path = folder.join(format!("{name}.properties"));
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_file_is_read_as_it_is_now_and_the_same_text_is_the_same_login() {
        let folder = tempfile::tempdir().unwrap();
        let files = LoginFiles::new(folder.path().to_owned(), Mechanism::ScramSha256);
        put(folder.path(), "acme", GOOD.as_bytes(), 0o440);
        let first = files.read("acme").unwrap();
        assert_eq!((first.mechanism, first.username.as_str()), (Mechanism::ScramSha256, "acme-app"));
        assert_eq!(first.password.expose(), "a=b \\ c");
        assert!(Arc::ptr_eq(&first.salted, &files.read("acme").unwrap().salted));
        assert!(!format!("{first:?} {files:?}").contains("a=b"), "a secret never shows");
        std::fs::remove_file(files.path("acme")).unwrap();
        assert_eq!(files.read("acme").unwrap_err().fault, LoginFileFault::Missing);
        put(folder.path(), "acme", b"sasl.mechanisms=PLAIN\r\nsasl.username=u\r\nsasl.password=p\r\n", 0o600);
        let next = files.read("acme").unwrap();
        assert_eq!((next.mechanism, next.password.expose().as_str()), (Mechanism::Plain, "p"));
        assert!(!Arc::ptr_eq(&first.salted, &next.salted));
    }

    #[test]
    fn what_is_no_login_says_why_and_nothing_of_what_it_holds() {
        use LoginFileFault as F;
        let folder = tempfile::tempdir().unwrap();
        let files = LoginFiles::new(folder.path().to_owned(), Mechanism::Plain);
        let with = |more: &str| format!("{GOOD}{more}").into_bytes();
        for (text, mode, wanted) in [
            (with(""), 0o644, F::OpenToOthers(0o644)),
            (with(""), 0o602, F::OpenToOthers(0o602)),
            (with("hunter2"), 0o600, F::NotAProperty(4)),
            (with("security.protocol=SSL"), 0o600, F::Unknown(4)),
            (with("sasl.password=hunter2"), 0o600, F::Twice(4)),
            (with("sasl.mechanism=GSSAPI"), 0o600, F::Mechanism),
            (with("sasl.mechanism=PL\u{0}AIN"), 0o600, F::Control(4)),
            (b"sasl.username=u".to_vec(), 0o600, F::NotSet("sasl.password")),
            (b"sasl.username=\nsasl.password=p".to_vec(), 0o600, F::NotSet("sasl.username")),
            (vec![0xff], 0o600, F::NotText),
            (vec![b'#'; 16 * 1024 + 1], 0o600, F::TooLarge),
        ] {
            put(folder.path(), "acme", &text, mode);
            let error = files.read("acme").unwrap_err();
            assert_eq!(error.fault, wanted);
            let shown = error.to_string();
            assert!(shown.contains("acme.properties") && !shown.contains("hunter2"), "{shown}");
        }
        std::fs::create_dir(folder.path().join("folder.properties")).unwrap();
        assert_eq!(files.read("folder").unwrap_err().fault, F::NotAFile);
    }

    #[tokio::test]
    async fn a_login_is_renewed_by_its_file_or_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let files = LoginFiles::new(folder.path().to_owned(), Mechanism::Plain);
        put(folder.path(), "acme", b"sasl.username=u\nsasl.password=one", 0o600);
        let first = files.latest("acme").await.unwrap();
        put(folder.path(), "acme", b"sasl.username=u\nsasl.password=two", 0o600);
        assert_eq!(first.renewed().await.password.expose(), "two");
        std::fs::remove_file(files.path("acme")).unwrap();
        assert_eq!(first.renewed().await.password.expose(), "one");
        let written = Credentials::new(Mechanism::Plain, "u".to_owned(), Secret::new("p".to_owned()));
        assert_eq!(written.renewed().await.password.expose(), "p");
    }
}
