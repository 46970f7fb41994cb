//! Keys of this API.
#![allow(dead_code)] // reason: nobody makes a form; answers are held against them

use schemars::JsonSchema;

use super::operation::{Operation, Tag};
use super::words::{ApiKeyId, RoleName, Time, TopicPattern, ZoneName};
use crate::api::api_keys::Create;

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

pub(in crate::api) fn list() -> Operation {
    Operation::new("listApiKeys", Tag::Keys, "Keys of this API").answers::<ApiKeyList>(200, "All of them.")
}

pub(in crate::api) fn create() -> Operation {
    Operation::new("createApiKey", Tag::Keys, "Makes a key")
        .takes::<Create>()
        .answers::<ApiKeyMade>(201, "The key is good on every node in a moment.")
        .with_header("Cache-Control", "`no-store`.")
        .refuses(409, "There are too many keys.")
}

pub(in crate::api) fn delete() -> Operation {
    Operation::new("deleteApiKey", Tag::Keys, "Deletes a key")
        .answers_nothing(204, "It is good for nothing any more.")
        .refuses(409, "It is the last admin key: nobody could make another one.")
}
