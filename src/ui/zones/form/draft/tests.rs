use form_urlencoded::Serializer;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::document;
use super::*;

/// As a browser sends it: with its own line ends.
fn sent(draft: &Draft) -> Form {
    let mut form = Serializer::new(String::new());
    for (name, value) in draft.fields() {
        form.append_pair(&name, &value.replace('\n', "\r\n"));
    }
    Form::parse(form.finish().as_bytes()).unwrap()
}

fn form(fields: &[(&str, &str)]) -> Form {
    Form::parse(Serializer::new(String::new()).extend_pairs(fields).finish().as_bytes()).unwrap()
}

/// A zone with all that the form does not show, and with values that no form can hold as they are.
fn whole() -> Value {
    json!({
        "apiVersion": "v2",
        "kind": "PartnerZone",
        "metadata": {"name": "acme", "labels": {"team": "a,b=c", "tier": ""}},
        "spec": {
            "cluster": "gateway",
            "underlyingCluster": "eu",
            "displayName": " Acme\nLogistics ",
            "description": "One.\n\nTwo.\n",
            "url": "https://acme.example.com",
            "authenticationMode": {
                "type": "MTLS", "serviceAccount": "CN=acme, O=Acme", "ca": "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n",
                "revoked": ["ab"],
            },
            "topics": [
                {"name": "orders", "backingTopic": "sales.orders", "permission": "WRITE", "tags": ["x"], "schemas": [], "replay": {"maxAge": "7d"}},
                {
                    "name": "old", "backingTopic": "sales.old", "permission": "READ", "description": "d",
                    "deprecated": {"until": "2027-01-31T18:00:00Z", "replacedBy": "orders"},
                },
            ],
            "partner": {"name": "Ada", "email": "ada@acme.example.com"},
            "organization": {"name": "We"},
            "trafficControlPolicies": {"maxProduceRate": 1_000_000, "maxConnections": 3},
            "headers": {
                "addOnProduce": [{"key": "a\nb", "value": " x ", "overrideIfExists": true}],
                "removeOnConsume": [{"keyRegex": "internal-.*"}],
            },
            "access": {
                "validFrom": "2026-01-31T18:00:07.5Z", "validUntil": "2027-01-31T18:00:00Z", "allowedCidrs": ["192.0.2.0/24", "::1/128"],
            },
            "consumerGroups": [{"name": "g", "backingGroup": "real"}],
        },
    })
}

#[test]
fn a_zone_that_nobody_changes_in_the_form_comes_out_as_it_was() {
    let draft = Draft::of(&whole());
    assert_eq!(draft.onto(whole()), whole());
    let sent = Draft::read(&sent(&draft)).unwrap();
    assert_eq!(sent, draft);
    assert_eq!(sent.onto(whole()), whole());
}

#[test]
fn what_is_changed_changes_and_what_the_form_does_not_show_stays() {
    let mut draft = Draft::of(&whole());
    draft.replace("spec.displayName", "Acme");
    draft.replace("spec.url", "");
    draft.replace("spec.partner.name", "");
    draft.replace("spec.access.validUntil", "2028-02-01T00:00");
    draft.replace("spec.trafficControlPolicies.maxProduceRate", "");
    draft.replace("spec.trafficControlPolicies.maxConnections", "many");
    draft.topics[0].alias = "orders-2".to_owned();
    draft.topics.remove(1);
    draft.share(["sales.returns"].into_iter()).unwrap();
    draft.removed.clear();
    draft.added.clear();
    let mut wanted = whole();
    let spec = &mut wanted["spec"];
    spec["displayName"] = json!("Acme");
    spec.as_object_mut().unwrap().remove("url");
    spec["partner"]["name"] = json!("");
    spec["access"]["validUntil"] = json!("2028-02-01T00:00:00Z");
    spec["trafficControlPolicies"] = json!({"maxConnections": "many"});
    spec["topics"][0]["name"] = json!("orders-2");
    spec["topics"][1] =
        json!({"name": "sales.returns", "backingTopic": "sales.returns", "permission": "READ"});
    spec.as_object_mut().unwrap().remove("headers");
    assert_eq!(draft.onto(whole()), wanted);
    assert_eq!(draft.lost(&whole()), ["orders", "old"]);
}

#[test]
fn what_is_emptied_goes_with_what_it_was_in() {
    let mut draft = Draft::of(&whole());
    for (place, _) in FIELDS {
        draft.replace(place, "");
    }
    let document = draft.onto(whole());
    for gone in [
        "/spec/partner",
        "/spec/access",
        "/spec/trafficControlPolicies",
        "/metadata/labels",
        "/spec/displayName",
    ] {
        assert_eq!(document.pointer(gone), None, "{gone}");
    }
    for needed in ["/metadata/name", "/spec/cluster", "/spec/authenticationMode/serviceAccount"] {
        assert_eq!(document.pointer(needed), Some(&json!("")), "{needed}: the API is to complain of it");
    }
    assert_eq!(document["spec"]["organization"], json!({"name": "We"}));
}

#[test]
fn what_belongs_to_another_kind_of_authentication_does_not_go_along() {
    let mut draft = Draft::of(&whole());
    draft.replace("spec.authenticationMode.issuer", "idp");
    let authentication = |draft: &Draft| draft.onto(whole())["spec"]["authenticationMode"].clone();
    assert_eq!(authentication(&draft)["revoked"], json!(["ab"]));
    assert_eq!(authentication(&draft).get("issuer"), None);
    draft.replace("spec.authenticationMode.type", "OAUTHBEARER");
    assert_eq!(
        authentication(&draft),
        json!({"type": "OAUTHBEARER", "serviceAccount": "CN=acme, O=Acme", "issuer": "idp"})
    );
    draft.replace("spec.authenticationMode.type", "SCRAM");
    assert_eq!(authentication(&draft), json!({"type": "SCRAM", "serviceAccount": "CN=acme, O=Acme"}));
}

