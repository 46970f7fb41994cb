//! `http.signIn`: where people sign in, beside API keys, and what they are here.

use reqwest::Url;

use super::environment::Environment;
use super::oauth::{address, words};
use super::parse;
use super::resolve::{Reader, path};
use super::settings::Setting;
use crate::api::{Freshness, OpenIdConfig};
use crate::issuer::is_protected;
use crate::policy::person::{RoleRule, Roles};
use crate::secret::Secret;
use crate::zone::{ApiKeyRole, TopicPattern, ZoneName};

const SECTION: [&str; 2] = ["http", "signIn"];

/// What cannot be left out.
const NEEDED: [&str; 4] = ["issuer", "clientId", "claim", "roles"];

/// Where the pages take an answer.
const CALLBACK: &str = "/ui/sign-in/callback";

/// Letters of the issuer's address and of a client's id: both are in every session, or in every address.
const MAX_LETTERS: usize = 255;

/// Bytes of a value that gives a role: it is in the session, which is in a cookie.
const MAX_VALUE: usize = 200;

/// Letters of what is written on a button.
const MAX_NAME: usize = 60;

/// Patterns of one owner.
const MAX_PATTERNS: usize = 100;

pub(super) fn sign_in(
    reader: &mut Reader<'_>,
    environment: &Environment,
    public_url: &str,
) -> Option<OpenIdConfig> {
    let first = reader.settings.names_below(&SECTION).into_iter().next()?;
    let at = |last: &'static str| ["http", "signIn", last];
    for needed in NEEDED {
        if reader.settings.get(&at(needed)).is_none() && reader.settings.names_below(&at(needed)).is_empty() {
            reader.report(first, &format!("is set, but `http.signIn.{needed}` is missing"));
        }
    }
    let issuer =
        reader.optional(&at("issuer"), |text| Ok((address(text)?, short(text, MAX_LETTERS)?.to_owned())));
    let host = issuer.as_ref().and_then(|(url, _)| url.host_str()).unwrap_or_default().to_owned();
    let name = reader.or(&at("name"), host, |text| short(text.trim(), MAX_NAME).map(str::to_owned));
    let client_id = reader.optional(&at("clientId"), |text| short(text, MAX_LETTERS).map(str::to_owned));
    let claim = reader.optional(&at("claim"), parse::not_empty);
    let roles = Roles { claim: claim.unwrap_or_default(), rules: rules(reader) };
    Some(OpenIdConfig {
        issuer: issuer.map(|(_, text)| text).unwrap_or_default(),
        name,
        client_id: client_id.unwrap_or_default(),
        client_secret: client_secret(reader, environment),
        scopes: scopes(reader),
        ca_file: reader.optional(&at("caFile"), path),
        redirect: redirect(reader, first, public_url)?,
        roles,
        freshness: Freshness::default(),
    })
}

/// One line of at most so many letters.
fn short(text: &str, most: usize) -> Result<&str, String> {
    if text.is_empty() || text.len() > most || text.chars().any(char::is_control) {
        return Err(format!("is not one line of 1 to {most} letters"));
    }
    Ok(text)
}

/// Codes and sessions come this way: not for everybody on it to read.
fn redirect(reader: &mut Reader<'_>, first: &Setting, public_url: &str) -> Option<Url> {
    let url = Url::parse(&format!("{public_url}{CALLBACK}")).ok().filter(is_protected);
    if url.is_none() {
        let problem = format!(
            "is set, and people come over {public_url}, where others can read along: set `http.publicUrl` to the https address of the pages"
        );
        reader.report(first, &problem);
    }
    url
}

/// Two places for one secret.
fn client_secret(reader: &mut Reader<'_>, environment: &Environment) -> Option<Secret<String>> {
    let (file, inline) = (["http", "signIn", "clientSecretFile"], ["http", "signIn", "clientSecret"]);
    if let (Some(_), Some(setting)) = (reader.settings.get(&file), reader.settings.get(&inline)) {
        reader.report(setting, "is set, and so is `http.signIn.clientSecretFile`; there is one secret");
    }
    let from_file = reader.optional(&file, |path| parse::secret(&format!("file:{path}"), environment));
    let from_text = reader.optional(&inline, |text| parse::secret(text, environment));
    from_file.or(from_text)
}

fn scopes(reader: &mut Reader<'_>) -> Vec<String> {
    let at = ["http", "signIn", "scopes"];
    let Some(setting) = reader.settings.get(&at) else {
        return ["openid", "profile", "email"].map(str::to_owned).to_vec();
    };
    let scopes = words(reader, &at);
    if !scopes.iter().any(|scope| scope == "openid") {
        reader.report(setting, "lacks `openid`, without which an issuer does not say who signs in");
    }
    scopes
}

/// In the order of the file: the first that fits counts.
fn rules(reader: &mut Reader<'_>) -> Vec<RoleRule> {
    let mut rules = Vec::new();
    for first in reader.settings.names_below(&["http", "signIn", "roles"]) {
        let Some(value) = first.path.get(3) else { continue };
        if let Err(problem) = short(value, MAX_VALUE) {
            reader.report(first, &format!("is for a value that {problem}"));
        }
        if let Some(role) = role(reader, value, first) {
            rules.push(RoleRule { value: value.clone(), role });
        }
    }
    rules
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Admin,
    Viewer,
    Owner,
    Partner,
}

fn role(reader: &mut Reader<'_>, value: &str, first: &Setting) -> Option<ApiKeyRole> {
    const WORDS: [(&str, Role); 4] = [
        ("admin", Role::Admin),
        ("viewer", Role::Viewer),
        ("owner", Role::Owner),
        ("partner", Role::Partner),
    ];
    let at = |last: &'static str| ["http", "signIn", "roles", value, last];
    if reader.settings.get(&at("role")).is_none() {
        reader.report(first, &format!("is set, but `{}` is missing", at("role").join(".")));
    }
    let role = reader.optional(&at("role"), |text| parse::choice(text, &WORDS, &[]))?;
    for (last, only) in [("topics", Role::Owner), ("zone", Role::Partner)] {
        let setting = reader.settings.get(&at(last));
        match setting {
            Some(setting) if role != only => reader.report(setting, "is for another role than this one"),
            None if role == only => {
                reader.report(first, &format!("is set, but `{}` is missing", at(last).join(".")));
            }
            _ => {}
        }
    }
    match role {
        Role::Admin => Some(ApiKeyRole::Admin),
        Role::Viewer => Some(ApiKeyRole::Viewer),
        Role::Owner => Some(ApiKeyRole::Owner { topics: patterns(reader, &at("topics")) }),
        Role::Partner => {
            let zone =
                |text: &str| ZoneName::try_from(text).map_err(|wrong| format!("is `{text}`, which {wrong}"));
            reader.optional(&at("zone"), zone).map(|zone| ApiKeyRole::Partner { zone })
        }
    }
}

fn patterns(reader: &mut Reader<'_>, at: &[&str]) -> Vec<TopicPattern> {
    let Some(setting) = reader.settings.get(at) else { return Vec::new() };
    let texts = reader.list(at);
    if texts.is_empty() || texts.len() > MAX_PATTERNS {
        reader.report(setting, &format!("has not 1 to {MAX_PATTERNS} patterns"));
    }
    let mut patterns = Vec::new();
    for text in &texts {
        match TopicPattern::try_from(text.as_str()) {
            Ok(pattern) => patterns.push(pattern),
            Err(wrong) => {
                reader.report(
                    setting,
                    &format!("holds `{text}`, which {wrong}; write a name, or its beginning and `*`"),
                );
            }
        }
    }
    patterns
}
