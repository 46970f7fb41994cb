//! Ways of writing that each need an edit of their own.

use super::*;

#[test]
fn braces_and_brackets_are_edited_as_such() {
    let topics = |fields: &str| format!("  topics:\n    - {fields}\n");
    for (before, after) in [
        (
            "{name: a, backingTopic: b, permission: READ}",
            "{name: a, backingTopic: b, permission: READ, tags: [x, 'y, z']}",
        ),
        (
            "{ backingTopic: b, permission: READ, name: a, }",
            "{ backingTopic: b, permission: READ, tags: [x, 'y, z'], name: a, }",
        ),
        (
            r#"{"name":"a","backingTopic":"b","permission":"READ"}"#,
            r#"{"name":"a","backingTopic":"b","permission":"READ", "tags": ["x", "y, z"]}"#,
        ),
        (
            "{\n      name: a, # one\n      backingTopic: b, # two\n      # above\n      permission: READ # three\n    }",
            "{\n      name: a, # one\n      backingTopic: b, # two\n      # above\n      permission: READ, # three\n      tags: [x, 'y, z']\n    }",
        ),
    ] {
        let tags = json!(["x", "y, z"]);
        assert_edit(&topics(before), |zone| zone["spec"]["topics"][0]["tags"] = tags, &topics(after));
        let none = |zone: &mut Value| drop(zone["spec"]["topics"][0].as_object_mut().unwrap().remove("tags"));
        let comma_stays = after.replace("READ, # three\n      tags: [x, 'y, z']\n", "READ # three\n");
        let comma_stays =
            comma_stays.replace(", tags: [x, 'y, z']", "").replace(r#", "tags": ["x", "y, z"]"#, "");
        assert_edit(&topics(after), none, &topics(&comma_stays));
    }
    let access = |blocks: &str| format!("  access: {{allowedCidrs: {blocks}}}\n");
    for (before, wanted, after) in [
        ("[10.0.0.0/8,  192.0.2.0/24]", json!(["192.0.2.0/24"]), "[192.0.2.0/24]"),
        ("[10.0.0.0/8,  192.0.2.0/24]", json!(["192.0.2.0/24", "10.0.0.0/8"]), "[192.0.2.0/24, 10.0.0.0/8]"),
        ("[10.0.0.0/8]", json!(["::1/128", "10.0.0.0/8"]), "[::1/128, 10.0.0.0/8]"),
        ("[ '10.0.0.0/8' ]", json!(["::1/128"]), "[ ::1/128 ]"),
    ] {
        assert_edit(&access(before), |zone| zone["spec"]["access"]["allowedCidrs"] = wanted, &access(after));
    }
}

#[test]
fn json_stays_json() {
    let file = r#"{"apiVersion": "v2", "kind": "PartnerZone", "metadata": {"name": "acme"},
  "spec": {"cluster": "gateway",
           "authenticationMode": {"type": "PLAIN", "serviceAccount": "acme"}, "topics": []}}
"#;
    let edited = edit(file, |zone| {
        zone["spec"]["description"] = "a\tb\u{200b}".into();
        zone["spec"]["trafficControlPolicies"] = json!({"maxConnections": 5});
        zone["spec"]["authenticationMode"]["type"] = "SCRAM".into();
    });
    let document: Value = serde_json::from_str(&edited).unwrap();
    assert_eq!(document["spec"]["description"], "a\tb\u{200b}");
    assert_eq!(edited.lines().next(), file.lines().next());
    assert_eq!(edited.lines().count(), 5, "{edited}");
}

#[test]
fn texts_over_several_lines_come_and_go() {
    let text = |text: &'static str| move |zone: &mut Value| zone["spec"]["description"] = text.into();
    let block = "  description: |\n    one\n\n    # two\n\n  # of topics\n  topics: []\n";
    assert_edit(block, text("three"), "  description: three\n\n  # of topics\n  topics: []\n");
    assert_edit(block, text("a\n b\n"), "  description: |\n    a\n     b\n\n  # of topics\n  topics: []\n");
    assert_edit("  description: x # why\n", text(" a\nb"), "  description: |2- # why\n     a\n    b\n");
    assert_edit("  description: x # why\n", text("a\rb\n"), "  description: \"a\\rb\\n\" # why\n");
    assert_edit("  description: \"x\n    y\" # why\n", text("a\nb"), "  description: \"a\\nb\" # why\n");
    assert_edit("  description:\n    x\n    y # why\n", text("z"), "  description:\n    z # why\n");
    assert_edit("  description: >-\n    x\n    y", text("z"), "  description: z");
    assert_edit("  description: 'x'\n", text("it's"), "  description: 'it''s'\n");
    assert_edit("  description: 'x'\n", text("\u{202e}x"), "  description: \"\\u202ex\"\n");
}

#[test]
fn odd_ways_of_writing_are_edited_too() {
    let renamed = |zone: &mut Value| zone["spec"]["topics"][0]["name"] = "x".into();
    let described = |zone: &mut Value| zone["spec"]["topics"][0]["description"] = "d".into();
    for (before, after) in [
        (
            "  topics:\n  -   name: a\n      backingTopic: b\n      permission: READ\n",
            "  topics:\n  -   name: x\n      backingTopic: b\n      permission: READ\n",
        ),
        (
            "  topics:\n  - # first\n    name: a\n    backingTopic: b\n    permission: READ\n",
            "  topics:\n  - # first\n    name: x\n    backingTopic: b\n    permission: READ\n",
        ),
        (
            "  topics:\n  -\n    'name' : a\n    backingTopic: b\n    permission: READ\n",
            "  topics:\n  -\n    'name' : x\n    backingTopic: b\n    permission: READ\n",
        ),
    ] {
        assert_edit(before, renamed, after);
        let indent = if before.contains("-   ") { "      " } else { "    " };
        assert_edit(before, described, &format!("{before}{indent}description: d\n"));
    }
    // Keys that are written out: the list is replaced as a whole, and what is around it stays.
    let edited = edit(
        &zone(
            "  topics:\n  - ? name\n    : a\n    backingTopic: b\n    permission: READ # r\n  url: https://a.b # u\n",
        ),
        renamed,
    );
    assert_eq!(
        edited,
        zone(
            "  topics:\n  -   name: x\n      backingTopic: b\n      permission: READ\n  url: https://a.b # u\n"
        )
    );
}
