//! What quickstart writes: the configuration it runs with, and what it tells the user at the end.

use std::fmt::Write;
use std::path::Path;

use serde_json::{Value, json};

use super::examples;
use super::folder::{BRANCH, Folder, ZONES_PATH};
use super::partner::SeenRecord;
use crate::cli::{Failure, output};
use crate::zone::{PartnerZone, SharedTopic, TopicName};

/// What the self-check showed.
#[derive(Debug)]
pub(crate) struct Shown {
    zone: PartnerZone,
    pub(crate) alias: String,
    backing: TopicName,
    http_port: u16,
    bootstrap_servers: String,
    listed: Vec<String>,
    records: Vec<SeenRecord>,
    /// A topic outside the zone, and the client's word for the refusal.
    refused: Option<(TopicName, String)>,
}

impl Shown {
    pub(crate) fn new(
        zone: &PartnerZone,
        topic: &SharedTopic,
        http_port: u16,
        bootstrap_servers: &str,
    ) -> Self {
        Self {
            zone: zone.clone(),
            alias: topic.alias.to_string(),
            backing: topic.backing.clone(),
            http_port,
            bootstrap_servers: bootstrap_servers.to_owned(),
            listed: Vec::new(),
            records: Vec::new(),
            refused: None,
        }
    }

    /// Whether the partner knows a topic of this name.
    pub(crate) fn shares(&self, name: &TopicName) -> bool {
        self.zone.topics.iter().any(|topic| topic.alias == *name)
    }

    pub(crate) fn tried(
        &mut self,
        listed: Vec<String>,
        records: Vec<SeenRecord>,
        refused: (TopicName, String),
    ) {
        self.listed = listed;
        self.records = records;
        self.refused = Some(refused);
    }
}

/// The text of `reconciler.yaml`.
pub(crate) fn configuration(
    folder: &Folder,
    port: u16,
    broker_port_base: u16,
    http_port: u16,
    kafka: &str,
) -> Result<String, Failure> {
    let value = json!({
        "source": {
            "url": folder.bare(), "ref": format!("refs/heads/{BRANCH}"), "path": ZONES_PATH, "pollInterval": "5s",
            "writeBack": {"mode": "commit"},
        },
        "gateway": {
            "name": "gateway", "listen": "127.0.0.1", "advertisedHost": "127.0.0.1",
            "bootstrapPort": port, "brokerPortBase": broker_port_base,
        },
        "clusters": {"default": {"bootstrapServers": kafka, "isolation": "shared"}},
        "http": {"admin": format!("127.0.0.1:{http_port}"), "bootstrapKeyFile": folder.api_key_file()},
        "node": {"id": "quickstart"},
        "dataDir": folder.data_dir(),
        "store": "memory",
    });
    Ok(format!(
        "# What quickstart ran with. Its Kafka and its store are in that process's memory: this is for reading and for\n\
         # client commands (`reconciler --config THIS get zones`), not for a second daemon.\n{}",
        output::yaml(&value)?
    ))
}

/// A zone that is not READY, with the reason.
pub(crate) fn why_waiting(zone: &Value) -> String {
    let text = |pointer: &str| zone.pointer(pointer).and_then(Value::as_str).unwrap_or("?");
    let reason = zone.pointer("/status/failedReason").and_then(Value::as_str);
    format!(
        "{} is {}{}",
        text("/metadata/name"),
        text("/status/phase"),
        reason.map(|r| format!(": {r}")).unwrap_or_default()
    )
}

/// What the partner saw.
pub(crate) fn seen(shown: &Shown, folder: &Folder) -> String {
    let mut text = String::new();
    // Writing into a string cannot fail.
    let _ = write_seen(&mut text, shown, folder);
    text
}

/// What to try next.
pub(crate) fn next(shown: &Shown, folder: &Folder) -> String {
    let mut text = String::new();
    let _ = write_exercise(&mut text, shown, folder);
    let _ = write_commands(&mut text, shown, folder);
    text
}

