//! What a token says, once its signature is good.

use serde_json::{Map, Value};
use time::{Duration, OffsetDateTime};

use super::{Bearer, Refusal, Rules};

pub(super) fn check(
    claims: &Map<String, Value>,
    rules: &Rules,
    now: OffsetDateTime,
) -> Result<Bearer, Refusal> {
    let ends = session_end(claims, rules, now)?;
    if !texts(claims.get("aud")).any(|named| rules.audiences.iter().any(|ours| ours == named)) {
        return Err(Refusal::Audience);
    }
    let granted: Vec<&str> = ["scope", "scp"]
        .into_iter()
        .flat_map(|claim| texts(claims.get(claim)))
        .flat_map(str::split_ascii_whitespace)
        .collect();
    if !rules.scopes.iter().all(|wanted| granted.contains(&wanted.as_str())) {
        return Err(Refusal::Scope);
    }
    let subject = claims.get(&rules.subject_claim).and_then(Value::as_str).ok_or(Refusal::Subject)?;
    Ok(Bearer { subject: subject.to_owned(), ends })
}

/// A session ends when its token does. One that was let in after that, by the issuer's clock or ours, has the skew.
fn session_end(
    claims: &Map<String, Value>,
    rules: &Rules,
    now: OffsetDateTime,
) -> Result<OffsetDateTime, Refusal> {
    let skew = Duration::try_from(rules.clock_skew).unwrap_or(Duration::ZERO);
    let expires = claims.get("exp").and_then(instant).ok_or(Refusal::Expired)?;
    let latest = expires.checked_add(skew).unwrap_or(expires);
    if latest <= now {
        return Err(Refusal::Expired);
    }
    for claim in ["nbf", "iat"] {
        let Some(value) = claims.get(claim) else { continue };
        let from = instant(value).ok_or(Refusal::NotYet)?;
        if from.checked_sub(skew).unwrap_or(from) > now {
            return Err(Refusal::NotYet);
        }
    }
    Ok(if expires > now { expires } else { latest })
}

/// A `NumericDate`: seconds, perhaps with a fraction.
fn instant(value: &Value) -> Option<OffsetDateTime> {
    // A whole number of seconds beyond what a calendar holds is no time, and a fraction says nothing of interest.
    #[expect(clippy::cast_possible_truncation, reason = "saturates, and the calendar is far smaller")]
    let seconds = value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds.floor() as i64))?;
    OffsetDateTime::from_unix_timestamp(seconds).ok()
}

/// A claim that is one text or several.
fn texts(claim: Option<&Value>) -> impl Iterator<Item = &str> {
    let several = claim.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    claim.and_then(Value::as_str).into_iter().chain(several.iter().filter_map(Value::as_str))
}
