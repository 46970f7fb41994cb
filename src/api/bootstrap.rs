//! The first key: without one, nobody could make another.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use thiserror::Error;
use time::OffsetDateTime;

use super::key;
use crate::secret::Secret;
use crate::store::{Change, Store, StoreError};
use crate::zone::ApiKeyRole;

/// Why there is no first key.
#[derive(Debug, Error)]
pub enum BootstrapError {
    /// An old key may be in it, and somebody may rely on it.
    #[error(
        "the first admin key is not made: {0} exists already, but the state has no API key; remove the file, or name \
         another one with `http.bootstrapKeyFile`, and start again"
    )]
    FileExists(String),
    #[error(
        "the first admin key cannot be written to {path}: {cause}; create its folder, or set `http.bootstrapKeyFile`"
    )]
    CannotWrite { path: String, cause: std::io::Error },
    #[error("the first admin key cannot be stored: {0}")]
    Store(#[from] StoreError),
}

/// Makes the first admin key if the state has none, and writes it to `file` with mode 0600. Only the leader may call it.
/// The file is written before the state: a key that exists nowhere else would be lost.
pub async fn create_first_key(store: &dyn Store, file: &Path) -> Result<(), BootstrapError> {
    let state = store.state().borrow().clone();
    if state.is_none_or(|state| !state.api_keys.is_empty()) {
        return Ok(());
    }
    let (kept, shown) = key::new_api_key(ApiKeyRole::Admin, OffsetDateTime::now_utc());
    let path = file.display().to_string();
    write_new(file, &shown).map_err(|cause| match cause.kind() {
        std::io::ErrorKind::AlreadyExists => BootstrapError::FileExists(path.clone()),
        _ => BootstrapError::CannotWrite { path: path.clone(), cause },
    })?;
    if let Err(error) = store.commit(vec![Change::PutApiKey(kept)]).await {
        // Nothing was made, so the next leader must find the place free; a failure to remove is told by that one.
        let _ = std::fs::remove_file(file);
        return Err(error.into());
    }
    tracing::info!(file = %path, "made the first admin key");
    Ok(())
}

fn write_new(file: &Path, key: &Secret<String>) -> std::io::Result<()> {
    let mut created = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    created.write_all(key.expose().as_bytes())?;
    created.write_all(b"\n")?;
    created.sync_all()
}
