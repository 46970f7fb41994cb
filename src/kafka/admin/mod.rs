//! Administration of a cluster: its id, its ACLs, its SCRAM users. In bulk: one question lists everything of a kind, and
//! what is written goes in batches.
//!
//! Over our own broker connection and not through librdkafka, although that has these calls: its list of SCRAM users ends
//! at 10 000 and that of resources with ACLs at 100 000, and a refused list of users makes it free memory that is not its own
//! (2.12.1, `rd_kafka_DescribeUserScramCredentialsResponse_parse`), which a daemon that lacks a permission does not survive.

mod acl;
mod error;
pub mod shapes;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::alter_user_scram_credentials_request::{
    ScramCredentialDeletion, ScramCredentialUpsertion,
};
use kafka_protocol::messages::create_acls_request::AclCreation;
use kafka_protocol::messages::delete_acls_request::DeleteAclsFilter;
use kafka_protocol::messages::{
    AlterUserScramCredentialsRequest, CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest,
    DescribeUserScramCredentialsRequest, MetadataRequest, MetadataResponse,
};
use kafka_protocol::protocol::{Request, StrBytes};
use rand::RngExt as _;

pub use self::acl::{Acl, Effect, Operation, Pattern, Resource, ResourceKind};
pub use self::error::AdminError;
use super::client::{ClientError, Connection, UpstreamSecurity, host_port};
use super::control_shapes::METADATA_RESPONSE;
use super::sasl::Credentials;
use super::shape::{Shape, Versions};
use crate::sasl::ScramHash;

/// What brokers see as the client id.
const CLIENT_ID: &str = "partner-zones-controller";
/// Array elements of one answer: some 10 000 principals with 20 topics each.
const ELEMENTS: u32 = 4_000_000;
/// Changes in one request. A controller takes at most 10 000 records at once, and makes one of each.
pub const BATCH: usize = 1_000;
/// From version 2 on Metadata has the cluster's id; from 4 on it never creates a topic.
const METADATA: Versions = Versions::new(4, 12);
/// A filter's "any".
const ANY: i8 = 1;
const SALT_BYTES: usize = 16;

/// A user's SCRAM credentials as a cluster tells them: for each hash its rounds. Nothing of the password.
pub type ScramUser = BTreeMap<ScramHash, i32>;

/// ACLs to delete. A cluster compares each of these with every ACL that it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AclDeletion {
    One(Acl),
    /// Everything that a principal is allowed, and nothing that it is denied.
    AllAllowed {
        principal: Arc<str>,
        /// How many ACLs that is, as last seen.
        about: usize,
    },
}

/// One change to a SCRAM user.
#[derive(Debug, Clone)]
pub enum ScramChange {
    /// Makes the credential, or replaces it.
    Put {
        /// Who logs in by it. Thereafter they know the salted password, for the first login too.
        login: Credentials,
        hash: ScramHash,
        rounds: u32,
    },
    Delete {
        user: String,
        hash: ScramHash,
    },
}

impl ScramChange {
    fn hash(&self) -> ScramHash {
        match self {
            Self::Put { hash, .. } | Self::Delete { hash, .. } => *hash,
        }
    }
}

/// What became of one item of a batch.
pub type Outcome = Result<(), AdminError>;

/// A connection to one broker of a cluster, which answers for all of it.
#[derive(Debug)]
pub struct Admin {
    connection: Connection,
    cluster_id: String,
}

impl Admin {
    /// Connects to the first bootstrap server that answers and asks which cluster it is. `within` is the time for each server,
    /// and for each later request.
    pub async fn connect(
        bootstrap: &str,
        security: &UpstreamSecurity,
        within: Duration,
    ) -> Result<Self, AdminError> {
        let mut failures = Vec::new();
        for address in bootstrap.split(',').map(str::trim) {
            match Connection::connect(address, security, CLIENT_ID, within).await {
                Ok(connection) => return Self::of(connection.taking(ELEMENTS)).await,
                Err(error) => failures.push(format!("{address}: {error}")),
            }
        }
        Err(AdminError::NoBroker(failures.join("; ")))
    }

    async fn of(connection: Connection) -> Result<Self, AdminError> {
        let mut admin = Self { connection, cluster_id: String::new() };
        admin.cluster_id = admin.metadata().await?.cluster_id.map(|id| id.to_string()).unwrap_or_default();
        Ok(admin)
    }

