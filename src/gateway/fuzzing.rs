//! What the targets under `fuzz/` feed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "for tests and fuzzing only"
)]

use std::sync::{Arc, LazyLock};

use time::OffsetDateTime;

pub use super::api::fuzzing::{exchanges, seeds, stream_seeds, streams};
use super::fixture::{KEY_ID, LOCAL, SECRET, clusters, served, view, zone};
use super::sasl::{Attempt, Step};
use super::view::GatewayView;
use crate::sasl::Mechanism;

/// `{"alg":"EdDSA","kid":"k"}.{"iss":"https://i","aud":"k","exp":1}`, and a signature that is none.
const BEARER: &str =
    "eyJhbGciOiJFZERTQSIsImtpZCI6ImsifQ.eyJpc3MiOiJodHRwczovL2kiLCJhdWQiOiJrIiwiZXhwIjoxfQ.AAAA";

/// A login's tokens: the mechanism, then each with its length.
///
/// # Panics
/// When one is accepted that does not hold the secret. SCRAM's proof is made from a fresh nonce, which no input can know.
pub fn logins(data: &[u8]) {
    static VIEW: LazyLock<GatewayView> =
        LazyLock::new(|| view(&served(1, vec![zone("acme", &[("orders", "backing")])]), &clusters(&[])));
    let Some((&mechanism, mut rest)) = data.split_first() else { return };
    // Beside those with a secret there is OAUTHBEARER, here with nobody's tokens.
    let mechanism = Mechanism::ALL.get(usize::from(mechanism) % (Mechanism::ALL.len() + 1));
    let mut attempt = mechanism.map_or_else(|| Attempt::Bearer(Arc::default()), |it| Attempt::new(*it));
    while let Some((&len, after)) = rest.split_first_chunk() {
        let (token, after) = after.split_at(usize::from(u16::from_be_bytes(len)).min(after.len()));
        attempt = match attempt.advance(&VIEW, LOCAL, token, OffsetDateTime::UNIX_EPOCH) {
            Step::Challenge(_, next) => next,
            Step::Accepted(..) => {
                let proved = token.windows(SECRET.len()).any(|part| part == SECRET.as_bytes());
                return assert!(proved, "accepted without the secret");
            }
            Step::Refused => return,
        };
        rest = after;
    }
}

/// Inputs for [`logins`] as clients send them.
pub fn login_seeds() -> Vec<Vec<u8>> {
    let of = |mechanism: u8, tokens: &[String]| {
        let token = |token: &String| {
            [&u16::try_from(token.len()).unwrap().to_be_bytes()[..], token.as_bytes()].concat()
        };
        [vec![mechanism], tokens.iter().flat_map(token).collect()].concat()
    };
    let first = format!("n,,n={KEY_ID},r=rOprNGfwEbeRWgbNEkqO");
    let last = "c=biws,r=rOprNGfwEbeRWgbNEkqO,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=".to_owned();
    vec![
        of(0, &[format!("\0{KEY_ID}\0{SECRET}")]),
        of(0, &["\0acme-app\0wrong".to_owned()]),
        of(1, &[first.clone(), last.clone()]),
        of(2, &[first, last]),
        of(3, &[format!("n,a=acme-app,\x01auth=Bearer {BEARER}\x01trace=1\x01\x01"), "\x01".to_owned()]),
    ]
}
