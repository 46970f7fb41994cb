//! Store → gateway: what the nodes say of their demand, for this node's share of each zone's limits.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

use crate::gateway::{Demands, Handle, Reports};
use crate::store::{Heartbeat, Nodes};
use crate::zone::{Demand, Limit, ZoneName};

/// Tells the gateway with every heartbeat that is heard. Ends when the store does.
pub(super) async fn run(node: String, gateway: Arc<Handle>, mut nodes: watch::Receiver<Arc<Nodes>>) {
    loop {
        let reports = reports(&nodes.borrow_and_update());
        gateway.hear(&node, reports);
        if nodes.changed().await.is_err() {
            return;
        }
    }
}

fn reports(nodes: &Nodes) -> Reports {
    nodes.iter().map(|(node, heartbeat)| (node.clone(), of_node(heartbeat))).collect()
}

/// What this version cannot read is left out: the node counts, as one without a demand for it.
fn of_node(heartbeat: &Heartbeat) -> BTreeMap<ZoneName, Demands> {
    let known = |demands: &BTreeMap<String, Demand>| {
        let limits = demands.iter().map(|(label, demand)| Some((Limit::from_label(label)?, *demand)));
        limits.flatten().collect()
    };
    let zones = heartbeat.traffic.iter();
    zones
        .filter_map(|(zone, demands)| Some((ZoneName::try_from(zone.as_str()).ok()?, known(demands))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::samples::heartbeat;

    #[test]
    fn a_limit_that_only_a_later_version_knows_is_left_out_and_its_node_counts() {
        let text = serde_json::json!({
            "acme": {"produce": {"used": 7, "held": true}, "cosmicRays": {"used": 1}},
            "no zone name": {"produce": {"used": 7}},
        });
        let mut old = serde_json::to_value(heartbeat("a", 1)).unwrap();
        assert_eq!(old.get("traffic"), None, "nothing to say takes no room");
        old["traffic"] = text;
        let new: Heartbeat = serde_json::from_value(old).unwrap();
        let nodes = [("a".to_owned(), new), ("b".to_owned(), heartbeat("b", 1))];
        let reports = reports(&nodes.into());
        let acme = ZoneName::try_from("acme").unwrap();
        let demand = Demand { used: 7, held: true };
        assert_eq!(reports["a"], [(acme, [(Limit::Produce, demand)].into())].into());
        assert_eq!(reports["b"], BTreeMap::new());
    }
}
