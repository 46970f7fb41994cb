//! What a login that partners' requests go by may do with the topics of the state. It should be nothing: whoever writes there says
//! what is in force, and whoever reads there knows of every partner.

use crate::kafka::admin::Operation;
use crate::kafka::client::{ClientError, Connection};
use crate::kafka::rights::{self, Rights};
use crate::store::kafka::Names;

/// What nobody may who serves partners. That one may know of a topic is no harm.
const FORBIDDEN: [Operation; 5] =
    [Operation::Read, Operation::Write, Operation::Delete, Operation::Alter, Operation::AlterConfigs];

/// What a login may do with these topics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum StateAccess {
    Denied,
    /// Its right to the first topic that it has any to.
    Allowed {
        topic: String,
        operations: Vec<Operation>,
    },
    /// There is no such topic to have a right to.
    NoTopic(String),
}

/// Asks as whoever is logged in on this connection to the home cluster.
///
/// # Errors
/// The broker cannot be asked, or does not say.
pub(super) async fn ask(connection: &mut Connection) -> Result<StateAccess, ClientError> {
    let names = Names::default();
    let topics = names.topics();
    let rights = rights::on_topics(connection, &topics).await?;
    let mut missing = None;
    for topic in topics {
        match rights.get(topic) {
            Some(Rights::May(operations)) => {
                let operations: Vec<_> =
                    operations.iter().copied().filter(|operation| FORBIDDEN.contains(operation)).collect();
                if !operations.is_empty() {
                    return Ok(StateAccess::Allowed { topic: topic.to_owned(), operations });
                }
            }
            Some(Rights::NoSuchTopic) | None => missing = missing.or(Some(topic)),
        }
    }
    Ok(missing.map_or(StateAccess::Denied, |topic| StateAccess::NoTopic(topic.to_owned())))
}

/// What denies a user all of it, for an administrator of the cluster.
pub(super) fn denial(bootstrap: &str, user: &str) -> String {
    format!(
        "kafka-acls.sh --bootstrap-server {bootstrap} --command-config admin.properties --add --deny-principal '{user}' \
         --operation All --topic _partner-zones. --resource-pattern-type prefixed"
    )
}
