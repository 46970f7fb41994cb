use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::tree;
use super::sample::zone;
use super::*;

proptest! {
    #[test]
    fn a_written_zone_reads_back_as_itself(zone in zone()) {
        let document = to_document(&zone);
        prop_assert_eq!(from_document(&document), Ok(zone.clone()));
        // What our writer prints, our reader reads: no text turns into a number on the way.
        let yaml = to_yaml(&zone).unwrap();
        let (documents, faults) = tree::parse(&yaml);
        prop_assert!(faults.is_empty(), "{faults:?} in\n{yaml}");
        prop_assert_eq!(documents[0].to_json(), document, "{}", yaml);
    }
}

#[test]
fn defaults_are_left_out_and_the_older_spelling_becomes_the_current_one() {
    let written = serde_json::json!({
        "apiVersion": "console/v2", "kind": "PartnerZone",
        "metadata": {"name": "acme", "labels": {}, "status": "READY"},
        "spec": {
            "cluster": "gateway", "serviceAccount": "acme", "access": {}, "headers": {}, "consumerGroups": [],
            "topics": [{"name": "a", "backingTopic": "b", "permission": "READ", "tags": [], "replay": {"maxAge": "24h"}}],
        },
    });
    let zone = from_document(&written).unwrap();
    assert_eq!(zone.labels, BTreeMap::new());
    assert_eq!(
        to_document(&zone),
        serde_json::json!({
            "apiVersion": "v2", "kind": "PartnerZone", "metadata": {"name": "acme"},
            "spec": {
                "cluster": "gateway", "authenticationMode": {"type": "PLAIN", "serviceAccount": "acme"},
                "topics": [{"name": "a", "backingTopic": "b", "permission": "READ", "replay": {"maxAge": "1d"}}],
            },
        })
    );
}

#[test]
fn a_document_that_is_no_zone_says_what_is_wrong_and_where() {
    let error = from_document(&serde_json::json!({"kind": "PartnerZone", "spec": 1})).unwrap_err();
    assert_eq!(error.to_string(), "`spec` is an integer, a mapping is wanted (at `spec`)");
    assert_eq!(error.0.len(), 3, "{error:?}");
}
