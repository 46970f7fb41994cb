//! What a commit does to a state: the same for every store.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::continuity::Tally;
use super::{Change, State, StoreError};
use crate::zone::{KeyId, Sequence, ZoneName};

/// Completes a caller's changes so that every credential always has its zone: deleting a zone deletes its credentials, and a
/// credential for a zone that is not there is a conflict. And what was spent of trailers is gone with the next revision.
///
/// Gives how much there is after them as well.
pub(super) fn complete(changes: Vec<Change>, state: &State) -> Result<(Vec<Change>, Tally), StoreError> {
    let mut zones: BTreeSet<ZoneName> = state.zones.keys().cloned().collect();
    let mut owners: BTreeMap<KeyId, ZoneName> =
        state.credentials.values().map(|c| (c.key_id.clone(), c.zone.clone())).collect();
    let mut complete = Vec::with_capacity(changes.len());
    for change in changes {
        match &change {
            Change::PutZone(record) => {
                zones.insert(record.zone.name.clone());
            }
            Change::DeleteZone(name) => {
                zones.remove(name);
                let orphans = owners.extract_if(.., |_, owner| owner == name);
                complete.extend(orphans.map(|(key_id, _)| Change::DeleteCredential(key_id)));
                complete.extend(state.replays.contains_key(name).then(|| Change::DeleteReplay(name.clone())));
            }
            Change::PutCredential(credential) => {
                if !zones.contains(&credential.zone) {
                    return Err(StoreError::Conflict(format!("there is no zone `{}`", credential.zone)));
                }
                owners.insert(credential.key_id.clone(), credential.zone.clone());
            }
            Change::DeleteCredential(key_id) => {
                owners.remove(key_id);
            }
            Change::Expect(expected) => {
                let known = state.credentials.get(&expected.key_id);
                if known.is_none_or(|known| **known != **expected) {
                    let what = format!("the credential {} has just been changed or revoked", expected.key_id);
                    return Err(StoreError::Conflict(what));
                }
                continue;
            }
            Change::PutReplay(zone, _) if !zones.contains(zone) => {
                return Err(StoreError::Conflict(format!("there is no zone `{zone}`")));
            }
            Change::Used(key_id, _) if !owners.contains_key(key_id) => continue,
            Change::Applied(_) => complete.extend(state.spent.keys().cloned().map(Change::ForgetSpent)),
            Change::PutApiKey(_)
            | Change::DeleteApiKey(_)
            | Change::PutPrincipal { .. }
            | Change::DeletePrincipal { .. }
            | Change::PutReplay(..)
            | Change::DeleteReplay(_)
            | Change::Suspend(..)
            | Change::Resume(_)
            | Change::Rollback(_)
            | Change::EndRollback
            | Change::Accept(_)
            | Change::PutLetter(_)
            | Change::DeleteLetter(_)
            | Change::PutCluster(..)
            | Change::Used(..)
            | Change::ForgetUse(_)
            | Change::Spend(..)
            | Change::ForgetSpent(_)
            | Change::EndSession(..)
            | Change::ForgetSession(_)
            | Change::GoesOn { .. }
            | Change::FoldUsage(_)
            | Change::Audit(_) => {}
        }
        complete.push(change);
    }
    let gone = state.last_uses.keys().filter(|key_id| !owners.contains_key(*key_id));
    complete.extend(gone.cloned().map(Change::ForgetUse));
    Ok((complete, Tally { zones: zones.len(), credentials: owners.len() }))
}

/// The number of a commit of these changes that follows this one. It stays where no change is one of the state.
pub(super) fn number(changes: &[Change], last: Sequence) -> Sequence {
    if !changes.is_empty() && changes.iter().all(|change| matches!(change, Change::FoldUsage(_))) {
        return last;
    }
    let others = changes.iter().filter_map(|change| match change {
        Change::GoesOn { from, .. } => Some(*from),
        _ => None,
    });
    others.fold(last, Sequence::max).next()
}

/// An event of the audit log as part of commit `sequence`.
pub(super) fn numbered(event: &serde_json::Value, sequence: Sequence) -> serde_json::Value {
    let mut event = event.clone();
    if let Some(data) = event.get_mut("data").and_then(serde_json::Value::as_object_mut) {
        data.insert("sequence".to_owned(), sequence.0.into());
    }
    event
}

impl State {
    /// The state after a commit of [complete](complete) changes.
    pub(super) fn after(&self, changes: Vec<Change>, sequence: Sequence) -> Self {
        let mut state = self.clone();
        state.sequence = sequence;
        for change in changes {
            state.take(change, sequence);
        }
        state
    }

