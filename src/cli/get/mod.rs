//! `reconciler get`: what a running server knows.

mod controller;

use clap::Subcommand;
use serde_json::Value;

use super::client::{Client, Server};
use super::output::{self, Format};
use super::{Context, ExitCode, Failure};
use crate::manifest::finding::printable;

/// Read zones, credentials and nodes from a running server
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,

    /// How to print it
    #[arg(short, long, global = true, value_enum, default_value = "table")]
    output: Format,

    #[command(flatten)]
    server: Server,
}

#[derive(Debug, Subcommand)]
enum What {
    /// All zones with their status
    Zones,
    /// One zone: what it shares, with whom, and how it stands
    Zone { name: String },
    /// All credentials; secrets are not kept and cannot be shown
    Credentials,
    /// The gateway nodes that live
    Nodes,
    /// How the leading controller stands, what was asked of it, and its last runs
    Controller,
}

pub async fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    let client = Client::new(&args.server, context)?;
    let (value, table): (Value, fn(&Value) -> String) = match &args.what {
        What::Zones => (client.get(&["zones"]).await?, zones),
        What::Zone { name } => (client.get(&["zones", name]).await?, zone),
        What::Credentials => (client.get(&["credentials"]).await?, credentials),
        What::Nodes => (client.get(&["nodes"]).await?, nodes),
        What::Controller => (client.get(&["controller"]).await?, controller::table),
    };
    output::data(&render(&value, args.output, table)?)?;
    for suspended in controller::shouted(&value) {
        output::note(&printable(&format!("warning: SUSPENDED: {suspended}")));
    }
    if let Some(trouble) = source_trouble(&value) {
        output::note(&format!("warning: {trouble}"));
    }
    Ok(ExitCode::Fine)
}

/// Why what is in the repository is not, or not all, in force: nothing in a table of zones would show it.
pub(super) fn source_trouble(zones: &Value) -> Option<String> {
    let conditions = zones.pointer("/source/conditions")?.as_array()?;
    let ready = conditions.iter().find(|condition| cell(condition, "/type") == "Ready")?;
    let text = format!("the source: {}: {}", cell(ready, "/reason"), cell(ready, "/message"));
    (cell(ready, "/status") == "False").then(|| printable(&text))
}

/// An answer of the server in the format asked for.
pub(super) fn render(value: &Value, format: Format, table: fn(&Value) -> String) -> Result<String, Failure> {
    Ok(match format {
        Format::Table => table(value),
        Format::Json => output::json(value),
        Format::Yaml => output::yaml(value)?,
        Format::Name => names(value),
    })
}

fn items(value: &Value) -> &[Value] {
    value.get("items").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The text, number or length at a JSON pointer; empty if there is none.
fn cell(value: &Value, pointer: &str) -> String {
    match value.pointer(pointer) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(all)) => all.len().to_string(),
        Some(other) => other.to_string(),
    }
}

fn text(value: &Value) -> String {
    cell(value, "")
}

/// What is said of the phase: why it failed, else the message of the Ready condition.
fn message(zone: &Value) -> String {
    let reason = cell(zone, "/status/failedReason");
    if reason.is_empty() { cell(zone, "/status/conditions/0/message") } else { reason }
}

fn zones(value: &Value) -> String {
    let rows: Vec<_> = items(value)
        .iter()
        .map(|zone| {
            [
                cell(zone, "/metadata/name"),
                cell(zone, "/status/phase"),
                cell(zone, "/spec/topics"),
                cell(zone, "/spec/displayName"),
                cell(zone, "/status/revision").chars().take(20).collect(),
                message(zone),
            ]
        })
        .collect();
    output::table(["NAME", "PHASE", "TOPICS", "DISPLAY NAME", "REVISION", "MESSAGE"], &rows)
}

/// Everything that describes the zone, then its topics.
fn zone(value: &Value) -> String {
    let facts = [
        ("Name", "/metadata/name"),
        ("Display name", "/spec/displayName"),
        ("Description", "/spec/description"),
        ("URL", "/spec/url"),
        ("Organization", "/spec/organization/name"),
        ("About it", "/spec/organization/description"),
        ("Its contact", "/spec/organization/contact"),
        ("Partner", "/spec/partner/name"),
        ("Role", "/spec/partner/role"),
        ("E-mail", "/spec/partner/email"),
        ("Phone", "/spec/partner/phone"),
        ("Service account", "/spec/authenticationMode/serviceAccount"),
        ("Bootstrap servers", "/status/bootstrapServers"),
        ("Phase", "/status/phase"),
        ("Applied", "/status/revision"),
        ("Applied at", "/status/updatedAt"),
        ("Attempted", "/status/attempted/revision"),
        ("Attempted at", "/status/attempted/at"),
        ("Observed", "/status/observed/revision"),
        ("Plan", "/status/planDigest"),
        ("Id", "/status/id"),
    ];
    let mut rows: Vec<[String; 2]> = facts
        .iter()
        .map(|(label, pointer)| [format!("{label}:"), cell(value, pointer)])
        .filter(|row| row.iter().all(|cell| !cell.is_empty()))
        .collect();
    let labels: Vec<_> =
        value.pointer("/metadata/labels").and_then(Value::as_object).into_iter().flatten().collect();
    if !labels.is_empty() {
        let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={}", text(value))).collect();
        rows.push(["Labels:".to_owned(), labels.join(", ")]);
    }
    rows.extend(controller::conditions(list(value, "/status/conditions")));
    let topics: Vec<_> = list(value, "/spec/topics")
        .iter()
        .map(|topic| {
            [
                cell(topic, "/name"),
                cell(topic, "/backingTopic"),
                cell(topic, "/permission"),
                list(topic, "/tags").iter().map(text).collect::<Vec<_>>().join(", "),
                cell(topic, "/description"),
            ]
        })
        .collect();
    let facts = output::table(["", ""], &rows);
    format!(
        "{}\n{}",
        facts.trim_start(),
        output::table(["ALIAS", "TOPIC", "PERMISSION", "TAGS", "DESCRIPTION"], &topics)
    )
}

fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

pub(super) fn credentials(value: &Value) -> String {
    let rows: Vec<_> = items(value)
        .iter()
        .map(|credential| {
            let [key_id, zone, state, created, expires, used, from] =
                ["/keyId", "/zone", "/state", "/createdAt", "/expiresAt", "/lastUsedAt", "/lastUsedFrom"]
                    .map(|pointer| cell(credential, pointer));
            [key_id, zone, state, mechanisms(credential), created, expires, used, from]
        })
        .collect();
    output::table(["KEY ID", "ZONE", "STATE", "MECHANISMS", "CREATED", "EXPIRES", "LAST USED", "FROM"], &rows)
}

fn mechanisms(credential: &Value) -> String {
    let all = credential.get("mechanisms").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    all.iter().map(text).collect::<Vec<_>>().join(",")
}

pub(super) fn api_keys(value: &Value) -> String {
    let rows: Vec<_> = items(value)
        .iter()
        .map(|key| ["/id", "/role", "/createdAt"].map(|pointer| cell(key, pointer)))
        .collect();
    output::table(["ID", "ROLE", "CREATED"], &rows)
}

fn nodes(value: &Value) -> String {
    let rows: Vec<_> = items(value)
        .iter()
        .map(|node| ["/node", "/serving", "/connections", "/at"].map(|pointer| cell(node, pointer)))
        .collect();
    output::table(["NODE", "SERVING", "CONNECTIONS", "LAST SEEN"], &rows)
}

/// One name a line, of a list or of the one object.
fn names(value: &Value) -> String {
    let all = if value.get("items").is_some() { items(value) } else { std::slice::from_ref(value) };
    let name = |item: &Value| {
        let names = ["/metadata/name", "/keyId", "/node", "/id"].map(|pointer| cell(item, pointer));
        names.into_iter().find(|name| !name.is_empty()).unwrap_or_default()
    };
    all.iter().flat_map(|item| [name(item).replace(char::is_control, " "), "\n".to_owned()]).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn zones_show_their_phase_and_what_is_wrong() {
        let value = json!({"items": [{
            "metadata": {"name": "acme"},
            "spec": {"displayName": "Acme Inc.", "topics": [{}, {}]},
            "status": {"phase": "FAILED", "failedReason": "topic `orders` does not exist", "revision": "main@sha1:0123456789abcdef"},
        }]});
        assert_eq!(
            zones(&value),
            "NAME  PHASE   TOPICS  DISPLAY NAME  REVISION              MESSAGE\n\
             acme  FAILED  2       Acme Inc.     main@sha1:0123456789  topic `orders` does not exist\n"
        );
        assert_eq!(names(&value), "acme\n");
    }

    #[test]
    fn what_holds_the_source_up_is_said_and_nothing_when_all_is_well() {
        let source = |status: &str| {
            json!({"items": [], "source": {"conditions": [
                {"type": "Ready", "status": status, "reason": "RefusedByGuard", "message": "no \u{1b}zone is deleted"},
            ]}})
        };
        let trouble = source_trouble(&source("False")).unwrap();
        assert!(
            trouble.starts_with("the source: RefusedByGuard: no ") && !trouble.contains('\u{1b}'),
            "{trouble}"
        );
        assert_eq!(source_trouble(&source("True")), None);
        assert_eq!(source_trouble(&json!({"items": [], "source": null})), None);
    }

    #[test]
    fn one_zone_shows_every_fact_it_has_and_its_topics() {
        let value = json!({
            "metadata": {"name": "acme", "labels": {"domain": "sales", "tier": "1"}},
            "spec": {
                "partner": {"name": "Ada", "phone": "+1 555 0100"},
                "topics": [
                    {"name": "orders", "backingTopic": "eu.orders", "permission": "READ", "tags": ["a", "b"], "description": "All."},
                ],
            },
            "status": {"phase": "READY", "conditions": [{"type": "Ready", "status": "True", "message": "served"}]},
        });
        assert_eq!(
            zone(&value),
            "Name:     acme\nPartner:  Ada\nPhone:    +1 555 0100\nPhase:    READY\n\
             Labels:   domain=sales, tier=1\nReady:    True (served)\n\n\
             ALIAS   TOPIC      PERMISSION  TAGS  DESCRIPTION\n\
             orders  eu.orders  READ        a, b  All.\n"
        );
    }
}
