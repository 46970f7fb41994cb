//! What requests to other servers have in common, whoever makes them.

use std::time::Duration;

use reqwest::{Client, ClientBuilder, Response};

/// A client for addresses of the operator's choice: it goes nowhere else, whatever it is answered.
pub fn client(time_limit: Duration) -> ClientBuilder {
    Client::builder()
        .timeout(time_limit)
        .user_agent("partner-zones")
        .redirect(reqwest::redirect::Policy::none())
}

/// The whole body of an answer; `None` if it has more than `most` bytes.
pub async fn body(mut answer: Response, most: usize) -> reqwest::Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if body.len().saturating_add(chunk.len()) > most {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

/// The cause behind all causes, without an address: the outer ones name it with everything in it, and a proxy's may hold a password.
pub fn innermost(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
