use proptest::prelude::*;
use serde_json::json;
use time::macros::datetime;
use uuid::Uuid;

use super::*;
use crate::store::continuity::Tally;
use crate::store::samples::{controls, credential, letters, zone};
use crate::zone::{
    ApiKeyRole, ClusterName, KeyName, LastUse, PlainVerifier, ReplayStart, Revision, ScramHash, Slots, Spent,
    TopicName, TopicPattern,
};

fn reread(line: &Line) -> Record {
    let (record, later) =
        Record::read(&line.key, line.value.as_deref()).expect("what was written can be read");
    assert_eq!(later, Fields::new(), "what this version writes it knows");
    record
}

fn written(change: &Change) -> Line {
    Line::of(change, Sequence(7)).expect("can be written").expect("writes a record")
}

fn api_key(role: ApiKeyRole) -> ApiKey {
    ApiKey {
        id: "k1".to_owned(),
        role,
        created_at: datetime!(2026-11-22 10:00 UTC),
        verifier: PlainVerifier { salt: vec![0, 255], hash: vec![9; 32] },
    }
}

#[test]
fn what_is_written_is_read_back() {
    let acme = zone("acme");
    let expected = ZoneRecord { changed: Sequence(7), ..acme.clone() };
    let line = written(&Change::PutZone(Box::new(acme.clone())));
    assert_eq!(line.key, "zone/acme");
    assert_eq!(reread(&line), Record::Zone(acme.zone.name.clone(), Some(Box::new(expected))));

    let secret = credential("acme", 3);
    let line = written(&Change::PutCredential(secret.clone()));
    assert_eq!(reread(&line), Record::Credential(secret.key_id.clone(), Some(secret)));

    let partner = ApiKeyRole::Partner { zone: ZoneName::try_from("acme").unwrap() };
    let owner = ApiKeyRole::Owner { topics: vec![TopicPattern::try_from("orders*").unwrap()] };
    for role in [ApiKeyRole::Admin, ApiKeyRole::Viewer, owner, partner] {
        let key = api_key(role);
        let line = written(&Change::PutApiKey(key.clone()));
        assert_eq!(reread(&line), Record::ApiKey("k1".to_owned(), Some(key)));
    }
}

/// Earlier versions read these roles too, and let nobody in by them: their form does not change.
#[test]
fn the_scope_of_a_key_is_written_as_it_always_was() {
    let topics = ["orders", "sales.*"].map(|text| TopicPattern::try_from(text).unwrap()).to_vec();
    let zone = ZoneName::try_from("acme").unwrap();
    for (role, wanted) in [
        (ApiKeyRole::Owner { topics }, json!({"kind": "owner", "topics": ["orders", "sales.*"]})),
        (ApiKeyRole::Partner { zone }, json!({"kind": "partner", "zone": "acme"})),
    ] {
        let line = written(&Change::PutApiKey(api_key(role)));
        let value: serde_json::Value = serde_json::from_slice(&line.value.unwrap()).unwrap();
        assert_eq!(value["role"], wanted);
    }
}

#[test]
fn what_operators_asked_for_is_read_back_and_taken_back() {
    let mut keys = Vec::new();
    for change in controls() {
        let line = written(&change);
        let expected = match change {
            Change::Suspend(scope, asked) => Record::Suspension(scope, Some(asked)),
            Change::Rollback(rollback) => Record::Rollback(Some(rollback)),
            Change::Accept(acceptance) => Record::Acceptance(Some(acceptance)),
            other => panic!("{other:?}"),
        };
        assert_eq!(reread(&line), expected);
        keys.push(line.key);
    }
    assert_eq!(
        keys,
        ["suspension/all", "suspension/source", "suspension/zone/acme", "rollback", "acceptance"]
    );
    assert_eq!(reread(&written(&Change::Resume(Scope::All))), Record::Suspension(Scope::All, None));
    assert_eq!(reread(&written(&Change::EndRollback)), Record::Rollback(None));
}

