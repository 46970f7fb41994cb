use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::store::changes::{complete, number};
use crate::store::samples::{controls, credential, letters, zone};
use crate::zone::{
    ApiKey, ApiKeyRole, Credential, KeyName, PlainVerifier, Principal, ReplayStart, ScramHash, Slots, Spent,
};

const HOME: &str = "home-cluster";
const NOBODY: [(&str, Sequence); 0] = [];

fn committed(state: &State, changes: Vec<Change>) -> State {
    let sequence = number(&changes, state.sequence);
    let (changes, _) = complete(changes, state).unwrap();
    state.after(changes, sequence)
}

/// Zone `acme` shares topic `t` from this offset on.
fn replay(offset: i64) -> Change {
    let start = ReplayStart { backing: "t".try_into().unwrap(), topic_id: None, offsets: vec![offset] };
    Change::PutReplay("acme".try_into().unwrap(), Arc::new([("orders".try_into().unwrap(), start)].into()))
}

/// Something of every kind.
fn full() -> State {
    let key = ApiKey {
        id: "k1".to_owned(),
        role: ApiKeyRole::Admin,
        created_at: OffsetDateTime::UNIX_EPOCH,
        verifier: PlainVerifier { salt: vec![7; 16], hash: vec![8; 32] },
    };
    let mut changes = vec![
        Change::Applied(Revision::commit("refs/heads/main", "8c1f")),
        Change::PutZone(Box::new(zone("acme"))),
        Change::PutZone(Box::new(zone("globex"))),
        Change::PutCredential(credential("acme", 1)),
        Change::PutApiKey(key),
        Change::PutPrincipal {
            cluster: "west".try_into().unwrap(),
            zone: "acme".try_into().unwrap(),
            principal: Principal {
                cluster_id: "w".to_owned(),
                slots: Some(Slots::both(&KeyName::of(&[7; 8]), ScramHash::Sha512)),
            },
        },
        replay(40),
        Change::PutCluster("west".try_into().unwrap(), "w".to_owned()),
        Change::Spend("8c1f".to_owned(), Spent { deletions: 1, updates: 2 }),
        Change::EndSession("s1".to_owned(), OffsetDateTime::UNIX_EPOCH),
        Change::GoesOn { from: Sequence(6), lineage: [Uuid::from_u128(1)].into() },
    ];
    changes.extend(controls());
    changes.extend(letters().map(Change::PutLetter));
    committed(&State::default(), changes)
}

fn backup(state: &State) -> Backup {
    let document = Backup::of(state, HOME, OffsetDateTime::UNIX_EPOCH).unwrap();
    Backup::parse(&serde_json::to_vec(&document).unwrap()).unwrap()
}

fn restored(backup: &Backup, state: &State, into: Into) -> Result<State, BackupError> {
    let restored = backup.restore(state, HOME, NOBODY.into_iter(), into)?;
    Ok(committed(state, restored.changes))
}

#[test]
fn a_lost_state_comes_back_in_full_and_later_than_it_was() {
    let before = full();
    let after = restored(&backup(&before), &State::default(), Into::Fresh).unwrap();
    assert_eq!((before.sequence, after.sequence), (Sequence(7), Sequence(8)));
    assert_eq!(serde_json::to_value(backup(&after).records).unwrap(), {
        let mut records = serde_json::to_value(backup(&before).records).unwrap();
        for name in ["zone/acme", "zone/globex"] {
            records[name]["changed"] = 8.into();
        }
        records
    });
    assert_eq!((&after.revision, &after.lineage), (&before.revision, &before.lineage));
}

#[test]
fn what_a_controller_made_meanwhile_stays_and_gets_the_ids_that_partners_know() {
    let mut before = full();
    let mut known = zone("acme");
    known.id = ZoneId::derive("where it was before", &known.zone.name);
    before = committed(&before, vec![Change::PutZone(Box::new(known.clone()))]);
    let mut newer = zone("acme");
    Arc::make_mut(&mut newer.zone).display_name = Some("As the source has it now".to_owned());
    let meanwhile = committed(
        &State::default(),
        vec![
            Change::PutZone(Box::new(newer.clone())),
            replay(90),
            Change::Applied(Revision::commit("refs/heads/main", "9d20")),
            Change::GoesOn { from: Sequence(0), lineage: [Uuid::from_u128(2)].into() },
        ],
    );
    let after = restored(&backup(&before), &meanwhile, Into::Fresh).unwrap();
    let acme = &after.zones[&newer.zone.name];
    assert_eq!((acme.id, &acme.zone), (known.id, &newer.zone));
    assert_eq!(after.replays, before.replays, "the share goes on where it began");
    assert_eq!((after.credentials.len(), after.api_keys.len()), (1, 1));
    assert_eq!(after.revision, meanwhile.revision);
    assert_eq!(after.lineage.len(), 2, "nodes that have read either go on");
}

