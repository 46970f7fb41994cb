//! Since when each condition of each zone is what it is, as far as this node has seen.
//!
//! What is said of a zone is worked out when somebody asks. A task looks at all of them every few seconds, so that the times
//! do not depend on when that is.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

use super::Api;
use crate::store::State;
use crate::zone::ZoneName;
use crate::zone::status::Condition;

const INTERVAL: Duration = Duration::from_secs(2);

#[derive(Debug, Default)]
pub(super) struct Transitions(Mutex<BTreeMap<ZoneName, Vec<Condition>>>);

impl Transitions {
    /// The conditions with the times of their last transitions.
    pub(super) fn stamped(
        &self,
        zone: &ZoneName,
        conditions: Vec<Condition>,
        now: OffsetDateTime,
    ) -> Vec<Condition> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = seen.entry(zone.clone()).or_default();
        let stamped: Vec<_> = conditions.into_iter().map(|it| it.since_last(last, now)).collect();
        last.clone_from(&stamped);
        stamped
    }

    /// Forgets zones that are not there any more.
    fn forget_others(&self, state: &State) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.retain(|zone, _| state.zones.contains_key(zone));
    }
}

impl Api {
    /// Looks at all zones until `cancel`.
    pub(super) async fn watch_transitions(&self, cancel: &CancellationToken) {
        let mut tick = tokio::time::interval(INTERVAL);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while cancel.run_until_cancelled(tick.tick()).await.is_some() {
            let Ok(state) = self.state() else { continue };
            let (controller, nodes) = (self.config.controller.borrow().clone(), self.config.store.nodes());
            let (nodes, now) = (nodes.borrow().clone(), OffsetDateTime::now_utc());
            self.transitions.forget_others(&state);
            for record in state.zones.values() {
                self.status(record, &state, &nodes, &controller, now);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::zone::{ConditionKind, ConditionStatus};

    #[test]
    fn each_zone_keeps_its_own_times_and_a_deleted_one_starts_anew() {
        let [acme, beta] = ["acme", "beta"].map(|name| ZoneName::try_from(name).unwrap());
        let (first, second) = (datetime!(2026-11-22 10:00 UTC), datetime!(2026-11-22 11:00 UTC));
        let transitions = Transitions::default();
        let since = |zone: &ZoneName, status, now| {
            let ready = Condition::new(ConditionKind::Ready, status, "Reason", "");
            transitions.stamped(zone, vec![ready], now)[0].since.unwrap()
        };
        assert_eq!(since(&acme, ConditionStatus::True, first), first);
        assert_eq!(since(&acme, ConditionStatus::True, second), first);
        assert_eq!(since(&beta, ConditionStatus::True, second), second);
        assert_eq!(since(&beta, ConditionStatus::False, first), first);
        transitions.forget_others(&State::default());
        assert_eq!(since(&acme, ConditionStatus::True, second), second);
    }
}
