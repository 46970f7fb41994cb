//! Whether the zones' logins can be read where they are in files: looked at all the time, so that a zone whose file comes or goes says so
//! by itself.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::config::GatewayConfig;
use crate::kafka::sasl::LoginFiles;
use crate::policy::{Served, ServedZone};
use crate::zone::ZoneName;

/// Between two looks.
const LOOK: Duration = Duration::from_secs(2);

/// Zones whose login cannot be read, and why.
pub(super) type Faults = BTreeMap<ZoneName, String>;

/// Reads the files of all zones that have one.
pub(super) async fn faults(config: &GatewayConfig, served: Option<&Arc<Served>>) -> Faults {
    let files = of_zones(config, served);
    if files.is_empty() {
        return Faults::new();
    }
    let fault = |(zone, files): (ZoneName, LoginFiles)| {
        let error = files.read(zone.as_str()).err()?;
        Some((zone, format!("its login: {error}")))
    };
    let reading = tokio::task::spawn_blocking(move || files.into_iter().filter_map(fault).collect());
    // It does not panic, and the process that stops meanwhile reports nothing.
    reading.await.unwrap_or_default()
}

/// Waits until they are others than these; for ever where no zone has a file.
pub(super) async fn changed(config: &GatewayConfig, served: Option<&Arc<Served>>, before: &Faults) {
    if of_zones(config, served).is_empty() {
        return pending().await;
    }
    loop {
        sleep(LOOK).await;
        if faults(config, served).await != *before {
            return;
        }
    }
}

fn of_zones(config: &GatewayConfig, served: Option<&Arc<Served>>) -> Vec<(ZoneName, LoginFiles)> {
    let file = |zone: &Arc<ServedZone>| {
        let files = config.clusters.get(&zone.cluster)?.login_files()?;
        Some((zone.zone.name.clone(), files.clone()))
    };
    served.into_iter().flat_map(|served| &served.zones).filter_map(file).collect()
}