#[test]
fn names_follow_from_the_name_until_somebody_writes_them() {
    let mut draft = Draft::read(&form(&[("spec.displayName", "Bäckerei Nord")])).unwrap();
    draft.derive();
    assert_eq!(
        (draft.text("metadata.name"), draft.text(SERVICE_ACCOUNT)),
        ("backerei-nord", "backerei-nord")
    );
    let mut draft =
        Draft::read(&form(&[("spec.displayName", "B"), ("metadata.name", "own"), (SERVICE_ACCOUNT, "sa")]))
            .unwrap();
    draft.derive();
    assert_eq!((draft.text("metadata.name"), draft.text(SERVICE_ACCOUNT)), ("own", "sa"));
}

#[test]
fn a_topic_can_be_shared_twice_under_two_names() {
    let mut draft = Draft::default();
    draft.share(["orders", "orders", ""].into_iter()).unwrap();
    draft.share(["orders"].into_iter()).unwrap();
    let aliases: Vec<_> = draft.topics.iter().map(|topic| topic.alias.as_str()).collect();
    assert_eq!(aliases, ["orders", "orders-2", "orders-3"]);
    draft.take_back(1);
    draft.take_back(9);
    assert_eq!(draft.topics.len(), 2);
    assert!(draft.lacks("spec.url") && draft.lacks("spec.topics[0].was"));
    assert!(
        !draft.lacks("spec.topics[0].name") && !draft.lacks("spec.topics[9].name") && !draft.lacks("kind")
    );
}

#[test]
fn rows_come_in_their_order_and_have_an_end() {
    let draft = Draft::read(&form(&[
        ("spec.topics[18446744073709551615].backingTopic", "c"),
        ("spec.topics[10].backingTopic", "b"),
        ("spec.topics[2].backingTopic", "a"),
        ("spec.topics[99999999999999999999].backingTopic", "no number"),
        ("spec.topics[3].name", "no topic"),
        ("spec.headers.addOnProduce[5].overrideIfExists", "true"),
        ("spec.consumerGroups[0].name", "not in the form"),
    ]));
    let draft = draft.unwrap();
    let backing: Vec<_> = draft.topics.iter().map(|topic| topic.backing.as_str()).collect();
    assert_eq!(backing, ["a", "b", "c"]);
    assert!(draft.added.is_empty(), "a row without a key and a value is none");

    let many: Vec<_> = (0..=MAX_TOPICS).map(|index| (row(TOPICS, index, "backingTopic"), "t")).collect();
    let many: Vec<_> = many.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    assert!(Draft::read(&form(&many[1..])).is_ok());
    assert!(Draft::read(&form(&many)).is_err());
    let mut full = Draft::read(&form(&many[1..])).unwrap();
    assert!(full.share(["one more"].into_iter()).is_err());
}

#[test]
fn what_is_hidden_in_a_page_is_text() {
    let hostile = "\"><script>alert(1)</script>";
    let mut draft = Draft::default();
    for (place, _) in FIELDS {
        draft.set(place, hostile);
    }
    draft.share([hostile].into_iter()).unwrap();
    draft.added.push(Added {
        key: hostile.to_owned(),
        value: hostile.to_owned(),
        replaces: hostile.to_owned(),
    });
    draft.removed.push(hostile.to_owned());
    draft.reason = hostile.to_owned();
    for step in Step::ALL {
        let hidden = draft.hidden(step).into_string();
        assert!(hidden.contains("&lt;script&gt;") && !hidden.contains("<script>"), "{hidden}");
    }
}

fn text() -> impl Strategy<Value = String> {
    "[ -~äß€\n]{0,12}"
}

fn draft() -> impl Strategy<Value = Draft> {
    let topic = ("[a-z.]{1,9}", text(), text()).prop_map(|(backing, alias, was)| Topic {
        backing,
        alias: Kind::Line.clean(&alias),
        permission: "READ".to_owned(),
        was: Kind::Line.clean(&was),
    });
    let added = ("[a-z]{1,5}", text(), any::<bool>()).prop_map(|(key, value, replaces)| Added {
        key,
        value: one_line(&value),
        replaces: replaces.to_string(),
    });
    let lists = (
        prop::collection::vec(topic, 0..4),
        prop::collection::vec(added, 0..3),
        prop::collection::vec("[a-z*.]{1,6}", 0..3),
    );
    (prop::collection::vec(text(), FIELDS.len()), lists, text()).prop_map(
        |(texts, (topics, added, removed), reason)| {
            let mut draft =
                Draft { topics, added, removed, reason: Kind::Line.clean(&reason), ..Draft::default() };
            for ((place, _), text) in FIELDS.iter().zip(&texts) {
                draft.set(place, text);
            }
            draft
        },
    )
}

proptest! {
    #[test]
    fn a_draft_travels_in_a_form_and_comes_back(draft in draft()) {
        prop_assert_eq!(Draft::read(&sent(&draft)).unwrap(), draft);
    }

    #[test]
    fn a_draft_that_was_written_is_a_draft_again(draft in draft()) {
        let document = draft.onto(document::blank());
        let again = Draft::of(&document);
        prop_assert_eq!(again.onto(document.clone()), document);
    }
}
