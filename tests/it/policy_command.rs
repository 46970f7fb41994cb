//! `reconciler policy test` as people run it: the binary, and what it shows held against what a gateway does to the same records.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::client::{Client, Connection};
use crate::support::events::Record;
use crate::support::kafka::{Cluster, unique};
use crate::support::product::{Product, Setup, manifest};
use crate::support::reconciler::reconciler;

const HEADERS: &str = "  headers:
    addOnProduce:
      - {key: from, value: \"{{user}}/{{clientId}}/{{apiKey}}/{{gatewayHost}}\", overrideIfExists: true}
      - {key: trace, value: ours, overrideIfExists: false}
    removeOnConsume:
      - keyRegex: internal-.*
      - keyRegex: (?i)SECRET
";

/// The headers of each record that is tried; null is one without a value.
fn samples() -> Vec<Vec<(&'static str, Option<&'static str>)>> {
    vec![
        vec![],
        vec![("from", Some("forged")), ("trace", Some("a")), ("from", None), ("trace", Some("b"))],
        vec![("internal-a", Some("1")), ("Secret", None), ("kind", Some("")), ("an-internal-b", Some("2"))],
    ]
}

/// Exit code, standard output and standard error of `reconciler policy test`.
fn policy_test(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let mut process = reconciler(folder, &[&["policy", "test"], arguments].concat());
    let code = process.wait(Duration::from_secs(30)).code().unwrap();
    let shown = process.stdout().join("\n");
    let all: Vec<_> = process.lines().into_iter().map(|line| line.text).collect();
    let said = all.into_iter().filter(|line| !shown.lines().any(|out| out == line));
    (code, shown.clone(), said.collect::<Vec<_>>().join("\n"))
}

fn written(folder: &Path, file: &str, text: &str) {
    fs::write(folder.join(file), text).unwrap();
}

#[test]
fn a_good_file_is_shown_on_stdout_as_a_table_and_as_json() {
    let folder = tempfile::tempdir().unwrap();
    written(folder.path(), "acme.yaml", &(manifest("acme", &[("orders", "o", "WRITE")]) + HEADERS));
    let (code, table, said) = policy_test(folder.path(), &["acme.yaml"]);
    assert_eq!((code, said.as_str()), (0, ""));
    let rows: Vec<Vec<_>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["RECORD", "WAY", "CHANGE", "HEADER", "VALUE"]);
    let from = "acme-account/sample-client/0/gateway.example.com";
    assert_eq!(rows[1], ["1", "without-headers", "produce", "added", "from", from]);
    let removed = rows.iter().find(|row| row[1..4] == ["with-headers", "consume", "removed"]).unwrap();
    assert_eq!(removed[4], "internal-.*");

    written(
        folder.path(),
        "one.jsonl",
        "{\"key\": \"k\", \"headers\": [[\"trace\", null]], \"way\": \"produce\"}\n",
    );
    let more = ["--records", "one.jsonl", "--client-id", "app", "--compression", "zstd", "-o", "json"];
    let (code, shown, said) = policy_test(folder.path(), &[&["acme.yaml"], &more[..]].concat());
    assert_eq!((code, said.as_str()), (0, ""));
    let from = "acme-account/app/0/gateway.example.com";
    let after = json!([["trace", null], ["from", from]]);
    let record =
        json!({"record": 1, "key": "k", "way": "produce", "before": [["trace", null]], "after": after});
    assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), json!({"zone": "acme", "records": [record]}));
    // Without a policy nothing happens to them, and that is shown as well.
    written(folder.path(), "plain.yaml", &manifest("plain", &[("orders", "o", "WRITE")]));
    let (code, shown, _) = policy_test(folder.path(), &["plain.yaml", "-o", "json"]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(code, 0);
    let records = shown["records"].as_array().unwrap();
    assert!(!records.is_empty() && records.iter().all(|record| record["before"] == record["after"]));
}