    async fn metadata(&mut self) -> Result<MetadataResponse, AdminError> {
        let version = self
            .connection
            .common_version(METADATA_RESPONSE.api_key, METADATA)
            .ok_or(AdminError::NotServed("Metadata"))?;
        let none = MetadataRequest::default().with_topics(Some(vec![])).with_allow_auto_topic_creation(false);
        Ok(self.connection.request(&none, version, &METADATA_RESPONSE).await?)
    }

    /// `host:port` of every broker that lives, as this one knows it now.
    pub async fn brokers(&mut self) -> Result<Vec<String>, AdminError> {
        let brokers = self.metadata().await?.brokers;
        Ok(brokers.iter().map(|broker| host_port(&broker.host, broker.port)).collect())
    }

    /// As the cluster itself says; empty where it has none.
    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// Every ACL of the cluster, as this broker knows them. Others may lag behind by moments.
    pub async fn acls(&mut self) -> Result<BTreeSet<Acl>, AdminError> {
        const API: &str = "DescribeAcls";
        let all = DescribeAclsRequest::default()
            .with_resource_type_filter(ANY)
            .with_resource_name_filter(None)
            .with_pattern_type_filter(ANY)
            .with_principal_filter(None)
            .with_host_filter(None)
            .with_operation(ANY)
            .with_permission_type(ANY);
        let answer = self.ask(API, &all, &shapes::DESCRIBE_ACLS_RESPONSE).await?;
        AdminError::check(API, answer.error_code, answer.error_message.as_deref())?;
        let mut texts = Texts::default();
        let mut acls = BTreeSet::new();
        for resource in answer.resources {
            let about = Resource {
                kind: ResourceKind::of(resource.resource_type),
                pattern: Pattern::of(resource.pattern_type),
                name: texts.shared(&resource.resource_name),
            };
            acls.extend(resource.acls.into_iter().map(|acl| Acl {
                principal: texts.shared(&acl.principal),
                resource: about.clone(),
                operation: Operation::of(acl.operation),
                effect: Effect::of(acl.permission_type),
                host: texts.shared(&acl.host),
            }));
        }
        Ok(acls)
    }

    /// Creates ACLs and says for each, in order, what became of it. One that is there already is fine.
    pub async fn create_acls(&mut self, acls: &[Acl]) -> Result<Vec<Outcome>, AdminError> {
        const API: &str = "CreateAcls";
        let mut outcomes = Vec::with_capacity(acls.len());
        for batch in acls.chunks(BATCH) {
            let creations = batch.iter().map(creation).collect();
            let request = CreateAclsRequest::default().with_creations(creations);
            let answer = self.ask(API, &request, &shapes::CREATE_ACLS_RESPONSE).await?;
            let results = answer.results.iter().map(|it| (it.error_code, it.error_message.as_deref()));
            outcomes.extend(told(API, batch.len(), results)?);
        }
        Ok(outcomes)
    }

    /// Deletes ACLs and says for each item, in order, what became of it. What is gone already is fine.
    pub async fn delete_acls(&mut self, deletions: &[AclDeletion]) -> Result<Vec<Outcome>, AdminError> {
        const API: &str = "DeleteAcls";
        let mut outcomes = Vec::with_capacity(deletions.len());
        for batch in batches(deletions) {
            let filters = batch.iter().map(AclDeletion::filter).collect();
            let request = DeleteAclsRequest::default().with_filters(filters);
            let answer = self.ask(API, &request, &shapes::DELETE_ACLS_RESPONSE).await?;
            let results = answer.filter_results.iter().map(|it| {
                let failed = it.matching_acls.iter().find(|acl| acl.error_code != 0);
                failed.map_or((it.error_code, it.error_message.as_deref()), |acl| {
                    (acl.error_code, acl.error_message.as_deref())
                })
            });
            outcomes.extend(told(API, batch.len(), results)?);
        }
        Ok(outcomes)
    }

