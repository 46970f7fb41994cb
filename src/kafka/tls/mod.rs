//! What both sides of TLS have in common: certificates and keys out of PEM files, taken again when the files change.

mod files;
#[cfg(test)]
pub(crate) mod fixture;
mod shown;
mod upstream;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;

pub use self::files::{FromFiles, Refreshed};
pub use self::shown::{Showing, ShownCertificate};
pub use self::upstream::{UpstreamTls, UpstreamTlsFiles, client_config, explain};

/// Why files cannot be used for TLS. Every text names the file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TlsError {
    #[error("{path} cannot be read: {cause}")]
    Unreadable { path: PathBuf, cause: String },
    #[error("{path} is {size} bytes long, at most {LARGEST_FILE} are read; is it the right file?")]
    TooLarge { path: PathBuf, size: u64 },
    #[error("{path} holds no {what} in PEM form (`-----BEGIN {label}-----`)")]
    Empty { path: PathBuf, what: &'static str, label: &'static str },
    #[error("{path} is not valid PEM: {cause}")]
    Pem { path: PathBuf, cause: String },
    #[error("the key in {path} is encrypted; give it without a passphrase, readable by this process alone")]
    EncryptedKey { path: PathBuf },
    #[error("the certificate in {certificate} and the key in {key} cannot be used: {cause}")]
    Pair { certificate: PathBuf, key: PathBuf, cause: String },
    #[error("a certificate in {path} cannot be used as an authority: {cause}")]
    Authority { path: PathBuf, cause: String },
    #[error("{path} is no list of revoked certificates: {cause}")]
    Revoked { path: PathBuf, cause: String },
    #[error(
        "the system has no usable root certificates ({0}); install ca-certificates or set ssl.ca.location"
    )]
    NoSystemRoots(String),
    #[error("TLS cannot be set up: {0}")]
    Setup(String),
}

/// Far above any chain; the system's bundle of all public authorities has 200 KiB.
const LARGEST_FILE: u64 = 4 << 20;

/// The one cryptography that everything here uses.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let unreadable =
        |cause: std::io::Error| TlsError::Unreadable { path: path.to_owned(), cause: cause.to_string() };
    let size = std::fs::metadata(path).map_err(unreadable)?.len();
    if size > LARGEST_FILE {
        return Err(TlsError::TooLarge { path: path.to_owned(), size });
    }
    std::fs::read(path).map_err(unreadable)
}

/// All certificates of a file, in its order: a server's own comes first.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bytes = read(path)?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let certificates =
        read.map_err(|cause| TlsError::Pem { path: path.to_owned(), cause: cause.to_string() })?;
    if certificates.is_empty() {
        return Err(TlsError::Empty { path: path.to_owned(), what: "certificate", label: "CERTIFICATE" });
    }
    Ok(certificates)
}

/// The first private key of a file: PKCS#8, PKCS#1 or SEC1.
pub fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    const ENCRYPTED: &[u8] = b"ENCRYPTED";
    let bytes = read(path)?;
    match PrivateKeyDer::from_pem_slice(&bytes) {
        Ok(key) => Ok(key),
        Err(_) if bytes.windows(ENCRYPTED.len()).any(|part| part == ENCRYPTED) => {
            Err(TlsError::EncryptedKey { path: path.to_owned() })
        }
        Err(rustls::pki_types::pem::Error::NoItemsFound) => {
            Err(TlsError::Empty { path: path.to_owned(), what: "private key", label: "PRIVATE KEY" })
        }
        Err(cause) => Err(TlsError::Pem { path: path.to_owned(), cause: cause.to_string() }),
    }
}

/// The authorities of a file.
pub fn authorities(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots
            .add(certificate)
            .map_err(|cause| TlsError::Authority { path: path.to_owned(), cause: cause.to_string() })?;
    }
    Ok(roots)
}

#[cfg(test)]
mod tests;
