//! What the gateways say of credentials → state, so that it is known which are not used any more, whatever is restarted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::sleep;

use crate::store::{Change, LAST_USE_STEP, Leadership, Nodes, State, Store};
use crate::zone::{KeyId, LastUse};

/// Between two looks at what the nodes say, which they remember for longer.
const INTERVAL: Duration = Duration::from_mins(1);

/// Notes the credentials' last use for as long as this node leads and the store lives.
pub(super) async fn run(store: Arc<dyn Store>) {
    let mut leadership = store.leadership();
    while leadership.wait_for(|leadership| *leadership == Leadership::Leading).await.is_ok() {
        let state = store.state().borrow().clone();
        let nodes = store.nodes().borrow().clone();
        let news = state.map(|state| news(&state, &nodes, OffsetDateTime::now_utc())).unwrap_or_default();
        if !news.is_empty()
            && let Err(error) = store.commit(news).await
        {
            tracing::debug!(%error, "the last use of credentials could not be noted; it is tried again");
        }
        sleep(INTERVAL).await;
    }
}

/// What the state does not know, or not as of the last minutes.
fn news(state: &State, nodes: &Nodes, now: OffsetDateTime) -> Vec<Change> {
    let mut latest: BTreeMap<KeyId, LastUse> = BTreeMap::new();
    for (key_id, last) in nodes.values().flat_map(|node| &node.credentials) {
        let Ok(key_id) = KeyId::try_from(key_id.as_str()) else { continue };
        // A node's clock may be ahead of this one's: nothing was used in the future.
        let last = LastUse { at: last.at.min(now), ..*last };
        let known = latest.entry(key_id).or_insert(last);
        if last.at > known.at {
            *known = last;
        }
    }
    latest.retain(|key_id, last| {
        let known = state.last_uses.get(key_id).filter(|known| known.at <= now);
        state.credentials.contains_key(key_id)
            && known.is_none_or(|known| last.at - known.at >= LAST_USE_STEP)
    });
    latest.into_iter().map(|(key_id, last)| Change::Used(key_id, last)).collect()
}

#[cfg(test)]
mod tests {
    use time::ext::NumericalDuration as _;

    use super::*;
    use crate::store::memory::MemoryStore;
    use crate::store::samples::{credential, heartbeat, zone};

    #[test]
    fn a_use_is_noted_once_in_a_while_the_latest_of_all_nodes_and_of_no_credential_that_is_gone() {
        let start = OffsetDateTime::UNIX_EPOCH;
        let used = |minute: i64, last: u8| LastUse {
            at: start + minute.minutes(),
            address: [192, 0, 2, last].into(),
        };
        let known = credential("acme", 1);
        let (key, gone) = (known.key_id.clone(), credential("acme", 2).key_id);
        let mut state = State::default();
        state.credentials.insert(key.clone(), Arc::new(known));
        let of = |state: &State, on_one: LastUse, on_two: LastUse| {
            let node = |name: &str, last: LastUse| {
                let mut node = heartbeat(name, 1);
                node.credentials = [(key.to_string(), last), (gone.to_string(), last)].into();
                (name.to_owned(), node)
            };
            let nodes = [node("one", on_one), node("two", on_two)].into();
            news(state, &nodes, start + 60.minutes())
                .into_iter()
                .map(|change| match change {
                    Change::Used(key_id, last) => (key_id, last),
                    other => panic!("{other:?}"),
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(of(&state, used(2, 1), used(1, 2)), [(key.clone(), used(2, 1))]);
        assert_eq!(of(&state, used(1, 1), used(2, 2)), [(key.clone(), used(2, 2))]);
        state.last_uses.insert(key.clone(), used(2, 2));
        assert_eq!(of(&state, used(11, 1), used(11, 2)), []);
        assert_eq!(of(&state, used(12, 1), used(11, 2)), [(key.clone(), used(12, 1))]);
        // A clock that is ahead: what it says counts as now, and what it said once is no reason to wait for that time.
        assert_eq!(of(&state, used(600, 1), used(11, 2)), [(key.clone(), used(60, 1))]);
        state.last_uses.insert(key.clone(), used(600, 1));
        assert_eq!(of(&state, used(1, 1), used(11, 2)), [(key.clone(), used(11, 2))]);
    }

    #[tokio::test]
    async fn what_a_node_says_is_in_the_state_of_whoever_leads() {
        let cancel = tokio_util::sync::CancellationToken::new();
        let store = MemoryStore::start(&tokio_util::task::TaskTracker::new(), cancel.clone());
        let known = credential("acme", 1);
        let mut node = heartbeat("one", 1);
        let last = LastUse { at: OffsetDateTime::UNIX_EPOCH, address: [192, 0, 2, 1].into() };
        node.credentials = [(known.key_id.to_string(), last)].into();
        node.at = OffsetDateTime::now_utc();
        let key_id = known.key_id.clone();
        let changes = vec![Change::PutZone(Box::new(zone("acme"))), Change::PutCredential(known)];
        store.commit(changes).await.unwrap();
        store.heartbeat(node).await.unwrap();
        let store: Arc<dyn Store> = store;
        let mut states = store.state();
        let noted =
            states.wait_for(|state| state.as_ref().is_some_and(|it| it.last_uses.contains_key(&key_id)));
        tokio::select! {
            () = run(Arc::clone(&store)) => panic!("it ends"),
            noted = noted => assert_eq!(noted.unwrap().as_ref().unwrap().last_uses[&key_id], last),
        }
        // It ends with the credential.
        store.commit(vec![Change::DeleteCredential(key_id)]).await.unwrap();
        assert!(store.state().borrow().as_ref().unwrap().last_uses.is_empty());
        cancel.cancel();
    }
}