#[test]
fn a_store_in_use_takes_only_what_it_lacks_and_only_when_that_is_asked_for() {
    let before = full();
    let shortened = Credential { expires_at: None, ..credential("acme", 1) };
    let new = credential("globex", 2);
    let used = committed(&before, vec![Change::PutCredential(shortened.clone()), Change::PutCredential(new)]);
    let document = backup(&committed(&before, vec![Change::PutCredential(credential("globex", 3))]));
    assert!(matches!(restored(&document, &used, Into::Fresh), Err(BackupError::InUse(2))));
    let after = restored(&document, &used, Into::InUse).unwrap();
    assert_eq!(after.credentials.len(), 3);
    assert_eq!(*after.credentials[&shortened.key_id], shortened, "it stays as it is");
    let mut moved = zone("acme");
    moved.id = ZoneId::derive("elsewhere", &moved.zone.name);
    let moved = committed(&used, vec![Change::PutZone(Box::new(moved))]);
    assert!(matches!(restored(&document, &moved, Into::InUse), Err(BackupError::OtherId(_))));
}

#[test]
fn a_node_that_holds_a_later_state_is_the_better_backup() {
    let document = backup(&full());
    let serving = |at| [("gateway-1", Sequence(at))].into_iter();
    let refused = document.restore(&State::default(), HOME, serving(9), Into::Fresh).unwrap_err();
    assert!(refused.to_string().contains("node `gateway-1` still serves commit 9"), "{refused}");
    document.restore(&State::default(), HOME, serving(7), Into::Fresh).unwrap();
    let taken = document.restore(&State::default(), HOME, serving(9), Into::InUse).unwrap();
    assert_eq!(committed(&State::default(), taken.changes).sequence, Sequence(10));
}

#[test]
fn what_must_not_be_put_back_is_refused() {
    let good = backup(&full());
    let refused = |change: fn(&mut Value)| {
        let mut value = serde_json::to_value(&good).unwrap();
        change(&mut value);
        let document = match Backup::parse(value.to_string().as_bytes()) {
            Ok(document) => document,
            Err(error) => return error.to_string(),
        };
        restored(&document, &State::default(), Into::Fresh).unwrap_err().to_string()
    };
    assert!(refused(|v| v["formatVersion"] = "2.0".into()).contains("`2.0`"));
    assert!(refused(|v| v["homeClusterId"] = "other".into()).contains("it is of the cluster `other`"));
    assert!(refused(|v| v["leaderVersion"] = 9.into()).contains("this program does not know"));
    assert!(refused(|v| v["records"]["share/s1"] = json!({})).contains("`share/s1`"));
    assert!(refused(|v| v["records"]["zone/acme"]["new"] = 1.into()).contains("`zone/acme`"));
    assert!(refused(|v| v["records"]["zone/acme"]["schemaVersion"] = 2.into()).contains("schema version 2"));
    assert!(refused(|v| v["records"]["zone/acme"] = Value::Null).contains("no value"));
    assert!(refused(|v| v["records"]["lease"] = json!({"schemaVersion": 1})).contains("`lease`"));
    assert!(
        refused(|v| v["records"]["zone/acme"]["id"] = v["records"]["zone/globex"]["id"].clone())
            .contains("id of another zone")
    );
    assert!(
        refused(|v| drop(v["records"].as_object_mut().unwrap().remove("zone/acme")))
            .contains("for zone `acme`")
    );
}

#[test]
fn there_is_no_secret_in_what_is_kept() {
    let secret = "a-secret-that-was-shown-once";
    let plain = PlainVerifier::new(secret, &[1; 16]);
    let state =
        committed(&full(), vec![Change::PutCredential(Credential { plain, ..credential("acme", 5) })]);
    let text = serde_json::to_string(&backup(&state)).unwrap();
    assert!(text.contains("\"hash\"") && !text.contains(secret));
}

proptest! {
    #[test]
    fn arbitrary_documents_never_panic(text in "\\PC{0,200}", key in "[a-z/0-9-]{0,20}", value in "\\PC{0,40}") {
        let _ = Backup::parse(text.as_bytes());
        let mut document = backup(&full());
        document.records.insert(key, value.into());
        let _ = restored(&document, &State::default(), Into::Fresh);
    }
}