    /// Every SCRAM user of the cluster.
    pub async fn scram_users(&mut self) -> Result<BTreeMap<String, ScramUser>, AdminError> {
        const API: &str = "DescribeUserScramCredentials";
        let all = DescribeUserScramCredentialsRequest::default().with_users(None);
        let answer = self.ask(API, &all, &shapes::DESCRIBE_USER_SCRAM_CREDENTIALS_RESPONSE).await?;
        AdminError::check(API, answer.error_code, answer.error_message.as_deref())?;
        let mut users = BTreeMap::new();
        for user in answer.results {
            AdminError::check(API, user.error_code, user.error_message.as_deref())?;
            let hash = |code: i8| ScramHash::ALL.into_iter().find(|hash| mechanism(*hash) == code);
            let infos = user.credential_infos.iter();
            let rounds = infos.filter_map(|info| Some((hash(info.mechanism)?, info.iterations))).collect();
            users.insert(user.user.to_string(), rounds);
        }
        Ok(users)
    }

    /// Makes, replaces and deletes SCRAM credentials; says for each user that the cluster refused, why. A credential that is gone
    /// already is fine. Salts are new each time, and the brokers never see a password.
    pub async fn alter_scram_users(
        &mut self,
        changes: &[ScramChange],
    ) -> Result<BTreeMap<String, AdminError>, AdminError> {
        const API: &str = "AlterUserScramCredentials";
        let mut refused = BTreeMap::new();
        // Brokers take a user once in a request, whatever its hash.
        let of_hash = |hash: ScramHash| changes.iter().filter(move |change| change.hash() == hash).cloned();
        let by_hash: Vec<Vec<ScramChange>> =
            ScramHash::ALL.into_iter().map(|hash| of_hash(hash).collect()).collect();
        for batch in by_hash.iter().flat_map(|changes| changes.chunks(BATCH)) {
            let batch = batch.to_vec();
            // Thousands of rounds each.
            let hashing = tokio::task::spawn_blocking(move || alterations(&batch));
            let request = hashing.await.ok().flatten().ok_or(AdminError::Mismatch(API))?;
            let answer = self.ask(API, &request, &shapes::ALTER_USER_SCRAM_CREDENTIALS_RESPONSE).await?;
            for result in answer.results {
                const RESOURCE_NOT_FOUND: i16 = 91;
                if result.error_code == RESOURCE_NOT_FOUND {
                    continue;
                }
                if let Err(error) = AdminError::check(API, result.error_code, result.error_message.as_deref())
                {
                    refused.insert(result.user.to_string(), error);
                }
            }
        }
        Ok(refused)
    }

    async fn ask<M: Request>(
        &mut self,
        api: &'static str,
        message: &M,
        response: &'static Shape,
    ) -> Result<M::Response, AdminError> {
        let version =
            self.connection.common_version(M::KEY, response.versions).ok_or(AdminError::NotServed(api))?;
        self.connection.request(message, version, response).await.map_err(|error| match error {
            // Between two requests: a broker closes what is idle.
            ClientError::Closed => AdminError::NoBroker(error.to_string()),
            error => error.into(),
        })
    }
}

/// One outcome for each item of a batch, in its order.
fn told<'a>(
    api: &'static str,
    items: usize,
    results: impl ExactSizeIterator<Item = (i16, Option<&'a str>)>,
) -> Result<Vec<Outcome>, AdminError> {
    if results.len() != items {
        return Err(AdminError::Mismatch(api));
    }
    Ok(results.map(|(code, message)| AdminError::check(api, code, message)).collect())
}

fn creation(acl: &Acl) -> AclCreation {
    AclCreation::default()
        .with_resource_type(acl.resource.kind.code())
        .with_resource_name(text(&acl.resource.name))
        .with_resource_pattern_type(acl.resource.pattern.code())
        .with_principal(text(&acl.principal))
        .with_host(text(&acl.host))
        .with_operation(acl.operation.code())
        .with_permission_type(acl.effect.code())
}

impl AclDeletion {
    /// Whose rights they are.
    pub fn principal(&self) -> &str {
        match self {
            Self::One(acl) => &acl.principal,
            Self::AllAllowed { principal, .. } => principal,
        }
    }

