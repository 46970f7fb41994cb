//! The written form of a zone: `apiVersion: v2`. Field names, types and the texts of the JSON Schema are here; what they
//! mean together is in [`super::read`].

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Fields that a server fills in on the way out. On the way in they are ignored.
pub const READ_ONLY_METADATA: [&str; 4] = ["id", "status", "updatedAt", "failedReason"];

/// What `spec.url` begins with: it becomes a link, and must not be a script.
pub const WEB_ADDRESS: &str = "^https?://";

/// Kafka topics shared in place with one partner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields, rename = "PartnerZone")]
pub struct Document {
    pub api_version: ApiVersion,
    pub kind: Kind,
    pub metadata: Metadata,
    pub spec: Spec,
}

/// The version of this format. Both spellings mean the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum ApiVersion {
    #[serde(rename = "v2")]
    V2,
    #[serde(rename = "console/v2")]
    ConsoleV2,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum Kind {
    PartnerZone,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub struct Metadata {
    /// The zone's technical id. A renamed zone is a new zone: its groups start anew.
    #[schemars(regex(pattern = r"^[0-9a-z_\-.]{1,100}$"))]
    pub name: String,
    /// Free labels, for people and tools.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("propertyNames" = {"pattern": "^[0-9A-Za-z_]"}))]
    pub labels: BTreeMap<String, String>,
    /// Filled in by the server; ignored in a file.
    #[serde(default, skip_serializing)]
    #[schemars(extend("readOnly" = true))]
    pub id: Option<serde_json::Value>,
    /// Filled in by the server; ignored in a file.
    #[serde(default, skip_serializing)]
    #[schemars(extend("readOnly" = true))]
    pub status: Option<serde_json::Value>,
    /// Filled in by the server; ignored in a file.
    #[serde(default, skip_serializing)]
    #[schemars(extend("readOnly" = true))]
    pub updated_at: Option<serde_json::Value>,
    /// Filled in by the server; ignored in a file.
    #[serde(default, skip_serializing)]
    #[schemars(extend("readOnly" = true))]
    pub failed_reason: Option<serde_json::Value>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub struct Spec {
    /// The gateway that serves the zone (`gateway.name` of the configuration).
    #[schemars(length(min = 1))]
    pub cluster: String,
    /// The backing cluster, a key of `clusters` in the configuration. Default: the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9a-zA-Z_\-.]{1,100}$"))]
    pub underlying_cluster: Option<String>,
    /// The zone's name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Why the data is shared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The partner's site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = WEB_ADDRESS))]
    pub url: Option<String>,
    /// How the partner proves who it is. This, or the older `serviceAccount`, is required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication_mode: Option<AuthenticationMode>,
    /// Older spelling of `authenticationMode` with type PLAIN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("deprecated" = true))]
    pub service_account: Option<String>,
    /// What is shared. Where one alias must stand for a backing topic, it is the first that fits.
    #[serde(default)]
    pub topics: Vec<Topic>,
    /// A person at the partner. Nothing is sent to them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partner: Option<Partner>,
    /// Who shares the data: what the partner is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<Organization>,
    /// Limits for the zone, over all gateway nodes together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic_control_policies: Option<TrafficControlPolicies>,
    /// Record headers added and removed on the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<Headers>,
    /// When and from where the zone can be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Access>,
    /// Groups that exist on the backing cluster and keep their committed offsets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub consumer_groups: Vec<ConsumerGroup>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub struct AuthenticationMode {
    #[serde(rename = "type")]
    pub kind: AuthenticationType,
    /// The name the partner logs in with: for OAUTHBEARER the token's subject, for MTLS the mapped certificate name.
    #[schemars(length(min = 1, max = 255))]
    pub service_account: String,
    /// With MTLS: the authorities that sign the partner's certificates, in PEM form. Nobody else's certificate is taken, and
    /// these authorities count for this zone alone. Default: those of `gateway.tls.clientCaFile`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub ca: Option<String>,
    /// With MTLS: SHA-256 fingerprints of certificates that are not taken any more, as `openssl x509 -fingerprint -sha256` shows
    /// them. Connections that use one are closed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revoked: Vec<String>,
    /// OAUTHBEARER only: the configured issuer of the partner's tokens; if it is missing, the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9a-zA-Z_.\-]{1,100}$"))]
    pub issuer: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum AuthenticationType {
    #[serde(rename = "PLAIN")]
    Plain,
    #[serde(rename = "SCRAM")]
    Scram,
    #[serde(rename = "OAUTHBEARER")]
    OauthBearer,
    #[serde(rename = "MTLS")]
    Mtls,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub struct Topic {
    /// The alias: the topic's name for the partner.
    #[schemars(regex(pattern = r"^[0-9a-zA-Z._\-]{1,249}$"))]
    pub name: String,
    /// The real topic.
    #[schemars(regex(pattern = r"^[0-9a-zA-Z._\-]{1,249}$"))]
    pub backing_topic: String,
    /// READ; WRITE, which includes READ; or PRODUCE, which is write only.
    pub permission: Permission,
    /// What the topic holds, for the partner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Keywords, for the partner.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Schema subjects shared with the topic. Default: `<backingTopic>-key` and `<backingTopic>-value` if they exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schemas: Option<Vec<String>>,
    /// The alias works until a date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprecated: Option<Deprecated>,
    /// How far back the partner may read. Default: all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<Replay>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schemars(inline)]
pub enum Permission {
    Read,
    Write,
    Produce,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub struct Deprecated {
    /// When the alias goes (RFC 3339).
    #[schemars(extend("format" = "date-time"))]
    pub until: String,
    /// The alias that takes its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9a-zA-Z._\-]{1,249}$"))]
    pub replaced_by: Option<String>,
}

/// Either `maxAge` or `from`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields, extend("minProperties" = 1, "maxProperties" = 1))]
pub struct Replay {
    /// Oldest record that can be read, such as `7d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9]+(ms|s|m|h|d)$"))]
    pub max_age: Option<String>,
    /// `latest`: only what arrives from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<ReplayFrom>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum ReplayFrom {
    Latest,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub struct Partner {
    #[schemars(length(min = 1))]
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub struct Organization {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whom the partner asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub struct TrafficControlPolicies {
    /// Bytes per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_produce_rate: Option<u64>,
    /// Bytes per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_consume_rate: Option<u64>,
    /// Commit requests per minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub limit_commit_offset: Option<u64>,
    /// Connections at the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_connections: Option<u64>,
    /// New connections per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_connection_rate: Option<u64>,
    /// Requests per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_request_rate: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub struct Headers {
    /// Added to every record that the partner produces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub add_on_produce: Vec<AddHeader>,
    /// Removed from every record that the partner reads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub remove_on_consume: Vec<RemoveHeader>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub struct AddHeader {
    /// The header's key. No key may be there twice.
    #[schemars(length(min = 1, max = 1000))]
    pub key: String,
    /// Text. `{{clientId}}`, `{{userIp}}`, `{{user}}`, `{{apiKey}}`, `{{apiKeyVersion}}`, `{{gatewayHost}}` and
    /// `{{timestampMillis}}` are filled in from the request.
    #[schemars(length(max = 10_000))]
    pub value: String,
    /// Whether all headers of this key that a record has are replaced. If not, a record that has one keeps what it has.
    pub override_if_exists: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub struct RemoveHeader {
    /// A regular expression, as Java and this system read alike, which has to match all of a header's key.
    #[schemars(length(min = 1, max = 1000))]
    pub key_regex: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub struct Access {
    /// Nobody gets in before (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub valid_from: Option<String>,
    /// Nobody gets in after, and open connections are cut (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub valid_until: Option<String>,
    /// Networks the partner connects from, such as `192.0.2.0/24`. Default: anywhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_cidrs: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub struct ConsumerGroup {
    /// The group's name for the partner.
    #[schemars(length(min = 1, max = 255))]
    pub name: String,
    /// The real group.
    #[schemars(length(min = 1, max = 255))]
    pub backing_group: String,
}
