//! Topics whose loss is no loss of state are made again while a controller runs: the heartbeats', and the audit log's, without which
//! nothing that is audited can be committed. The state topic is not: made anew it would look like a state in which there is nothing.

use std::time::Duration;

use rdkafka::admin::AdminClient;
use tokio::time::sleep;

use super::Names;
use super::connection::{Connection, Reports};
use super::topics;

/// Between two looks. Each is one question for each topic.
const INTERVAL: Duration = Duration::from_secs(5);

/// Looks for as long as it runs. Every controller does, whether it leads or not: the first one that sees it is enough.
pub(super) async fn run(
    admin: AdminClient<Reports>,
    connection: Connection,
    names: Names,
    replication: Option<u16>,
) {
    let mut was_failing = false;
    loop {
        sleep(INTERVAL).await;
        let mended = topics::mend(&admin, &connection, &names, replication).await;
        if let Err(error) = &mended
            && !was_failing
        {
            tracing::warn!(%error, "the status and audit topics cannot be looked after");
        }
        was_failing = mended.is_err();
    }
}
