//! Whether a zone's cluster keeps it apart as well.

use crate::api::Api;
use crate::store::{State, ZoneRecord};
use crate::zone::{ControllerStatus, LoginLock, Principal, SecondLock};

impl Api {
    pub(super) fn second_lock<'a>(
        &self,
        record: &ZoneRecord,
        state: &State,
        controller: &'a ControllerStatus,
    ) -> SecondLock<'a> {
        let (cluster, name) = (self.cluster_of(record), &record.zone.name);
        let found = controller.locks.get(name);
        if self.config.login_files.contains(cluster) {
            return SecondLock::FromFile(found);
        }
        if !self.config.principals.contains(cluster) {
            return SecondLock::Shared;
        }
        own(state.principals.get(&(cluster.clone(), name.clone())), found)
    }
}

/// Of a zone whose principal is made here. One that was only begun is none: nobody has logged in as it yet, gateways neither.
fn own<'a>(principal: Option<&Principal>, found: Option<&'a LoginLock>) -> SecondLock<'a> {
    match principal.and_then(|principal| principal.slots.as_ref()) {
        Some(_) => SecondLock::Own(found),
        None => SecondLock::Pending,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::{Condition, ConditionKind, ConditionStatus, KeyName, ScramHash, Slots};

    #[test]
    fn a_principal_is_the_zones_once_somebody_has_logged_in_as_it_and_shut_once_it_was_asked() {
        let principal = |slots| Principal { cluster_id: "c".to_owned(), slots };
        let proved = principal(Some(Slots::both(&KeyName::of(b"a key"), ScramHash::Sha512)));
        let condition =
            Condition::new(ConditionKind::SecondLock, ConditionStatus::False, "ReachesOthers", "why");
        let found = LoginLock { condition, is_let_in: true };
        assert_eq!(own(None, Some(&found)), SecondLock::Pending);
        assert_eq!(own(Some(&principal(None)), Some(&found)), SecondLock::Pending, "it is begun");
        assert_eq!(own(Some(&proved), None), SecondLock::Own(None));
        assert_eq!(own(Some(&proved), Some(&found)), SecondLock::Own(Some(&found)));
    }
}
