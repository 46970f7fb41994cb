//! The domain: what a zone is, in plain values. No serde, no async, no clock, no I/O; time is a parameter.
//!
//! A value of these types has been parsed: a [`TopicName`] is a legal Kafka topic name, a [`PartnerZone`] keeps the rules
//! within one zone. Rules across zones are checked where all are read together, in `manifest`.

mod asker;
pub mod certificate;
mod claim;
pub mod control;
pub mod credential;
pub mod duration;
mod failed_logins;
pub mod header;
pub mod java_pattern;
pub mod lag;
pub mod name;
pub mod notice;
pub mod partner_zone;
pub mod permission;
pub mod principal;
mod replay;
pub mod revision;
pub mod run;
#[cfg(any(test, fuzzing))]
#[cfg_attr(fuzzing, allow(dead_code, reason = "the tests use more of it"))]
pub(crate) mod sample;
pub mod sni;
pub mod status;
mod topic_pattern;
pub mod traffic;
pub mod usage;
mod write;

pub use crate::sasl::ScramHash;
pub use asker::{Asker, Person};
pub use certificate::{Certificates, Fingerprint, NotAFingerprint};
pub use claim::Claim;
pub use control::{Acceptance, Asked, BY_CONTROLLER, Controls, Rollback, Scope, Spent, is_commit_id};
pub use credential::{ApiKey, ApiKeyRole, Credential, KeyId, LastUse, PlainVerifier, ScramVerifier};
pub use duration::{DurationError, format_duration, parse_duration};
pub use failed_logins::FailedLogins;
pub use header::{AddHeader, HeaderError, Headers, KeyPattern, Template};
pub use lag::{GroupLag, ZoneLag};
pub use name::{ClusterName, GroupName, IssuerName, NameError, ServiceAccount, TopicName, ZoneId, ZoneName};
pub use notice::{CommitState, CommitStatus, Content, Letter, Notice, Urgency};
pub use partner_zone::{
    Access, Authentication, AuthenticationMode, ConsumerGroup, Deprecated, Organization, PartnerContact,
    PartnerZone, Replay, SharedTopic, TrafficControl,
};
pub use permission::{Operation, Permission};
pub use principal::{KeyName, Principal, Slots};
pub use replay::{ReplayStart, ReplayStarts};
pub use revision::{Revision, Sequence};
pub use run::{ApplyRequest, DETAILS_KEPT, Held, History, Outcome, Run};
pub use sni::{NoHost, NotADomain, SniDomain, SniHost};
pub use status::{
    Condition, ConditionKind, ConditionStatus, ControllerStatus, Distribution, LoginLock, NodeView, Pending,
    Phase, Planned, Problem, Progress, SecondLock, Seen, ZoneReport, ZoneStatus, zone_status,
};
pub use topic_pattern::TopicPattern;
pub use traffic::{Demand, Limit};
pub use usage::{ClientUsage, Month, NotAMonth, TopicUsage, Usage, Volume};
pub use write::{
    Author, Committed, Effect, Excerpt, Extent, Precondition, WriteFinding, WriteRefusal, WriteRequest,
    Written, ZoneWrite,
};
