//! The gateways' own login on the home cluster, where zones have no principals there: it should not reach the state, so that a bug
//! in a gateway can neither read who the partners are nor write what is in force. Asked as that login, now and then. It stops nothing:
//! what is found is a condition of the controller.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::state_access::{self, StateAccess};
use crate::kafka::client::{ClientError, Connection, UpstreamSecurity};
use crate::kafka::rights;
use crate::kafka::tls::UpstreamTls;
use crate::zone::{ClusterName, Condition, ConditionKind, ConditionStatus};

use ConditionStatus::{False, True, Unknown};

/// What brokers see as the client id.
const CLIENT_ID: &str = "partner-zones-controller";
/// What one broker may take, and all of it together.
const REQUEST: Duration = Duration::from_secs(5);
const WITHIN: Duration = Duration::from_secs(15);
/// How long an answer is good for: somebody may change rights at any time.
const GOOD: Duration = Duration::from_mins(10);
/// The same for any other answer: somebody is about to mend it.
const NOT_GOOD: Duration = Duration::from_secs(15);

/// How the home cluster is reached by both.
#[derive(Debug)]
pub struct DataPlane {
    cluster: ClusterName,
    /// `host:port,…`
    bootstrap: String,
    control_plane: UpstreamSecurity,
    gateway: UpstreamSecurity,
    last: Mutex<Option<(Instant, Condition)>>,
}

/// Who a login is to a broker, as far as it can be told from here.
#[derive(Debug, PartialEq, Eq)]
enum Who<'a> {
    User(&'a str),
    /// The broker makes its name of this certificate.
    Certificate(&'a std::path::Path),
    Anonymous,
}

impl<'a> Who<'a> {
    fn of(security: &'a UpstreamSecurity) -> Self {
        let certificate = security.tls.as_ref().map(UpstreamTls::files).and_then(|it| it.identity.as_ref());
        match (&security.sasl, certificate) {
            (Some(sasl), _) => Self::User(&sasl.username),
            (None, Some((certificate, _))) => Self::Certificate(certificate),
            (None, None) => Self::Anonymous,
        }
    }

    /// As an ACL has it.
    fn principal(&self) -> String {
        match self {
            Self::User(name) => format!("User:{name}"),
            Self::Certificate(_) => "User:<what the broker makes of its certificate>".to_owned(),
            Self::Anonymous => "User:ANONYMOUS".to_owned(),
        }
    }
}

impl DataPlane {
    pub fn new(
        cluster: ClusterName,
        bootstrap: String,
        control_plane: UpstreamSecurity,
        gateway: UpstreamSecurity,
    ) -> Self {
        Self { cluster, bootstrap, control_plane, gateway, last: Mutex::default() }
    }

    /// What is known of it, asked again when that is too old.
    pub(super) async fn look(&self) -> Condition {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let good = |condition: &Condition| if condition.status == True { GOOD } else { NOT_GOOD };
        if let Some((_, condition)) = last.filter(|(at, it)| at.elapsed() < good(it)) {
            return condition;
        }
        let condition = match timeout(WITHIN, self.ask()).await {
            Ok(Ok(condition)) => condition,
            Ok(Err(cause)) => self.not_asked(&cause.to_string()),
            Err(_) => self.not_asked("no answer in time"),
        };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), condition.clone()));
        condition
    }

    async fn ask(&self) -> Result<Condition, ClientError> {
        let servers = self.bootstrap.split(',').map(str::trim);
        let mut connection = Connection::connect_any(servers, &self.gateway, CLIENT_ID, REQUEST).await?;
        let (topic, operations) = match state_access::ask(&mut connection).await? {
            StateAccess::Denied => {
                let message = "the gateways' login can neither read nor write _partner-zones.*";
                return Ok(is(True, "Denied", message));
            }
            StateAccess::NoTopic(topic) => {
                let message = format!("cluster `{}` has no topic {topic} to ask about", self.cluster);
                return Ok(is(Unknown, "NoStateTopic", message));
            }
            StateAccess::Allowed { topic, operations } => (topic, operations),
        };
        if !rights::has_authorizer(&mut connection, &topic).await? {
            let message = format!(
                "cluster `{}` has no authorizer: whoever reaches it may read and write {topic}; set authorizer.class.name on its \
                 brokers",
                self.cluster
            );
            return Ok(is(False, "NoAuthorizer", message));
        }
        Ok(self.allowed(&topic, &operations.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")))
    }

    fn allowed(&self, topic: &str, operations: &str) -> Condition {
        let (who, cluster) = (Who::of(&self.gateway), &self.cluster);
        if who == Who::of(&self.control_plane) {
            let message = format!(
                "the gateways log in to cluster `{cluster}` as the control plane does, so they may {operations} {topic}: give them a \
                 user of their own (`clusters.{cluster}.dataPlane.properties`)"
            );
            return is(False, "SameUser", message);
        }
        let principal = who.principal();
        let message = format!(
            "{principal}, whom the gateways log in to cluster `{cluster}` as, may {operations} {topic}: {}; if it still may then, it is \
             one of the brokers' super.users",
            state_access::denial(&self.bootstrap, &principal)
        );
        is(False, "Allowed", message)
    }

    fn not_asked(&self, cause: &str) -> Condition {
        let message = format!(
            "cluster `{}` could not be asked what the gateways' login may do there: {cause}",
            self.cluster
        );
        is(Unknown, "NotAsked", message)
    }
}

fn is(status: ConditionStatus, reason: &'static str, message: impl Into<String>) -> Condition {
    Condition::new(ConditionKind::DataPlaneDenied, status, reason, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::sasl::{Credentials, Mechanism};
    use crate::secret::Secret;

    fn user(name: &str) -> UpstreamSecurity {
        let password = Secret::new("p".to_owned());
        let sasl = Some(Credentials::new(Mechanism::Plain, name.to_owned(), password));
        UpstreamSecurity { tls: None, sasl }
    }

    fn data_plane(control_plane: UpstreamSecurity, gateway: UpstreamSecurity) -> DataPlane {
        DataPlane::new("home".try_into().unwrap(), "127.0.0.1:1".to_owned(), control_plane, gateway)
    }

    #[test]
    fn whoever_is_the_control_plane_is_told_to_be_somebody_else_and_anybody_else_what_denies_it() {
        let told = |control, gateway| data_plane(control, gateway).allowed("_partner-zones.state", "READ");
        let same = told(user("a"), user("a"));
        assert_eq!((same.status, same.reason), (False, "SameUser"));
        assert!(same.message.contains("clusters.home.dataPlane.properties"), "{}", same.message);
        assert_eq!(told(UpstreamSecurity::default(), UpstreamSecurity::default()).reason, "SameUser");
        let other = told(user("a"), user("b"));
        assert_eq!((other.status, other.reason), (False, "Allowed"));
        assert!(
            other.message.contains("--add --deny-principal 'User:b' --operation All"),
            "{}",
            other.message
        );
    }

    #[tokio::test]
    async fn a_cluster_that_does_not_answer_leaves_it_unknown_and_is_not_asked_each_time() {
        let unreachable = data_plane(user("a"), user("b"));
        let first = unreachable.look().await;
        assert_eq!((first.status, first.reason), (Unknown, "NotAsked"));
        assert!(first.message.contains("cannot be reached"), "{}", first.message);
        let asked = unreachable.last.lock().unwrap().as_ref().unwrap().0;
        assert_eq!(unreachable.look().await, first);
        assert_eq!(unreachable.last.lock().unwrap().as_ref().unwrap().0, asked);
    }
}
