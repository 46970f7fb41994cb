mod random;
mod scribe;
mod styles;

use serde_json::json;

use super::super::document::to_document;
use super::*;

const ACME: &str = include_str!("../../../zones-example/zones/acme-logistics.yaml");
const BLUEBIRD: &str = include_str!("../../../zones-example/zones/bluebird-retail.yaml");
const SENSORS: &str = include_str!("../../../zones-example/zones/sensor-works.yaml");
const SEED: &str = include_str!("../../../tests/manifests/valid/seed.yaml");
const PRINTED: &str = include_str!("../../../tests/manifests/valid/read-only-metadata.yaml");
const FULL: &str = include_str!("../../../tests/manifests/valid/full.yaml");

fn named(name: &str) -> ZoneName {
    name.try_into().unwrap()
}

/// The file with one of its zones changed.
fn try_edit(text: &str, name: &str, change: impl FnOnce(&mut Value)) -> Result<String, EditError> {
    let mut wanted = to_document(&*present(text, &named(name))?);
    change(&mut wanted);
    put(text, &named(name), &wanted)
}

/// The same of the only zone.
fn edit(text: &str, change: impl FnOnce(&mut Value)) -> String {
    let zones = read(text).zones;
    let name = zones.keys().next().expect("a zone");
    try_edit(text, name.as_str(), change).unwrap()
}

/// A zone whose spec ends with these lines.
fn zone(rest: &str) -> String {
    format!(
        "apiVersion: v2\nkind: PartnerZone\nmetadata:\n  name: acme\nspec:\n  cluster: gateway\n  authenticationMode:\n    \
         type: PLAIN\n    serviceAccount: acme\n{rest}"
    )
}

/// What `edit` makes of the lines behind the usual ones, which stay.
#[track_caller]
fn assert_edit(before: &str, change: impl FnOnce(&mut Value), after: &str) {
    assert_eq!(edit(&zone(before), change), zone(after));
}

#[test]
fn a_scalar_changes_where_it_stands() {
    for (file, pointer, new, old_text, new_text) in [
        (ACME, "/spec/cluster", "other", "cluster: gateway", "cluster: other"),
        (
            ACME,
            "/spec/topics/1/permission",
            "WRITE",
            "v2\n      permission: READ",
            "v2\n      permission: WRITE",
        ),
        (ACME, "/spec/topics/0/name", "all-orders", "- name: orders", "- name: all-orders"),
        (ACME, "/spec/topics/0/tags/0", "sales, all", "[orders]", "['sales, all']"),
        (ACME, "/metadata/labels/domain", "no: 1", "domain: fulfilment", "domain: 'no: 1'"),
        (SENSORS, "/spec/displayName", "0123", "Sensor Works\n  description", "'0123'\n  description"),
        (SEED, "/spec/partner/phone", "# none", "07827 837 177", "'# none'"),
        (
            FULL,
            "/spec/topics/1/deprecated/until",
            "2027-02-01T00:00:00Z",
            "2027-01-31T00:00:00+01:00",
            "2027-02-01T00:00:00Z",
        ),
        (FULL, "/spec/topics/3/permission", "READ", "PRODUCE", "READ"),
        (
            FULL,
            "/spec/headers/addOnProduce/0/value",
            "\"x\"",
            "\"Client:{{clientId}}, from IP:{{userIp}}\"",
            "\"\\\"x\\\"\"",
        ),
    ] {
        let edited = edit(file, |zone| *zone.pointer_mut(pointer).unwrap() = new.into());
        assert_eq!(file.matches(old_text).count(), 1, "{old_text}");
        assert_eq!(edited, file.replace(old_text, new_text));
    }
}

#[test]
fn what_means_the_same_stays_as_it_is_written() {
    for file in [ACME, BLUEBIRD, SENSORS, SEED, PRINTED, FULL] {
        assert_eq!(edit(file, |_| ()), file);
        // Nor does it change with something else.
        let edited = edit(file, |zone| zone["spec"]["url"] = "https://a.example".into());
        let is_new = |line: &&str| !file.lines().any(|old| old == *line);
        assert_eq!(edited.lines().filter(is_new).collect::<Vec<_>>(), ["  url: https://a.example"]);
    }
}

#[test]
fn a_new_field_comes_where_the_written_form_has_it() {
    let edited = edit(SEED, |zone| {
        zone["metadata"]["labels"] = json!({"a/b": "1", "c": "d"});
        zone["spec"]["description"] = "why:\n  because\n".into();
        zone["spec"]["topics"][0]["tags"] = json!(["x", "- y"]);
        zone["spec"]["access"] = json!({"allowedCidrs": ["192.0.2.0/24"]});
    });
    insta::assert_snapshot!(edited);
    let edited = edit(PRINTED, |zone| zone["metadata"]["labels"] = json!({"a": "b"}));
    assert_eq!(edited, PRINTED.replace("john-partner-zone\n", "john-partner-zone\n  labels:\n    a: b\n"));
}

