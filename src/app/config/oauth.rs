//! `oauth.issuers`: whose tokens open zones for OAUTHBEARER.

use std::time::Duration;

use reqwest::Url;

use super::parse;
use super::resolve::{Reader, path};
use super::settings::Setting;
use crate::gateway::{IssuerConfig, Refresh};
use crate::issuer::is_protected;
use crate::policy::token::{Algorithm, Rules};
use crate::zone::IssuerName;

/// An issuer whose clock is further away than this is to be corrected, not allowed for.
const MOST_SKEW: Duration = Duration::from_mins(5);

/// In the order of the file: the first is the one of zones that name none.
pub(super) fn issuers(reader: &mut Reader<'_>) -> Vec<IssuerConfig> {
    let mut issuers: Vec<IssuerConfig> = Vec::new();
    for first in reader.settings.names_below(&["oauth", "issuers"]) {
        let Some(name) = first.path.get(2) else { continue };
        let Some(issuer) = issuer(reader, name, first) else { continue };
        // A token names its issuer by this address.
        if let Some(other) = issuers.iter().find(|other| other.rules.issuer == issuer.rules.issuer) {
            reader.report(first, &format!("is the same issuer as `oauth.issuers.{}`; keep one", other.name));
        }
        issuers.push(issuer);
    }
    issuers
}

fn issuer(reader: &mut Reader<'_>, name: &str, first: &Setting) -> Option<IssuerConfig> {
    let key = |last: &'static str| ["oauth", "issuers", name, last];
    let issuer_name = match IssuerName::try_from(name) {
        Ok(name) => Some(name),
        Err(problem) => {
            reader.report(first, &format!("names an issuer `{name}`, which {problem}"));
            None
        }
    };
    for needed in ["issuer", "audience"] {
        if reader.settings.get(&key(needed)).is_none() {
            reader.report(first, &format!("is set, but `oauth.issuers.{name}.{needed}` is missing"));
        }
    }
    let issuer = reader.optional(&key("issuer"), |text| address(text).map(|_| text.to_owned()));
    let jwks_url = reader.optional(&key("jwksUrl"), address);
    let defaults = Refresh::default();
    let rules = Rules {
        issuer: issuer.unwrap_or_default(),
        audiences: words(reader, &key("audience")),
        algorithms: algorithms(reader, &key("algorithms")),
        clock_skew: reader.or(&key("clockSkew"), Duration::from_secs(30), skew),
        subject_claim: reader.or(&key("subjectClaim"), "sub".to_owned(), parse::not_empty),
        scopes: words(reader, &key("scopes")),
    };
    let refresh = Refresh {
        interval: reader.or(&key("refreshInterval"), defaults.interval, parse::interval),
        unknown_key: reader.or(&key("unknownKeyInterval"), defaults.unknown_key, parse::interval),
        keep: reader.or(&key("keepKeys"), defaults.keep, kept),
    };
    let ca_file = reader.optional(&key("caFile"), path);
    Some(IssuerConfig { name: issuer_name?, rules, jwks_url, ca_file, refresh })
}

/// What comes from there decides who gets in.
pub(super) fn address(text: &str) -> Result<Url, String> {
    let wrong = || format!("is `{text}`; wanted is an https address such as https://login.example.com/realm");
    let url = Url::parse(text).map_err(|_| wrong())?;
    if !is_protected(&url) {
        return Err(format!("is `{text}`; wanted is https, and http to this machine alone"));
    }
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    if plain { Ok(url) } else { Err(wrong()) }
}

/// One word or several, none of which is empty or has a space in it.
pub(super) fn words(reader: &mut Reader<'_>, at: &[&str]) -> Vec<String> {
    let words = reader.list(at);
    if let Some(setting) = reader.settings.get(at)
        && (words.is_empty()
            || words.iter().any(|word| word.is_empty() || word.contains(char::is_whitespace)))
    {
        reader.report(setting, "has an empty entry or one with a space in it; write a list of words");
    }
    words
}

fn algorithms(reader: &mut Reader<'_>, at: &[&str]) -> Vec<Algorithm> {
    let Some(setting) = reader.settings.get(at) else { return Algorithm::ALL.to_vec() };
    let mut algorithms = Vec::new();
    for name in reader.list(at) {
        match name.parse() {
            Ok(algorithm) => algorithms.push(algorithm),
            Err(unknown) => reader.report(setting, &format!("is not possible: {unknown}")),
        }
    }
    if setting.value.texts().is_empty() {
        reader.report(setting, "is empty: no token could be accepted");
    }
    algorithms
}

fn skew(text: &str) -> Result<Duration, String> {
    parse::within(text, Duration::ZERO..=MOST_SKEW, "at most 5m is possible")
}

/// How long an issuer may be away.
fn kept(text: &str) -> Result<Duration, String> {
    let sensible = Duration::from_mins(1)..=Duration::from_hours(7 * 24);
    parse::within(text, sensible, "wanted is something between 1m and 7d")
}
