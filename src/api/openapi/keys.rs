//! Keys of this API.
#![allow(dead_code)] // reason: nobody makes a form; answers are held against them

use schemars::JsonSchema;

use super::operation::{Operation, Tag};
use super::words::{ApiKeyId, RoleName, Time, TopicPattern, ZoneName};
use crate::api::api_keys::Create;
use crate::api::openid::Answer;
use crate::api::session::SignIn;

#[derive(JsonSchema)]
struct ApiKeyList {
    items: Vec<ApiKey>,
}

/// A key without its secret, which is kept nowhere.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ApiKey {
    id: ApiKeyId,
    role: RoleName,
    created_at: Time,
    /// Of an owner.
    #[serde(skip_serializing_if = "is_left_out")]
    topics: Vec<TopicPattern>,
    /// Of a partner.
    #[serde(skip_serializing_if = "is_left_out")]
    zone: ZoneName,
}

/// A new key, with its secret: this once.
#[derive(JsonSchema)]
struct ApiKeyMade {
    #[serde(flatten)]
    made: ApiKey,
    #[schemars(regex(pattern = r"^pzk_[a-z0-9]{12}_[0-9A-Za-z_\-]{43}$"))]
    key: String,
}

/// A session that was begun, or goes on.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
struct SessionToken {
    /// What to send as `Authorization: Bearer`.
    token: String,
    expires_at: Time,
}

/// Whose key it is, or who has signed in.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
struct WhoAsks {
    /// Of a key, or of a person as the audit log has it.
    id: String,
    kind: AskerKind,
    /// Of a person.
    name: Option<String>,
    role: RoleName,
    /// Of an owner; else there are none.
    topics: Vec<TopicPattern>,
    /// Of a partner.
    zone: Option<ZoneName>,
    /// Of a session.
    expires_at: Option<Time>,
    /// Of a session: the same for as long as it lasts, and known to nobody else.
    session: Option<String>,
    /// What to go on with from now on, if half of the session is over.
    renewed: Option<SessionToken>,
}

#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
enum AskerKind {
    ApiKey,
    Person,
}

/// The ways to sign in beside API keys.
#[derive(JsonSchema)]
struct Ways {
    /// By OpenID Connect, if it is configured.
    oidc: Option<OpenIdWay>,
}

#[derive(JsonSchema)]
struct OpenIdWay {
    /// What people call the issuer.
    name: String,
}

/// A sign-in that was begun.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
struct OpenIdBegun {
    /// Where to send the browser.
    authorization_url: String,
    /// What to bring back with the issuer's answer; good for ten minutes.
    attempt: String,
}

pub(in crate::api) fn ways() -> Operation {
    Operation::new("getWaysToSignIn", Tag::Keys, "The ways to sign in beside API keys")
        .for_anybody()
        .answers::<Ways>(200, "Null where there is none.")
}

pub(in crate::api) fn begin_openid() -> Operation {
    Operation::new("beginOpenIdSignIn", Tag::Keys, "Begins a sign-in by OpenID Connect")
        .for_anybody()
        .answers::<OpenIdBegun>(201, "Where to go, and what to bring back.")
        .with_header("Cache-Control", "`no-store`.")
        .refuses(404, "`http.signIn` is not configured.")
        .shares(&[503])
}

pub(in crate::api) fn complete_openid() -> Operation {
    Operation::new(
        "completeOpenIdSignIn",
        Tag::Keys,
        "Ends a sign-in by OpenID Connect: the issuer's code for a session",
    )
    .for_anybody()
    .takes::<Answer>()
    .answers::<SessionToken>(201, "The session.")
    .with_header("Cache-Control", "`no-store`.")
    .refuses(404, "`http.signIn` is not configured.")
    .refuses(403, "The issuer knows them, and gives them nothing that is a role here.")
    .shares(&[401, 429, 503])
}

pub(in crate::api) fn sign_in() -> Operation {
    Operation::new("signIn", Tag::Keys, "Begins a session with an API key")
        .about("A session lasts an hour and is renewed while it is used, for twelve at most. It ends with its key.")
        .for_anybody()
        .takes::<SignIn>()
        .answers::<SessionToken>(201, "The session.")
        .with_header("Cache-Control", "`no-store`.")
        .shares(&[401, 429, 503])
}

pub(in crate::api) fn session() -> Operation {
    Operation::new("getSession", Tag::Keys, "Who asks")
        .answers::<WhoAsks>(200, "Whose key it is, and how long a session lasts.")
        .with_header("Cache-Control", "`no-store`.")
}

pub(in crate::api) fn end_session() -> Operation {
    Operation::new("endSession", Tag::Keys, "Ends the session of whoever asks")
        .about("On every node, and with all that it was renewed to.")
        .answers_nothing(204, "It counts no more.")
        .refuses(409, "Whoever asks does so with an API key, in no session.")
}

pub(in crate::api) fn list() -> Operation {
    Operation::new("listApiKeys", Tag::Keys, "Keys of this API").answers::<ApiKeyList>(200, "All of them.")
}

pub(in crate::api) fn create() -> Operation {
    Operation::new("createApiKey", Tag::Keys, "Makes a key")
        .takes::<Create>()
        .answers::<ApiKeyMade>(201, "The key is good on every node in a moment.")
        .with_header("Cache-Control", "`no-store`.")
        .with_links("id", "$response.body#/id", &["deleteApiKey"])
        .refuses(409, "There are too many keys.")
}

pub(in crate::api) fn delete() -> Operation {
    Operation::new("deleteApiKey", Tag::Keys, "Deletes a key")
        .answers_nothing(204, "It is good for nothing any more.")
        .refuses(409, "It is the last admin key: nobody could make another one.")
}