    fn weight(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::AllAllowed { about, .. } => *about,
        }
    }

    /// A filter that fits this and nothing else.
    fn filter(&self) -> DeleteAclsFilter {
        match self {
            Self::One(acl) => DeleteAclsFilter::default()
                .with_resource_type_filter(acl.resource.kind.code())
                .with_resource_name_filter(Some(text(&acl.resource.name)))
                .with_pattern_type_filter(acl.resource.pattern.code())
                .with_principal_filter(Some(text(&acl.principal)))
                .with_host_filter(Some(text(&acl.host)))
                .with_operation(acl.operation.code())
                .with_permission_type(acl.effect.code()),
            Self::AllAllowed { principal, .. } => DeleteAclsFilter::default()
                .with_resource_type_filter(ANY)
                .with_resource_name_filter(None)
                .with_pattern_type_filter(ANY)
                .with_principal_filter(Some(text(principal)))
                .with_host_filter(None)
                .with_operation(ANY)
                .with_permission_type(Effect::Allow.code()),
        }
    }
}

/// Pieces that delete at most [`BATCH`] ACLs each, or one item.
fn batches(deletions: &[AclDeletion]) -> Vec<&[AclDeletion]> {
    let mut weight = 0_usize;
    let fits = |_: &AclDeletion, next: &AclDeletion| {
        weight = weight.saturating_add(next.weight());
        let fits = weight < BATCH;
        if !fits {
            weight = 0;
        }
        fits
    };
    deletions.chunk_by(fits).collect()
}

/// On every processor: a first run hashes for long on one of them. None: a thread of it broke off.
fn alterations(changes: &[ScramChange]) -> Option<AlterUserScramCredentialsRequest> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let share = changes.len().div_ceil(threads).max(1);
    let mut request = AlterUserScramCredentialsRequest::default();
    thread::scope(|scope| {
        let parts: Vec<_> = changes.chunks(share).map(|part| scope.spawn(|| upsertions(part))).collect();
        for part in parts {
            request.upsertions.extend(part.join().ok()?);
        }
        Some(())
    })?;
    let deletions = changes.iter().filter_map(|change| match change {
        ScramChange::Put { .. } => None,
        ScramChange::Delete { user, hash } => {
            Some(ScramCredentialDeletion::default().with_name(text(user)).with_mechanism(mechanism(*hash)))
        }
    });
    request.deletions.extend(deletions);
    Some(request)
}

fn upsertions(changes: &[ScramChange]) -> Vec<ScramCredentialUpsertion> {
    let upsertion = |change: &ScramChange| {
        let ScramChange::Put { login, hash, rounds } = change else { return None };
        let salt: [u8; SALT_BYTES] = rand::rng().random();
        let salted = login.salted(*hash, &salt, *rounds);
        Some(
            ScramCredentialUpsertion::default()
                .with_name(text(&login.username))
                .with_mechanism(mechanism(*hash))
                .with_iterations(i32::try_from(*rounds).unwrap_or(i32::MAX))
                .with_salt(Bytes::copy_from_slice(&salt))
                .with_salted_password(Bytes::copy_from_slice(&salted)),
        )
    };
    changes.iter().filter_map(upsertion).collect()
}

/// `org.apache.kafka.clients.admin.ScramMechanism`.
fn mechanism(hash: ScramHash) -> i8 {
    match hash {
        ScramHash::Sha256 => 1,
        ScramHash::Sha512 => 2,
    }
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// Hundreds of thousands of ACLs hold few different texts.
#[derive(Debug, Default)]
struct Texts(BTreeSet<Arc<str>>);

impl Texts {
    fn shared(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.0.get(text) {
            return Arc::clone(known);
        }
        let new: Arc<str> = text.into();
        self.0.insert(Arc::clone(&new));
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_deletes_no_more_than_a_controller_takes_at_once() {
        let all = |about: usize| AclDeletion::AllAllowed { principal: "User:x".into(), about };
        let sizes = |deletions: &[AclDeletion]| {
            batches(deletions).iter().map(|batch| batch.len()).collect::<Vec<_>>()
        };
        assert_eq!(sizes(&[]), Vec::<usize>::new());
        assert_eq!(sizes(&[all(5000), all(1), all(5000)]), [2, 1]);
        let many = vec![all(65); 100];
        let batches = batches(&many);
        assert!(batches.iter().all(|batch| batch.len() * 65 <= BATCH + 65), "{batches:?}");
        assert_eq!(batches.iter().map(|batch| batch.len()).sum::<usize>(), 100);
    }
}