    fn take(&mut self, change: Change, sequence: Sequence) {
        match change {
            Change::PutZone(mut record) => {
                record.changed = sequence;
                self.zones.insert(record.zone.name.clone(), Arc::from(record));
            }
            Change::DeleteZone(name) => drop(self.zones.remove(&name)),
            Change::PutCredential(credential) => {
                self.credentials.insert(credential.key_id.clone(), Arc::new(credential));
            }
            Change::DeleteCredential(key_id) => drop(self.credentials.remove(&key_id)),
            Change::Used(key_id, last) => {
                self.last_uses.insert(key_id, last);
            }
            Change::ForgetUse(key_id) => drop(self.last_uses.remove(&key_id)),
            Change::PutApiKey(key) => {
                self.api_keys.insert(key.id.clone(), Arc::new(key));
            }
            Change::DeleteApiKey(id) => drop(self.api_keys.remove(&id)),
            Change::PutPrincipal { cluster, zone, principal } => {
                self.principals.insert((cluster, zone), principal);
            }
            Change::DeletePrincipal { cluster, zone } => drop(self.principals.remove(&(cluster, zone))),
            Change::PutReplay(zone, starts) => {
                self.replays.insert(zone, starts);
            }
            Change::DeleteReplay(zone) => drop(self.replays.remove(&zone)),
            Change::Suspend(scope, asked) => {
                self.controls.suspended.insert(scope, asked);
            }
            Change::Resume(scope) => {
                self.controls.suspended.remove(&scope);
            }
            Change::Rollback(rollback) => self.controls.rollback = Some(rollback),
            Change::EndRollback => self.controls.rollback = None,
            Change::Accept(acceptance) => self.controls.accepted = Some(acceptance),
            Change::PutLetter(letter) => {
                self.outbox.insert(letter.content.id(), Arc::new(letter));
            }
            Change::DeleteLetter(id) => drop(self.outbox.remove(&id)),
            Change::PutCluster(name, id) => {
                self.clusters.insert(name, id);
            }
            Change::Spend(commit, spent) => {
                self.spent.insert(commit, spent);
            }
            Change::ForgetSpent(commit) => drop(self.spent.remove(&commit)),
            Change::EndSession(id, until) => {
                self.ended_sessions.insert(id, until);
            }
            Change::ForgetSession(id) => drop(self.ended_sessions.remove(&id)),
            Change::Applied(revision) => self.revision = Some(revision),
            Change::GoesOn { lineage, .. } => self.lineage.extend(lineage),
            Change::Expect(_) | Change::FoldUsage(_) | Change::Audit(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::samples::{credential, zone};
    use crate::zone::Credential;

    fn committed(state: &State, changes: Vec<Change>) -> State {
        let (changes, tally) = complete(changes, state).expect("no conflict");
        let after = state.after(changes, state.sequence.next());
        assert_eq!(tally, Tally::of(&after));
        after
    }

    #[test]
    fn deleting_a_zone_deletes_its_credentials_and_no_others() {
        let state = committed(
            &State::default(),
            vec![
                Change::PutZone(Box::new(zone("acme"))),
                Change::PutZone(Box::new(zone("globex"))),
                Change::PutCredential(credential("acme", 1)),
                Change::PutCredential(credential("globex", 2)),
            ],
        );
        let state = committed(&state, vec![Change::DeleteZone(zone("acme").zone.name.clone())]);
        assert_eq!(state.zones.len(), 1);
        assert_eq!(state.credentials.values().map(|c| c.zone.as_str()).collect::<Vec<_>>(), ["globex"]);
    }

    #[test]
    fn where_a_zones_topics_stood_goes_with_it_and_is_of_no_zone_that_is_not_there() {
        let starts = |name: &str| Change::PutReplay(name.try_into().unwrap(), Arc::default());
        let state =
            committed(&State::default(), vec![Change::PutZone(Box::new(zone("acme"))), starts("acme")]);
        assert_eq!(state.replays.len(), 1);
        assert!(matches!(complete(vec![starts("globex")], &state), Err(StoreError::Conflict(_))));
        let again =
            vec![Change::DeleteZone("acme".try_into().unwrap()), Change::PutZone(Box::new(zone("acme")))];
        assert!(committed(&state, again).replays.is_empty(), "a zone made anew begins anew");
    }

    #[test]
    fn what_builds_on_a_credential_that_is_not_as_it_was_is_a_conflict() {
        let known = credential("acme", 1);
        let state = committed(
            &State::default(),
            vec![Change::PutZone(Box::new(zone("acme"))), Change::PutCredential(known.clone())],
        );
        let replaced = |state: &State| {
            let old = Credential { expires_at: None, ..known.clone() };
            complete(vec![Change::Expect(Box::new(known.clone())), Change::PutCredential(old)], state)
        };
        assert_eq!(replaced(&state).unwrap().0.len(), 1, "the expectation writes nothing");
        let shorter = Credential { expires_at: Some(known.created_at), ..known.clone() };
        for meanwhile in [Change::DeleteCredential(known.key_id.clone()), Change::PutCredential(shorter)] {
            let state = committed(&state, vec![meanwhile]);
            assert!(matches!(replaced(&state), Err(StoreError::Conflict(_))), "it does not come back");
        }
    }

    #[test]
    fn a_zone_deleted_and_made_again_in_one_commit_starts_without_credentials() {
        let acme = zone("acme");
        let state = committed(
            &State::default(),
            vec![Change::PutZone(Box::new(acme.clone())), Change::PutCredential(credential("acme", 1))],
        );
        let again = vec![Change::DeleteZone(acme.zone.name.clone()), Change::PutZone(Box::new(acme))];
        let state = committed(&state, again);
        assert_eq!((state.zones.len(), state.credentials.len()), (1, 0));
    }

    #[test]
    fn a_credential_needs_its_zone() {
        let refused = complete(vec![Change::PutCredential(credential("acme", 1))], &State::default());
        assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
        let deleted_first = vec![
            Change::PutZone(Box::new(zone("acme"))),
            Change::DeleteZone(zone("acme").zone.name.clone()),
            Change::PutCredential(credential("acme", 1)),
        ];
        assert!(complete(deleted_first, &State::default()).is_err());
    }

    #[test]
    fn a_zone_carries_the_sequence_of_the_commit_that_changed_it() {
        let first = committed(&State::default(), vec![Change::PutZone(Box::new(zone("acme")))]);
        let second = committed(&first, vec![Change::PutZone(Box::new(zone("globex")))]);
        let changed: Vec<u64> = second.zones.values().map(|z| z.changed.0).collect();
        assert_eq!(changed, [1, 2]);
    }
}
