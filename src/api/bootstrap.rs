//! The first key: without one, nobody could make another.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use thiserror::Error;
use time::OffsetDateTime;

use super::key;
use crate::secret::Secret;
use crate::store::{Change, Store, StoreError};
use crate::zone::{ApiKey, ApiKeyRole};

/// Far more than a key has.
const MAX_FILE_BYTES: u64 = 1024;

/// Why there is no first key.
#[derive(Debug, Error)]
pub enum BootstrapError {
    #[error(
        "the first admin key is not made: {path} exists already, and {cause}; remove the file, or name another one with \
         `http.bootstrapKeyFile`"
    )]
    NotOurs { path: String, cause: &'static str },
    #[error(
        "the first admin key cannot be written to {path}: {cause}; create its folder, or set `http.bootstrapKeyFile`"
    )]
    CannotWrite { path: String, cause: io::Error },
    #[error("the first admin key cannot be stored: {0}")]
    Store(#[from] StoreError),
}

/// Makes the first admin key if the state has none, and writes it to `file` with mode 0600. Only the leader may call it.
///
/// The file is written before the state, since a key that exists nowhere else would be lost. So a file with a key in it is
/// what a process left that was killed in between, or whose commit may or may not have been made: its key becomes the
/// first one. It may belong to its owner only.
pub async fn create_first_key(store: &dyn Store, file: &Path) -> Result<(), BootstrapError> {
    let state = store.state().borrow().clone();
    if state.is_none_or(|state| !state.api_keys.is_empty()) {
        return Ok(());
    }
    let now = OffsetDateTime::now_utc();
    let path = file.display().to_string();
    let kept = if let Some(left) = left_behind(file, now)? {
        left
    } else {
        let (kept, shown) = key::new_api_key(ApiKeyRole::Admin, now);
        write_new(file, &shown).map_err(|cause| BootstrapError::CannotWrite { path: path.clone(), cause })?;
        kept
    };
    store.commit(vec![Change::PutApiKey(kept)]).await?;
    tracing::info!(file = %path, "made the first admin key");
    Ok(())
}

/// The key in the file, if there is a file.
fn left_behind(path: &Path, now: OffsetDateTime) -> Result<Option<ApiKey>, BootstrapError> {
    let not_ours = |cause| BootstrapError::NotOurs { path: path.display().to_string(), cause };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(_) => return Err(not_ours("it cannot be read")),
    };
    let about = file.metadata().map_err(|_| not_ours("it cannot be read"))?;
    if !about.is_file() {
        return Err(not_ours("it is not a regular file"));
    }
    if about.mode() & 0o077 != 0 {
        return Err(not_ours("others than its owner may read or write it"));
    }
    let mut text = String::new();
    file.take(MAX_FILE_BYTES).read_to_string(&mut text).map_err(|_| not_ours("it holds no API key"))?;
    let text = Secret::new(text);
    let kept = key::adopted(text.expose().trim_end(), ApiKeyRole::Admin, now);
    kept.map(Some).ok_or_else(|| not_ours("it holds no API key"))
}

/// Under its name the file is whole or not there.
fn write_new(path: &Path, key: &Secret<String>) -> io::Result<()> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".new");
    let unfinished = Path::new(&unfinished);
    match std::fs::remove_file(unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(unfinished)?;
    file.write_all(key.expose().as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    std::fs::rename(unfinished, path)
}
