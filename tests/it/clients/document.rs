//! `docs/clients.md`, as a run measured it.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use super::{CLIENTS, Flow, HELD_BACK, Measured};
use crate::support::client::Client;

const HEAD: &str = "# Clients

Written by the test `every_client_does_through_the_gateway_what_it_does_directly`, which runs each of these clients through the
gateway and directly against Apache Kafka 4.4.0 on three brokers, with the same result. `UPDATE_DOCS=1 cargo test --test it
every_client` writes it anew.
";

/// Writes the document if `UPDATE_DOCS` is set, else compares it; gives what is wrong.
pub(super) fn document(measured: &[Measured]) -> Option<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/clients.md");
    let text = text(measured);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        return None;
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let missing: Vec<&str> =
        text.lines().filter(|line| !committed.lines().any(|other| other == *line)).collect();
    (text != committed).then(|| {
        format!(
            "docs/clients.md is not what this run measured (UPDATE_DOCS=1 writes it). New:\n{}",
            missing.join("\n")
        )
    })
}

fn text(measured: &[Measured]) -> String {
    let mut text = HEAD.to_owned();
    text.push_str("\n## What works\n\n| client | version |");
    for flow in Flow::ALL {
        write!(text, " {} |", flow.name()).unwrap();
    }
    writeln!(text, "\n|---|---|{}", "---|".repeat(Flow::ALL.len())).unwrap();
    for result in measured {
        write!(text, "| {} | {} |", result.client.name(), version(result.client)).unwrap();
        for flow in Flow::ALL {
            let outcome = result.flows.iter().find(|(offered, _)| *offered == flow);
            let shown = outcome.map_or("–", |(_, outcome)| match outcome {
                Ok(()) => "works",
                Err(error) => error.lines().next().unwrap_or_default(),
            });
            write!(text, " {shown} |").unwrap();
        }
        text.push('\n');
    }
    text.push_str(FLOWS);
    versions(&mut text, measured);
    held_back(&mut text);
    text
}

const FLOWS: &str = "
- **produce**: every codec that the client has, under acks 0, 1 and all (idempotent), with key, header and timestamp.
- **consume**: all of that, read from a partition without a group.
- **group**: a group goes on where it stopped; two members share a topic; one leaves.
- **new group**: the same with KIP-848's protocol (`group.protocol=consumer`); `–`: the client does not have it.
- **transaction**: commit and abort; read, write and commit offsets in one transaction; what `read_committed` shows.
- **listing**: topics, groups, a topic's partitions, the nodes; nothing of anybody else.
";

/// The release of the client's own package.
fn version(client: Client) -> &'static str {
    let (manifest, before, after) = match client {
        Client::Java => {
            (include_str!("../../clients/java/pom.xml"), "kafka-clients</artifactId>\n      <version>", "<")
        }
        Client::Java2 => {
            (include_str!("../../clients/java2/pom.xml"), "kafka-clients</artifactId>\n      <version>", "<")
        }
        Client::Librdkafka => {
            (include_str!("../../clients/librdkafka/requirements.txt"), "confluent-kafka==", "\n")
        }
        Client::KafkaPython => {
            (include_str!("../../clients/kafka-python/requirements.txt"), "kafka-python==", "\n")
        }
        Client::FranzGo => (include_str!("../../clients/go/go.mod"), "github.com/twmb/franz-go v", "\n"),
        Client::Sarama => (include_str!("../../clients/go/go.mod"), "github.com/IBM/sarama v", "\n"),
        Client::Kafkajs => (include_str!("../../clients/kafkajs/package.json"), "\"kafkajs\": \"", "\""),
    };
    manifest.split_once(before).and_then(|(_, rest)| rest.split_once(after)).unwrap().0
}

fn versions(text: &mut String, measured: &[Measured]) {
    text.push_str(
        "\n## Which version of each API\n\nThe newest version that each client used through the gateway. Where it is another one \
         directly, that stands\nbehind the stroke; `–` is none.\n\n| API |",
    );
    for client in CLIENTS {
        write!(text, " {} |", client.name()).unwrap();
    }
    writeln!(text, "\n|---|{}", "---|".repeat(CLIENTS.len())).unwrap();
    let apis: BTreeSet<&String> =
        measured.iter().flat_map(|result| result.direct.keys().chain(result.through.keys())).collect();
    let shown = |version: Option<&i16>| version.map_or_else(|| "–".to_owned(), i16::to_string);
    for api in apis {
        write!(text, "| {api} |").unwrap();
        for result in measured {
            let (through, direct) = (result.through.get(api), result.direct.get(api));
            if through == direct {
                write!(text, " {} |", shown(through)).unwrap();
            } else {
                write!(text, " {} / {} |", shown(through), shown(direct)).unwrap();
            }
        }
        text.push('\n');
    }
}

fn held_back(text: &mut String) {
    text.push_str("\n## Held back\n\nThe test fails when a client uses anything else than directly that is not named here.\n\n");
    text.push_str("| API | directly | through the gateway | why |\n|---|---|---|---|\n");
    let shown = |version: Option<i16>| version.map_or_else(|| "–".to_owned(), |version| version.to_string());
    for row in HELD_BACK {
        writeln!(text, "| {} | {} | {} | {} |", row.api, shown(row.direct), shown(row.through), row.reason)
            .unwrap();
    }
}
