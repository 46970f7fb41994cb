//! The words that forms are made of: names, times and the like, each with what it may be.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::api::zones::{ORDERS, PHASES};
use crate::zone::Outcome;

/// Types that are descriptions alone.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident = $schema:tt;)*) => {$(
        $(#[$doc])*
        pub(in crate::api) enum $name {}

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    )*};
}

words! {
    Time = {"type": "string", "format": "date-time"};
    Id = {"type": "string", "format": "uuid"};
    Address = {"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]};
    ZoneName = {"type": "string", "pattern": r"^[0-9a-z_\-.]{1,100}$"};
    TopicName = {"type": "string", "pattern": r"^[0-9a-zA-Z._\-]{1,249}$"};
    ClusterName = {"type": "string", "pattern": r"^[0-9a-zA-Z_\-.]{1,100}$"};
    TopicPattern = {"type": "string", "pattern": r"^([0-9a-zA-Z._\-]{1,249}\*?|\*)$"};
    KeyId = {"type": "string", "pattern": "^pz[a-z0-9]{16}$"};
    ApiKeyId = {"type": "string", "pattern": "^[a-z0-9]{12}$"};
    /// An API key's id, or the controller itself.
    AskedBy = {"type": "string", "minLength": 1};
    CommitId = {"type": "string", "pattern": "^[0-9a-f]{40}$"};
    /// `BRANCH@sha1:COMMIT`, or `dir@sha256:HASH` of a folder.
    RevisionName = {"type": "string", "minLength": 1};
    ScopeName = {"type": "string", "pattern": r"^(all|source|zone/[0-9a-z_\-.]{1,100})$"};
    FindingCode = {"type": "string", "pattern": "^PZ[0-9]{4}$"};
    MonthName = {"type": "string", "pattern": "^[0-9]{4}-(0[1-9]|1[0-2])$"};
    /// A hundred years at most.
    DurationText = {"type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$"};
    /// One line that says something.
    Reason = {"type": "string", "maxLength": 500, "pattern": r"^[^\u0000-\u001F\u007F-\u009F]*[^\s\u0000-\u001F\u007F-\u009F][^\u0000-\u001F\u007F-\u009F]*$"};
    /// One line, which may say nothing.
    Remark = {"type": "string", "maxLength": 500, "pattern": r"^[^\u0000-\u001F\u007F-\u009F]*$"};
    EntityTag = {"type": "string", "pattern": "^\"[ !#-~]*\"$"};
    AnyForm = {"type": "string", "const": "*"};
    IdempotencyKey = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]([ -~]*[!-~])?$"};
    Mechanism = {"type": "string", "enum": ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]};
    SecurityProtocol = {"type": "string", "enum": ["SASL_PLAINTEXT", "SASL_SSL", "SSL"]};
    Permission = {"type": "string", "enum": ["READ", "WRITE", "PRODUCE"]};
    RoleName = {"type": "string", "enum": ["admin", "viewer", "owner", "partner"]};
    PhaseName = {"type": "string", "enum": (PHASES.map(|(word, _)| word))};
    OrderName = {"type": "string", "enum": (ORDERS.map(|(word, _)| word))};
    OutcomeName = {"type": "string", "enum": (Outcome::ALL.map(Outcome::as_str))};
    Labels = {"type": "array", "maxItems": 20, "items": {"type": "string", "pattern": "^[^=]"}};
    Searched = {"type": "string", "maxLength": 200};
    Limit = {"type": "integer", "minimum": 1, "maximum": 1000};
    PageToken = {"type": "string", "pattern": r"^[0-9A-Za-z_\-]+$"};
    UsageFormat = {"type": "string", "enum": ["json", "csv"]};
    Included = {"type": "string", "enum": ["usage"]};
    /// A zone's written form, as a file has it.
    Manifest = {"$ref": "#/components/schemas/PartnerZone"};
    Plan = {"$ref": "#/components/schemas/Plan"};
    PlanOfWrite = {"$ref": "#/components/schemas/PlanOfWrite"};
    /// A zone with its status, as far as the caller sees it.
    Zone = {"anyOf": [
        {"$ref": "#/components/schemas/ZoneInFull"},
        {"$ref": "#/components/schemas/ZoneOfOwner"},
        {"$ref": "#/components/schemas/ZoneInPart"},
        {"$ref": "#/components/schemas/ZoneOfPartner"},
    ]};
    /// The same after a write, when it may be that no node knows it yet.
    ZoneJustWritten = {"anyOf": [
        {"$ref": "#/components/schemas/ZoneInFull"},
        {"$ref": "#/components/schemas/ZoneOfOwner"},
        {"$ref": "#/components/schemas/ZoneWritten"},
    ]};
}
