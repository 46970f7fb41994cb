//! Topics whose loss is no loss of state are made again while a controller runs: the heartbeats', the audit log's, without which
//! nothing that is audited can be committed, and that of usage. The state topic is not: made anew it would look like a state in which there is nothing.

use std::time::Duration;

use rdkafka::admin::AdminClient;
use tokio::time::sleep;
use tokio_util::task::TaskTracker;

use super::Names;
use super::connection::{Connection, Reports};
use super::time_of_day::{TimeOfDay, unless_set_back};
use super::topics;

/// Between two looks. Each is one question for each topic.
const INTERVAL: Duration = Duration::from_secs(5);

/// Looks for as long as it runs. Every controller does, whether it leads or not: the first one that sees it is enough.
pub(super) async fn run(
    mut admin: AdminClient<Reports>,
    connection: Connection,
    names: Names,
    replication: Option<u16>,
    tracker: TaskTracker,
) {
    let mut was_failing = false;
    let mut time_of_day = TimeOfDay::now();
    loop {
        sleep(INTERVAL).await;
        if time_of_day.was_set_back()
            && let Ok(new) = connection.client(&[], Reports::default())
        {
            let old = std::mem::replace(&mut admin, new);
            tracker.spawn_blocking(move || drop(old));
        }
        let Some(mended) = unless_set_back(topics::mend(&admin, &connection, &names, replication)).await
        else {
            continue;
        };
        if let Err(error) = &mended
            && !was_failing
        {
            tracing::warn!(%error, "the status, audit and usage topics cannot be looked after");
        }
        was_failing = mended.is_err();
    }
}
