//! When a change counts: once every live gateway serves it. Whoever made it is answered then, and told if that takes too long.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::store::Nodes;
use crate::zone::{Distribution, Sequence};

/// How long a caller waits for the gateways. They say at once what they serve, and one that hangs is told of before it counts as gone.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Waits until every live node serves this commit, for so long at most; while no node lives, not at all.
pub(super) async fn distributed(
    mut nodes: watch::Receiver<Arc<Nodes>>,
    commit: Sequence,
    patience: Duration,
) -> Distribution {
    let deadline = Instant::now() + patience;
    loop {
        let distribution = {
            let live = nodes.borrow_and_update();
            Distribution::of(commit, live.values().map(|it| (it.node.as_str(), Sequence(it.serving))))
        };
        if !distribution.is_under_way() || !matches!(timeout_at(deadline, nodes.changed()).await, Ok(Ok(())))
        {
            return distribution;
        }
    }
}

/// What was done, with whether it is served.
pub(super) fn told(mut done: Value, distribution: &Distribution) -> Value {
    if let Value::Object(members) = &mut done {
        members.insert("served".to_owned(), distribution.is_served().into());
        let detail = json!({
            "reason": distribution.reason(),
            "message": distribution.message(),
            "behind": distribution.behind().collect::<Vec<_>>(),
        });
        members.insert("distribution".to_owned(), detail);
    }
    done
}

/// The same for whoever is told of no node.
pub(super) fn told_without_nodes(done: Value, distribution: &Distribution) -> Value {
    let mut done = told(done, distribution);
    if let Some(Value::Object(detail)) = done.get_mut("distribution") {
        detail.remove("behind");
        if distribution.is_under_way() {
            detail.insert("message".to_owned(), "not every node serves it yet".into());
        }
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::samples::heartbeat;

    fn nodes(serving: &[(&str, u64)]) -> Arc<Nodes> {
        Arc::new(serving.iter().map(|(node, at)| ((*node).to_owned(), heartbeat(node, *at))).collect())
    }

    #[tokio::test]
    async fn a_caller_waits_for_every_live_node_and_for_none_that_is_gone() {
        let (sender, receiver) = watch::channel(nodes(&[("a", 7), ("b", 6)]));
        let follow = async {
            for seen in [nodes(&[("a", 8), ("b", 6)]), nodes(&[("a", 8), ("b", 7)])] {
                tokio::time::sleep(Duration::from_millis(50)).await;
                sender.send_replace(seen);
            }
        };
        let begun = Instant::now();
        let (distribution, ()) = tokio::join!(distributed(receiver, Sequence(7), PATIENCE), follow);
        assert!(distribution.is_served());
        assert!(begun.elapsed() >= Duration::from_millis(100));
        for (left, reason) in [(nodes(&[("a", 8)]), "Served"), (nodes(&[]), "NoNode")] {
            sender.send_replace(nodes(&[("a", 8), ("b", 7)]));
            let leave = async { drop(sender.send_replace(left)) };
            let waiting = distributed(sender.subscribe(), Sequence(8), PATIENCE);
            let begun = Instant::now();
            let (distribution, ()) = tokio::join!(waiting, leave);
            assert_eq!(distribution.reason(), reason);
            assert!(begun.elapsed() < PATIENCE);
        }
    }

    #[tokio::test]
    async fn a_node_that_does_not_follow_is_named_when_patience_ends() {
        let patience = Duration::from_millis(100);
        let begun = Instant::now();
        let (_sender, receiver) = watch::channel(nodes(&[("a", 7), ("b", 6)]));
        let distribution = distributed(receiver, Sequence(7), patience).await;
        assert!(begun.elapsed() >= patience);
        let answer = told(json!({ "keyId": "pz" }), &distribution);
        assert_eq!(
            (&answer["served"], &answer["distribution"]["reason"], &answer["distribution"]["behind"]),
            (&json!(false), &json!("Distributing"), &json!(["b"]))
        );
        let outside = told_without_nodes(json!({}), &distribution);
        let wanted = json!({"reason": "Distributing", "message": "not every node serves it yet"});
        assert_eq!((&outside["served"], &outside["distribution"]), (&json!(false), &wanted));
    }
}
