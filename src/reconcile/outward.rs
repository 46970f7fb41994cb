//! What all requests that carry a secret to an address of the operator's choice share: where it may go, and how it is read.

use std::path::Path;
use std::time::Duration;

use reqwest::Url;

use super::source::read_file;
use crate::http;

/// A secret is a line of text.
const MAX_SECRET_BYTES: u64 = 4096;

/// An address and its host, if a secret may go there: over https, or to this machine, and with no login in it.
pub(super) fn address(text: &str) -> Option<(Url, String)> {
    let url = Url::parse(text).ok()?;
    let host = url.host_str()?.to_owned();
    let is_local = matches!(host.as_str(), "127.0.0.1" | "localhost" | "[::1]");
    let has_login = !url.username().is_empty() || url.password().is_some();
    let is_protected = url.scheme() == "https" || (url.scheme() == "http" && is_local);
    (is_protected && !has_login).then_some((url, host))
}

/// A client whose secrets go to the configured host alone: it follows no redirect.
pub(super) fn client(time_limit: Duration) -> reqwest::Result<reqwest::Client> {
    http::client(time_limit).build()
}

/// What a file of a secret holds; the error is the cause, for the operator.
pub(super) fn secret(file: &Path) -> Result<Vec<u8>, String> {
    read_file(file, MAX_SECRET_BYTES).map_err(|problem| format!("{problem:?}"))
}