#[test]
fn letters_are_read_back_under_the_name_of_what_they_say() {
    let keys = letters().map(|letter| {
        let line = written(&Change::PutLetter(letter.clone()));
        let id = letter.content.id();
        assert_eq!(reread(&line), Record::Letter(id.clone(), Some(letter)));
        assert_eq!(reread(&written(&Change::DeleteLetter(id.clone()))), Record::Letter(id, None));
        line.key
    });
    assert_eq!(keys, ["outbox/notice/acme/PZ0012/main@sha1:8c1f", "outbox/status/8c1f"]);
}

#[test]
fn the_last_use_of_a_credential_is_read_back_under_its_key_id() {
    let id = credential("acme", 1).key_id;
    let last = LastUse { at: datetime!(2026-11-22 10:00 UTC), address: "2001:db8::1".parse().unwrap() };
    let line = written(&Change::Used(id.clone(), last));
    assert_eq!(line.key, format!("last-use/{id}"));
    assert_eq!(reread(&line), Record::LastUse(id.clone(), Some(last)));
    assert_eq!(reread(&written(&Change::ForgetUse(id.clone()))), Record::LastUse(id, None));
}

#[test]
fn a_session_that_was_ended_is_read_back_under_its_id() {
    let until = OffsetDateTime::UNIX_EPOCH;
    let line = written(&Change::EndSession("s1".to_owned(), until));
    assert_eq!(line.key, "ended-session/s1");
    assert_eq!(reread(&line), Record::EndedSession("s1".to_owned(), Some(until)));
    let gone = written(&Change::ForgetSession("s1".to_owned()));
    assert_eq!((gone.key.as_str(), gone.value), ("ended-session/s1", None));
}

#[test]
fn what_was_spent_of_a_commit_is_read_back_under_its_id() {
    let spent = Spent { deletions: 3, updates: 1 };
    let line = written(&Change::Spend("8c1f".to_owned(), spent));
    assert_eq!(line.key, "spent/8c1f");
    assert_eq!(reread(&line), Record::Spent("8c1f".to_owned(), Some(spent)));
    let gone = written(&Change::ForgetSpent("8c1f".to_owned()));
    assert_eq!(reread(&gone), Record::Spent("8c1f".to_owned(), None));
}

#[test]
fn the_id_of_a_cluster_is_read_back_under_its_name() {
    let name = ClusterName::try_from("default").unwrap();
    let line = written(&Change::PutCluster(name.clone(), "abc".to_owned()));
    assert_eq!(line.key, "cluster/default");
    assert_eq!(reread(&line), Record::Cluster(name, Some("abc".to_owned())));
}

#[test]
fn a_principal_that_is_ours_is_read_back_and_a_key_that_names_none_is_an_error() {
    let (cluster, zone) = (ClusterName::try_from("West").unwrap(), ZoneName::try_from("acme").unwrap());
    let key = (cluster.clone(), zone.clone());
    let begun = Principal { cluster_id: "id-1".to_owned(), slots: None };
    let [one, two] = [1, 2].map(|number| KeyName::of(&[number; 8]));
    let slots = Slots::both(&one, ScramHash::Sha512).with(ScramHash::Sha256, &two);
    let proved = Principal { slots: Some(slots), ..begun.clone() };
    for principal in [begun, proved] {
        let line = written(&Change::PutPrincipal {
            cluster: cluster.clone(),
            zone: zone.clone(),
            principal: principal.clone(),
        });
        assert_eq!(line.key, "principal/West/acme");
        assert_eq!(reread(&line), Record::Principal(key.clone(), Some(principal)));
    }
    let gone = written(&Change::DeletePrincipal { cluster, zone });
    assert_eq!(reread(&gone), Record::Principal(key, None));
    for key in ["principal/West", "principal/West/Acme", "principal//acme"] {
        assert!(Record::read(key, None).is_err(), "{key}");
    }
}

#[test]
fn where_topics_stood_is_read_back() {
    let zone = ZoneName::try_from("acme").unwrap();
    let [one, two] = ["orders", "events"].map(|name| TopicName::try_from(name).unwrap());
    let start = |topic_id, offsets| ReplayStart { backing: two.clone(), topic_id, offsets };
    let known = start(Some(Uuid::from_u128(7)), vec![40, 0, 7]);
    let starts = Arc::new(ReplayStarts::from([(one, known), (two.clone(), start(None, vec![]))]));
    let line = written(&Change::PutReplay(zone.clone(), Arc::clone(&starts)));
    assert_eq!(line.key, "replay/acme");
    assert_eq!(reread(&line), Record::Replay(zone.clone(), Some(starts)));
    assert_eq!(reread(&written(&Change::DeleteReplay(zone.clone()))), Record::Replay(zone, None));
}