#[test]
fn a_field_goes_with_its_lines_and_the_comment_above_it() {
    let edited = edit(ACME, |zone| {
        zone["spec"].as_object_mut().unwrap().remove("partner");
        zone["metadata"].as_object_mut().unwrap().remove("labels");
        zone["spec"]["topics"][0].as_object_mut().unwrap().remove("description");
    });
    insta::assert_snapshot!(edited);
    assert_edit(
        "  # far away\n\n  # of it\n  url: https://a.b # too\n\n  topics: []\n",
        |zone| drop(zone["spec"].as_object_mut().unwrap().remove("url")),
        "  # far away\n\n  topics: []\n",
    );
}

#[test]
fn items_are_found_by_their_names() {
    let edited = edit(BLUEBIRD, |zone| {
        let topics = zone["spec"]["topics"].as_array_mut().unwrap();
        topics.remove(0);
        topics[1]["permission"] = "WRITE".into();
        topics.push(
            json!({"name": "0x1", "backingTopic": "b", "permission": "READ", "replay": {"maxAge": "1d"}}),
        );
    });
    insta::assert_snapshot!(edited);
    // Another order moves the lines of an item as they are.
    let edited = edit(BLUEBIRD, |zone| zone["spec"]["topics"].as_array_mut().unwrap().rotate_left(1));
    insta::assert_snapshot!(edited);
}

#[test]
fn the_last_of_a_list_and_the_first_are_written_as_a_whole() {
    let topic = json!({"name": "a", "backingTopic": "b", "permission": "READ"});
    let lines = "  topics: # all\n    - name: a\n      backingTopic: b\n      permission: READ\n";
    assert_edit(lines, |zone| zone["spec"]["topics"] = json!([]), "  topics: [] # all\n");
    assert_edit("  topics: [] # all\n", |zone| zone["spec"]["topics"] = json!([topic]), lines);
    assert_edit(
        "  access: {}\n",
        |zone| zone["spec"]["access"] = json!({"validUntil": "2027-01-01T00:00:00Z"}),
        "  access:\n    validUntil: 2027-01-01T00:00:00Z\n",
    );
}

#[test]
fn the_older_account_stays_the_older_one_while_it_can() {
    let edited = edit(SEED, |zone| zone["spec"]["authenticationMode"]["serviceAccount"] = "jane".into());
    assert_eq!(edited, SEED.replace("serviceAccount: johndoe", "serviceAccount: jane"));
    let edited = edit(SEED, |zone| zone["spec"]["authenticationMode"]["type"] = "SCRAM".into());
    let mode = "authenticationMode:\n    type: SCRAM\n    serviceAccount: johndoe";
    assert_eq!(edited, SEED.replace("serviceAccount: johndoe", mode));
    // Both at once have to agree.
    let both = zone("  serviceAccount: acme # old\n");
    let edited = edit(&both, |zone| zone["spec"]["authenticationMode"]["serviceAccount"] = "jane".into());
    assert_eq!(edited, both.replace("serviceAccount: acme", "serviceAccount: jane"));
}

#[test]
fn windows_line_ends_and_a_missing_last_one_stay() {
    let file = format!("\u{feff}{}", ACME.trim_end().replace('\n', "\r\n"));
    let edited = edit(&file, |zone| {
        zone["spec"]["topics"][1]["tags"] = json!(["a"]);
        zone["spec"]["partner"].as_object_mut().unwrap().remove("email");
        zone["spec"]["organization"] = json!({"name": "Us"});
    });
    assert!(!edited.replace("\r\n", "").contains('\n') && !edited.ends_with('\n'), "{edited:?}");
    let unix = edit(ACME.trim_end(), |zone| {
        zone["spec"]["topics"][1]["tags"] = json!(["a"]);
        zone["spec"]["partner"].as_object_mut().unwrap().remove("email");
        zone["spec"]["organization"] = json!({"name": "Us"});
    });
    assert_eq!(edited, format!("\u{feff}{}", unix.replace('\n', "\r\n")));
    assert!(unix.ends_with("role: First contact\n  organization:\n    name: Us"), "{unix}");
}

#[test]
fn other_documents_and_what_separates_them_stay() {
    let file = format!("%YAML 1.2\n---\n{SEED}# end\n...\n--- # second\n{BLUEBIRD}---\n{SENSORS}");
    let edited = try_edit(&file, "bluebird-retail", |zone| zone["spec"]["cluster"] = "x".into()).unwrap();
    let second = BLUEBIRD.replace("cluster: gateway", "cluster: x");
    assert_eq!(edited, format!("%YAML 1.2\n---\n{SEED}# end\n...\n--- # second\n{second}---\n{SENSORS}"));
    let without = |name: &str| remove(&file, &named(name)).unwrap().unwrap();
    assert_eq!(without("bluebird-retail"), format!("%YAML 1.2\n---\n{SEED}# end\n...\n---\n{SENSORS}"));
    assert_eq!(
        without("sensor-works"),
        format!("%YAML 1.2\n---\n{SEED}# end\n...\n--- # second\n{BLUEBIRD}")
    );
    assert_eq!(
        without("external-partner-zone"),
        format!("%YAML 1.2\n--- # second\n{BLUEBIRD}---\n{SENSORS}")
    );
    let header = format!("# ours\n\n# of it\n{SEED}---\n{SENSORS}");
    let rest = remove(&header, &named("external-partner-zone")).unwrap();
    assert_eq!(rest, Some(format!("# ours\n\n---\n{SENSORS}")));
    assert_eq!(remove(&format!("---\n{SEED}---\n# none\n"), &named("external-partner-zone")), Ok(None));
}

