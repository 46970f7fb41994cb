use serde_json::Value;

use super::*;
use crate::zone::{AddHeader, sample as zones};

fn zone() -> PartnerZone {
    let add = |key: &str, value: &str, override_if_exists| AddHeader {
        key: key.to_owned(),
        value: value.parse().unwrap(),
        override_if_exists,
    };
    let headers = Headers {
        add_on_produce: vec![add("from", "{{user}}/{{clientId}}", true), add("trace-id", "ours", false)],
        remove_on_consume: vec!["internal-.*".parse().unwrap()],
    };
    PartnerZone { headers, ..zones::zone("acme", Vec::new()) }
}

fn tried(samples: &[Sample], codec: Codec) -> Vec<Tried> {
    let request = Produced {
        client_id: Some("app"),
        address: ADDRESS.into(),
        user: "acme-app",
        api_key: API_KEY,
        api_version: API_VERSION,
        gateway_host: HOST,
        at: 1,
    };
    let policy = Arc::new(zone().headers);
    let ways =
        [Way::Produce, Way::Consume].map(|way| try_out(&policy, way, samples, codec, &request).unwrap());
    ways.concat()
}

#[test]
fn a_few_records_show_what_the_policy_does_in_every_codec() {
    let samples = sample::of(&zone().headers);
    let table = "\
RECORD             WAY      CHANGE      HEADER       VALUE
1 without-headers  produce  added       from         acme-app/app
1 without-headers  produce  added       trace-id     ours
2 with-headers     produce  kept        trace-id     of the sender
2 with-headers     produce  removed     from         of the sender
2 with-headers     produce  kept        trace-id     of the sender
2 with-headers     produce  kept        internal-.*  of the sender
2 with-headers     produce  added       from         acme-app/app
1 without-headers  consume  no headers
2 with-headers     consume  kept        trace-id     of the sender
2 with-headers     consume  kept        from         of the sender
2 with-headers     consume  kept        trace-id     of the sender
2 with-headers     consume  removed     internal-.*  of the sender
";
    for codec in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        assert_eq!(shown::render(&zone(), &tried(&samples, codec), Form::Table), table, "{codec}");
    }
}

#[test]
fn records_of_a_file_go_the_ways_that_they_are_for() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let line =
        r#"{"headers": [["internal-a", null], ["trace-id", "1"], ["trace-id", "2"]], "way": "consume"}"#;
    std::fs::write(file.path(), format!("{line}\n\n{{\"key\": \"k\", \"way\": \"produce\"}}\n")).unwrap();
    let samples = sample::read(file.path()).unwrap();
    let shown = shown::render(&zone(), &tried(&samples, Codec::Zstd), Form::Json);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(
        shown,
        serde_json::json!({"zone": "acme", "records": [
            {"record": 2, "key": "k", "way": "produce", "before": [],
             "after": [["from", "acme-app/app"], ["trace-id", "ours"]]},
            {"record": 1, "key": null, "way": "consume",
             "before": [["internal-a", null], ["trace-id", "1"], ["trace-id", "2"]],
             "after": [["trace-id", "1"], ["trace-id", "2"]]},
        ]})
    );
}

#[test]
fn a_line_that_is_no_record_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    for (text, problem) in [("{}\n{\"vaule\": 1}\n", "line 2"), ("\n", "no record"), ("\u{0}", "line 1")] {
        std::fs::write(file.path(), text).unwrap();
        let failure = sample::read(file.path()).unwrap_err();
        assert!(failure.cause.contains(problem), "{}", failure.cause);
    }
    std::fs::write(file.path(), b"\xff").unwrap();
    assert!(sample::read(file.path()).unwrap_err().cause.contains("not UTF-8"));
    assert!(sample::read(Path::new("/nowhere")).unwrap_err().cause.contains("/nowhere"));
}
