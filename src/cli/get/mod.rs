//! `reconciler get`: what a running server knows.

mod client_file;
mod controller;
mod tables;
mod usage;
mod watch;

use clap::{Subcommand, ValueEnum};
use serde_json::Value;

pub(super) use self::tables::{api_keys, credentials};
use self::tables::{nodes, wide_zones, zone, zones};
use super::client::{Client, Server};
use super::output::{self, Format, Width};
use super::{Context, ExitCode, Failure};
use crate::client_files::ClientFile;
use crate::manifest::finding::printable;
use crate::zone::{Month, NotAMonth};

/// Read zones, credentials, nodes and usage from a running server
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,

    /// How to print it
    #[arg(short, long, global = true, value_enum, default_value = "table")]
    output: Form,

    /// Go on, and show what changes: a row again, or with json and yaml a document for each change
    #[arg(short, long, global = true)]
    watch: bool,

    #[command(flatten)]
    server: Server,
}

/// Shows what was read, in lines of a width.
type Table = fn(&Value, Width) -> String;

/// Forms of what is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    Table,
    /// Of zones: with what was used in this month
    Wide,
    Json,
    Yaml,
    /// Of usage: a statement to bill by
    Csv,
    /// Names only, one a line
    Name,
    /// Of a zone for tokens or certificates: client.properties for its partner
    Properties,
    /// The same for `kcat -F`, and for others that read librdkafka's names
    Kcat,
    /// The same as a program of confluent-kafka
    Python,
    /// The same as application.yaml of Spring Boot
    Spring,
}

impl Form {
    /// What is read, or else the file for whoever connects. What has no wide form is as wide as it is.
    fn format(self) -> Result<Format, ClientFile> {
        match self {
            Self::Table | Self::Wide | Self::Csv => Ok(Format::Table),
            Self::Json => Ok(Format::Json),
            Self::Yaml => Ok(Format::Yaml),
            Self::Name => Ok(Format::Name),
            Self::Properties => Err(ClientFile::Properties),
            Self::Kcat => Err(ClientFile::Kcat),
            Self::Python => Err(ClientFile::Python),
            Self::Spring => Err(ClientFile::Spring),
        }
    }
}

#[derive(Debug, Subcommand)]
enum What {
    /// All zones with their status
    Zones,
    /// One zone: what it shares, with whom, and how it stands
    Zone { name: String },
    /// What partners used in a month: of all zones, or of one by topic and credential
    Usage {
        zone: Option<String>,
        /// Such as 2026-11; by default this month (UTC)
        #[arg(long, value_parser = month)]
        month: Option<Month>,
    },
    /// All credentials; secrets are not kept and cannot be shown
    Credentials,
    /// The gateway nodes that live
    Nodes,
    /// How the leading controller stands, what was asked of it, and its last runs
    Controller,
}

impl Args {
    fn watchable(&self) -> Result<(), Failure> {
        match (&self.what, self.output) {
            (What::Usage { .. }, _) | (What::Zone { .. }, Form::Wide) => {
                Err(Failure::usage("what was used is not watched")
                    .next("ask for it now and then, or watch `get zones -o wide`"))
            }
            (_, output) if output == Form::Csv || output.format().is_err() => {
                Err(Failure::usage("a file is not watched").next("ask for it without --watch"))
            }
            _ => Ok(()),
        }
    }
}

pub async fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    if args.watch {
        args.watchable()?;
    }
    let client = Client::new(&args.server, context)?;
    if args.output == Form::Csv {
        return statement(&client, &args.what).await;
    }
    let format = match (args.output.format(), &args.what) {
        (Ok(format), _) => format,
        (Err(file), What::Zone { name }) => {
            return client_file::print(&client.get(&["zones", name]).await?, file);
        }
        (Err(_), _) => {
            return Err(Failure::usage("a client's file is for one zone")
                .next("ask for it with `get zone NAME -o …`"));
        }
    };
    let is_wide = args.output == Form::Wide;
    if args.watch {
        return watch::run(&client, &args.what, is_wide, format).await;
    }
    let (value, table) = read(&client, &args.what, is_wide).await?;
    output::data(&render(&value, format, table)?)?;
    if let What::Zone { name } = &args.what
        && is_wide
    {
        output::data(&format!(
            "\n{}",
            usage::zone(&client.get(&["zones", name, "usage"]).await?, Width::ALL)
        ))?;
    }
    for line in notes(&value) {
        output::note(&line);
    }
    Ok(ExitCode::Fine)
}

/// What the server says, and how it is shown.
async fn read(client: &Client, what: &What, is_wide: bool) -> Result<(Value, Table), Failure> {
    Ok(match what {
        What::Zones if is_wide => (client.get_with(&["zones"], &[("include", "usage")]).await?, wide_zones),
        What::Zones => (client.get(&["zones"]).await?, zones),
        What::Zone { name } => (client.get(&["zones", name]).await?, zone),
        What::Usage { zone, month } => {
            let (path, query) = (usage_path(zone.as_deref()), month_asked(*month));
            let query: Vec<_> = query.iter().map(|(name, value)| (*name, value.as_str())).collect();
            (client.get_with(&path, &query).await?, if zone.is_some() { usage::zone } else { usage::zones })
        }
        What::Credentials => (client.get(&["credentials"]).await?, credentials),
        What::Nodes => (client.get(&["nodes"]).await?, nodes),
        What::Controller => (client.get(&["controller"]).await?, controller::table),
    })
}

/// What has to be said beside what was asked for.
fn notes(value: &Value) -> Vec<String> {
    let suspended = controller::shouted(value);
    let suspended = suspended.iter().map(|line| printable(&format!("warning: SUSPENDED: {line}")));
    suspended.chain(source_trouble(value).map(|trouble| format!("warning: {trouble}"))).collect()
}

fn month(text: &str) -> Result<Month, NotAMonth> {
    text.parse()
}

fn usage_path(zone: Option<&str>) -> Vec<&str> {
    zone.map_or_else(|| vec!["usage"], |zone| vec!["zones", zone, "usage"])
}

fn month_asked(month: Option<Month>) -> Option<(&'static str, String)> {
    month.map(|month| ("month", month.to_string()))
}

async fn statement(client: &Client, what: &What) -> Result<ExitCode, Failure> {
    let What::Usage { zone, month } = what else {
        return Err(Failure::usage("only usage has a statement").next("ask for it with `get usage -o csv`"));
    };
    let asked = [Some(("format", "csv".to_owned())), month_asked(*month)];
    let query: Vec<_> = asked.iter().flatten().map(|(name, value)| (*name, value.as_str())).collect();
    output::data(&client.text(&usage_path(zone.as_deref()), &query).await?)?;
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
pub(super) fn render(value: &Value, format: Format, table: Table) -> Result<String, Failure> {
    Ok(match format {
        Format::Table => table(value, Width::of_terminal()),
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

fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// One name a line, of a list or of the one object.
fn names(value: &Value) -> String {
    let all = if value.get("items").is_some() { items(value) } else { std::slice::from_ref(value) };
    all.iter().flat_map(|item| [name(item), "\n".to_owned()]).collect()
}

fn name(item: &Value) -> String {
    let names = ["/metadata/name", "/keyId", "/node", "/id", "/zone"].map(|pointer| cell(item, pointer));
    let name = names.into_iter().find(|name| !name.is_empty()).unwrap_or_default();
    name.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
}