#[test]
fn a_suppression_stays_with_its_line() {
    let file = BLUEBIRD
        .replace(
            "    - name: orders\n",
            "    # reconciler-ignore: PZ0203 both are needed\n    - name: orders\n",
        )
        .replace("permission: WRITE", "permission: WRITE # reconciler-ignore: PZ0400 soon");
    let edited = edit(&file, |zone| {
        zone["spec"]["topics"].as_array_mut().unwrap().rotate_right(1);
        zone["spec"]["topics"][1]["permission"] = "PRODUCE".into();
    });
    assert!(
        edited.contains("    # reconciler-ignore: PZ0203 both are needed\n    - name: orders\n"),
        "{edited}"
    );
    assert!(edited.contains("permission: PRODUCE # reconciler-ignore: PZ0400 soon\n"), "{edited}");
}

#[test]
fn revoked_fingerprints_have_no_order_to_keep() {
    let [one, two, three] = ["cc", "aa", "bb"].map(|byte| byte.repeat(32));
    let mtls = |revoked: &str| {
        zone("").replace("PLAIN", "MTLS") + &format!("    revoked: # stolen\n{revoked}  topics: []\n")
    };
    let file = mtls(&format!("    - {one} # laptop\n    - {}\n", two.to_uppercase()));
    let edited = edit(&file, |zone| {
        let revoked = zone.pointer_mut("/spec/authenticationMode/revoked").unwrap().as_array_mut().unwrap();
        revoked.retain(|it| it.as_str().unwrap().to_lowercase().replace(':', "") != two);
        revoked.insert(0, three.clone().into());
    });
    let added = edited.lines().find(|line| line.to_lowercase().contains("bb")).unwrap();
    assert_eq!(edited, mtls(&format!("    - {one} # laptop\n{added}\n")));
}

#[test]
fn what_cannot_be_edited_says_why() {
    let unreadable = |text: String| try_edit(&text, "acme", |_| ()).unwrap_err().to_string();
    let wanted = to_document(&present(&zone(""), &named("acme")).unwrap());
    let said = |result: Result<String, EditError>| result.unwrap_err().to_string();
    assert_eq!(
        unreadable(zone("  bogus: 1\n")).split(';').take(2).collect::<Vec<_>>().join(";"),
        "the file says nothing certain about this zone; correct it first (line 10: unknown field `bogus` in `spec`"
    );
    assert_eq!(
        unreadable(format!("{}---\n{}", zone(""), zone(""))).split(" (").next(),
        Some("the file says nothing certain about this zone; correct it first")
    );
    assert_eq!(
        said(put(ACME, &named("acme"), &wanted)),
        "the file holds no zone `acme`; look where it is now"
    );
    assert_eq!(
        said(put(ACME, &named("acme-logistics"), &wanted)),
        "what is to be written is the zone `acme`; a renamed zone is a new one, in a document of its own"
    );
    assert_eq!(
        said(put(&zone(""), &named("acme"), &json!({"kind": "PartnerZone", "spec": 1}))),
        "what is to be written is no zone: `spec` is an integer, a mapping is wanted (at `spec`)"
    );
    // Another zone of the file has that account.
    let two = format!("{}---\n{SENSORS}", zone(""));
    let taken = try_edit(&two, "acme", |zone| {
        zone["spec"]["authenticationMode"]["serviceAccount"] = "sensor-works".into();
    });
    assert!(
        matches!(&taken, Err(EditError::Refused(reason)) if reason.contains("sensor-works")),
        "{taken:?}"
    );
}

#[test]
fn a_long_list_is_edited_quickly() {
    let topics: Vec<_> = (0..2_800)
        .map(|n| json!({"name": format!("t{n}"), "backingTopic": format!("b{n}"), "permission": "READ"}))
        .collect();
    let mut wanted = to_document(&present(&zone(""), &named("acme")).unwrap());
    wanted["spec"]["topics"] = topics.into();
    let start = std::time::Instant::now();
    let file = put(&zone(""), &named("acme"), &wanted).unwrap();
    wanted["spec"]["topics"].as_array_mut().unwrap().reverse();
    let turned = put(&file, &named("acme"), &wanted).unwrap();
    assert_eq!(turned.len(), file.len());
    // All on one line.
    let line = wanted.to_string();
    wanted["spec"]["topics"].as_array_mut().unwrap().reverse();
    assert_eq!(put(&line, &named("acme"), &wanted).unwrap().lines().count(), 1);
    assert!(start.elapsed() < std::time::Duration::from_secs(20), "{:?}", start.elapsed());
}