#[test]
fn lease_and_revision_are_read_back() {
    let lease = Lease {
        node: "controller-1".to_owned(),
        url: "http://controller-1:8080".to_owned(),
        renewed_at: datetime!(2026-11-22 10:00 UTC),
    };
    assert_eq!(reread(&Line::lease(&lease).unwrap()), Record::Lease(Some(lease)));
    for (revision, tally) in
        [(None, None), (Some(Revision::commit("main", "8c1f")), Some(Tally { zones: 3, credentials: 4 }))]
    {
        let lineage = [Uuid::from_u128(7)].into();
        let end = CommitEnd { sequence: Sequence(9), revision, lineage, tally, leader_version: 2 };
        assert_eq!(reread(&Line::end(&end).unwrap()), Record::End(end));
    }
}

#[test]
fn a_deletion_is_a_tombstone_and_an_applied_revision_writes_no_record_of_its_own() {
    let line = written(&Change::DeleteZone(ZoneName::try_from("acme").unwrap()));
    assert_eq!((line.key.as_str(), &line.value), ("zone/acme", &None));
    assert_eq!(reread(&line), Record::Zone(ZoneName::try_from("acme").unwrap(), None));
    let applied = Change::Applied(Revision::commit("main", "8c1f"));
    assert_eq!(Line::of(&applied, Sequence(1)).unwrap(), None);
}

#[test]
fn bytes_are_written_as_base64_beside_the_schema_version() {
    let line = written(&Change::PutCredential(credential("acme", 3)));
    let value: serde_json::Value = serde_json::from_slice(&line.value.unwrap()).unwrap();
    assert_eq!(value["schemaVersion"], 1);
    assert_eq!(value["scram"][0]["mechanism"], "SCRAM-SHA-512");
    assert_eq!(value["plain"]["salt"], "AQEBAQEBAQEBAQEBAQEBAQ==");
}

#[test]
fn a_key_of_another_kind_is_unknown_and_never_an_error() {
    for key in ["share/s1", "mail/7", "zones", "", "leases", "invitation/x/y", "suspension/cluster/west"] {
        assert_eq!(Record::read(key, Some(b"\xff")), Ok((Record::Unknown, Fields::new())), "{key}");
    }
}

#[test]
fn a_value_of_a_later_schema_version_is_an_error_and_not_an_absence() {
    for key in [
        "zone/acme",
        "credential/pz0123456789abcdef",
        "api-key/k1",
        "suspension/all",
        "rollback",
        "lease",
        "revision",
    ] {
        let value = json!({"schemaVersion": 2, "sequence": "any form"}).to_string();
        let problem = Record::read(key, Some(value.as_bytes())).expect_err(key);
        assert!(problem.contains("schema version 2") && problem.contains("upgrade"), "{problem}");
    }
}

#[test]
fn a_field_that_a_later_version_adds_is_ignored() {
    let value = br#"{"schemaVersion":1,"sequence":4,"comment":"new"}"#;
    let end = CommitEnd { sequence: Sequence(4), ..CommitEnd::default() };
    let (read, later) = Record::read("revision", Some(value)).expect("can be read");
    assert_eq!((read, later.len()), (Record::End(end), 1));
}

#[test]
fn a_zone_under_another_zones_key_is_an_error() {
    let line = written(&Change::PutZone(Box::new(zone("acme"))));
    let problem = Record::read("zone/globex", line.value.as_deref()).expect_err("another name");
    assert!(problem.contains("`acme`"), "{problem}");
    assert!(Record::read("revision", None).is_err(), "the revision is never deleted");
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(key in "(zone/|credential/|api-key/|suspension/|rollback|acceptance|lease|revision|)[a-z0-9/.]{0,20}", value: Vec<u8>) {
        let _ = Record::read(&key, Some(&value));
    }
}
