//! Since when each condition of each zone is what it is, as far as this node has seen.
//!
//! What is said of a zone is worked out when somebody asks. A task looks at all of them every few seconds, so that the times
//! do not depend on when that is.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

use super::Api;
use crate::zone::status::Condition;
use crate::zone::ZoneName;

const INTERVAL: Duration = Duration::from_secs(2);

#[derive(Debug, Default)]
pub(super) struct Transitions(Mutex<BTreeMap<ZoneName, Vec<Condition>>>);

impl Transitions {
    /// The conditions with the times of their last transitions.
    pub(super) fn stamped(&self, zone: &ZoneName, conditions: Vec<Condition>, now: OffsetDateTime) -> Vec<Condition> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = seen.entry(zone.clone()).or_default();
        let stamped: Vec<_> = conditions.into_iter().map(|it| it.since_last(last, now)).collect();
        last.clone_from(&stamped);
        stamped
    }
}
