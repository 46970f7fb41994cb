//! Administration over the wire: refused per resource, in well-formed replies, with the error a real broker gives somebody
//! whose ACLs do not allow it. Nothing of it reaches a broker.
//!
//! These keys are advertised all the same, and at every version we can read, whatever the broker serves: a client that does
//! not find a key says that the cluster is too old, one that is told "not authorised" says what is the matter. A name that the
//! zone does not have gets the same answer as one that it has.
//!
//! What is not advertised at all, and why, stands in `docs/protocol.md`.

pub(super) mod alter_client_quotas;
pub(super) mod alter_configs;
pub(super) mod alter_partition_reassignments;
pub(super) mod alter_replica_log_dirs;
pub(super) mod alter_user_scram_credentials;
pub(super) mod create_acls;
pub(super) mod create_delegation_token;
pub(super) mod create_partitions;
pub(super) mod create_topics;
pub(super) mod delete_acls;
pub(super) mod delete_records;
pub(super) mod delete_topics;
pub(super) mod describe_acls;
pub(super) mod describe_client_quotas;
pub(super) mod describe_delegation_token;
pub(super) mod describe_log_dirs;
pub(super) mod describe_producers;
pub(super) mod describe_quorum;
pub(super) mod describe_user_scram_credentials;
pub(super) mod elect_leaders;
pub(super) mod expire_delegation_token;
pub(super) mod incremental_alter_configs;
pub(super) mod list_config_resources;
pub(super) mod list_partition_reassignments;
pub(super) mod renew_delegation_token;
pub(super) mod update_features;

#[cfg(test)]
mod tests;

use bytes::Bytes;
use kafka_protocol::protocol::{Decodable, Encodable};

use super::{Exchange, Outcome, Refusal, body};
use crate::kafka::shape::Shape;

/// Answers with what `refusal` says to the request and its version.
fn refuse<Q: Decodable, A: Encodable>(
    request: &'static Shape,
    exchange: &Exchange<'_>,
    body: Bytes,
    refusal: impl FnOnce(Q, i16) -> A,
) -> Result<Outcome, Refusal> {
    let asked: Q = body::request(request, exchange.version, body)?;
    body::answer(&refusal(asked, exchange.version), exchange.version)
}