fn write_seen(text: &mut String, shown: &Shown, folder: &Folder) -> std::fmt::Result {
    let zone = &shown.zone;
    if folder.reused {
        writeln!(
            text,
            "The folder was used before: your commits are kept; the demo Kafka was empty again, so its records were\n\
             written and the partners' credentials issued anew.\n"
        )?;
    }
    writeln!(
        text,
        "The partner of zone {} is connected through the gateway and sees: {}",
        zone.name,
        shown.listed.join(", ")
    )?;
    writeln!(text, "First records of {} (on the backing cluster: {}):", shown.alias, shown.backing)?;
    for record in &shown.records {
        writeln!(text, "  partition {} offset {}: {}", record.partition, record.offset, record.value)?;
    }
    if let Some((topic, refusal)) = &shown.refused {
        writeln!(text, "{topic}, which is outside the zone, is refused: {refusal}")?;
    }
    Ok(())
}

/// A change to make and to undo again, whichever is due.
fn write_exercise(text: &mut String, shown: &Shown, folder: &Folder) -> std::fmt::Result {
    let (zone, clone) = (&shown.zone.name, folder.clone_dir());
    let file = clone.join(examples::file_of(zone).unwrap_or(ZONES_PATH));
    let spare = examples::SPARE_TOPIC;
    let message = if shown.zone.topics.iter().any(|topic| topic.backing.as_str() == spare) {
        writeln!(
            text,
            "\nTry next\n1. Stop sharing {spare} with {zone}: delete its entry below `topics:` in"
        )?;
        writeln!(text, "   {}", file.display())?;
        "Stop sharing payments"
    } else {
        writeln!(
            text,
            "\nTry next\n1. Share one more topic with {zone}: paste these lines, as they are, right below `topics:` in"
        )?;
        writeln!(text, "   {}", file.display())?;
        writeln!(text, "\n    - name: payments\n      backingTopic: {spare}\n      permission: READ\n")?;
        "Share payments"
    };
    let clone = quoted(&clone);
    writeln!(text, "   then commit and push; what becomes of it is said here:")?;
    writeln!(text, "     git -C {clone} commit -am '{message}' && git -C {clone} push")
}

fn write_commands(text: &mut String, shown: &Shown, folder: &Folder) -> std::fmt::Result {
    let partner = folder.partner_dir(shown.zone.name.as_str());
    let (kcat, java) = (quoted(&partner.join("kcat.conf")), quoted(&partner.join("client.properties")));
    let (alias, servers) = (&shown.alias, &shown.bootstrap_servers);
    let program = std::env::current_exe().map_or_else(|_| "reconciler".to_owned(), |path| quoted(&path));
    writeln!(text, "2. Watch it arrive:")?;
    writeln!(
        text,
        "     RECONCILER_API_KEY=\"$(cat {})\" {program} get zones --url http://127.0.0.1:{}",
        quoted(&folder.api_key_file()),
        shown.http_port
    )?;
    writeln!(
        text,
        "   or in a browser, signed in with the key in that file: http://127.0.0.1:{}/",
        shown.http_port
    )?;
    writeln!(text, "3. Be the partner. The files are in {}", partner.display())?;
    writeln!(text, "     kcat -F {kcat} -L")?;
    writeln!(text, "     kcat -F {kcat} -C -t {alias} -o beginning -e")?;
    writeln!(
        text,
        "     kafka-console-consumer.sh --bootstrap-server {servers} --consumer.config {java} --topic {alias} \
         --from-beginning"
    )?;
    writeln!(text, "Ctrl-C ends it.")
}

fn quoted(path: &Path) -> String {
    shell_quoted(&path.to_string_lossy())
}

/// For pasting into a POSIX shell.
fn shell_quoted(text: &str) -> String {
    if text.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-".contains(&b)) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::shell_quoted;

    #[test]
    fn paths_can_be_pasted_into_a_shell() {
        assert_eq!(shell_quoted("/tmp/q/api-key"), "/tmp/q/api-key");
        assert_eq!(shell_quoted("/tmp/my q/it's"), r"'/tmp/my q/it'\''s'");
    }
}