#[test]
fn what_is_wrong_is_said_on_stderr_with_its_place_and_nothing_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let good = manifest("acme", &[("orders", "o", "WRITE")]) + HEADERS;
    let line_of = |text: &str, part: &str| 1 + text.lines().position(|line| line.contains(part)).unwrap();
    let files = [
        ("regex.yaml", good.replace("internal-.*", "internal-(?=x)"), "internal-(?=x)"),
        ("template.yaml", good.replace("{{apiKey}}", "{{apiKye}}"), "{{apiKye}}"),
        ("field.yaml", good.replace("addOnProduce", "addOnProduced"), "addOnProduced"),
    ];
    written(folder.path(), "none.yaml", "# nothing\n");
    let (code, shown, said) = policy_test(folder.path(), &["none.yaml"]);
    assert_eq!((code, shown.as_str(), said.contains("none.yaml:1:1")), (1, "", true), "{said}");
    for (file, text, wrong) in &files {
        written(folder.path(), file, text);
        let (code, shown, said) = policy_test(folder.path(), &[file]);
        assert_eq!((code, shown.as_str()), (1, ""), "{file}: {said}");
        let place = format!("{file}:{}:", line_of(text, wrong));
        assert!(said.contains(&place), "{file}: no {place} in\n{said}");
    }
    written(folder.path(), "acme.yaml", &good);
    written(folder.path(), "two.yaml", &format!("{good}---\n{}", good.replace("acme", "other")));
    written(folder.path(), "bad.jsonl", "{}\n{\"headers\": [[\"only a key\"]]}\n");
    written(folder.path(), "empty.jsonl", "\n");
    let wrong: [(&[&str], &str); 5] = [
        (&["two.yaml"], "several zones in two.yaml"),
        (&["acme.yaml", "--records", "bad.jsonl"], "bad.jsonl, line 2"),
        (&["acme.yaml", "--records", "empty.jsonl"], "no record in empty.jsonl"),
        (&["acme.yaml", "--records", "missing.jsonl"], "missing.jsonl"),
        (&["acme.yaml", "--compression", "brotli"], "brotli"),
    ];
    for (arguments, cause) in wrong {
        let (code, shown, said) = policy_test(folder.path(), arguments);
        assert_eq!((code, shown.as_str()), (2, ""), "{arguments:?}: {said}");
        assert!(said.contains(cause), "{arguments:?}: no {cause:?} in\n{said}");
    }
    let (code, shown, said) = policy_test(folder.path(), &["missing.yaml"]);
    assert_ne!(code, 0);
    assert_eq!(shown, "");
    assert!(said.contains("missing.yaml"), "{said}");
}

/// In the form of the command's JSON.
fn headers_of(record: &Record) -> Value {
    let text = |value: &Vec<u8>| String::from_utf8(value.clone()).unwrap();
    record.headers.iter().map(|(key, value)| json!([key, value.as_ref().map(text)])).collect()
}

/// What the command shows of these records: the headers of each afterwards, going this way.
fn shown(product: &Product, file: &Path, records: &Path, codec: &str, way: &str) -> Vec<Value> {
    let [file, records] = [file, records].map(|path| path.to_str().unwrap());
    let more = ["--records", records, "--compression", codec, "--client-id", "app-7", "-o", "json"];
    let output = product.cli(&[&["policy", "test", file], &more[..]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    let records = shown["records"].as_array().unwrap().iter();
    records.filter(|record| record["way"] == way).map(|record| record["after"].clone()).collect()
}

#[test]
fn what_it_shows_is_what_the_gateway_does_to_these_records_in_every_codec() {
    let cluster = Cluster::shared();
    let backing = unique("backing");
    cluster.create_topic(&backing, 1);
    let zone = manifest("acme", &[("orders", &backing, "WRITE")]) + HEADERS;
    let product = Product::start(cluster, Setup::MEMORY, &[("acme.yaml", &zone)]);
    product.wait_for_status("acme", "READY");
    let partner = product.partner("acme");
    // Under the name that the command takes for the user's.
    let connection = Connection::sasl(&partner.bootstrap, "PLAIN", "acme-account", &partner.secret);
    let direct = Connection::plaintext(cluster.bootstrap());
    let folder = tempfile::tempdir().unwrap();
    written(folder.path(), "acme.yaml", &zone);
    let lines = samples().into_iter().map(|headers| json!({"headers": headers}).to_string() + "\n");
    written(folder.path(), "records.jsonl", &lines.collect::<String>());
    let [file, records] = ["acme.yaml", "records.jsonl"].map(|name| folder.path().join(name));

    let mut written = 0;
    // How each client writes each codec is what the tests of headers are about.
    for (client, codec) in [
        (Client::Librdkafka, "none"),
        (Client::Librdkafka, "gzip"),
        (Client::Librdkafka, "snappy"),
        (Client::Java, "snappy"),
        (Client::Librdkafka, "lz4"),
        (Client::Librdkafka, "zstd"),
    ] {
        for (way, writer, topic, reader, seen_as) in [
            ("produce", &connection, "orders", &direct, backing.as_str()),
            ("consume", &direct, backing.as_str(), &connection, "orders"),
        ] {
            for headers in samples() {
                let headers: Vec<_> = headers
                    .into_iter()
                    .map(|(key, value)| value.map_or(key.to_owned(), |value| format!("{key}={value}")))
                    .collect();
                let mut arguments = vec!["produce", "--topic", topic, "--partition", "0", "--value", "v"];
                arguments.extend(["--compression", codec, "-X", "client.id=app-7"]);
                arguments.extend(headers.iter().flat_map(|header| ["--header", header.as_str()]));
                assert_eq!(client.run(writer, &arguments).errors(), [], "{client:?} {codec}");
            }
            let (from, max) = (written.to_string(), samples().len().to_string());
            let read = ["assign", "--topic", seen_as, "--partition", "0", "--from", &from, "--max", &max];
            let seen: Vec<_> = client.run(reader, &read).records().iter().map(headers_of).collect();
            assert_eq!(
                seen,
                shown(&product, &file, &records, codec, way),
                "{client:?}, {codec}, {way}: the gateway, and the command"
            );
            written += samples().len();
        }
    }
    assert!(product.metrics().contains("gateway_edited_batches_total"));
}
