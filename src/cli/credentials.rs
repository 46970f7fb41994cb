//! `reconciler credentials`: what partners log in with.

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::client::{Client, Server};
use super::output::{self, Format};
use super::{Context, ExitCode, Failure, get};
use crate::client_files::{ClientFile, ClientSetup, Proof};
use crate::manifest::finding::printable;
use crate::zone::{format_duration, parse_duration};

/// Issue, list, rotate and revoke partners' credentials
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,

    #[command(flatten)]
    server: Server,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a new credential for a zone; its secret is shown this once
    Issue {
        zone: String,

        /// How long it is good for, for example 90d [default: for ever]
        #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
        expires: Option<std::time::Duration>,

        /// What to print
        #[arg(short, long, value_enum, default_value = "text")]
        output: Issued,
    },
    /// Make a credential that takes another one's place, which goes on for a while
    Rotate {
        #[arg(value_name = "KEY_ID")]
        id: String,

        /// How long the old one goes on; 0s ends it at once
        #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = parse_duration)]
        overlap: std::time::Duration,

        /// How long the new one is good for [default: as long as the old one was]
        #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
        expires: Option<std::time::Duration>,

        /// What to print
        #[arg(short, long, value_enum, default_value = "text")]
        output: Issued,
    },
    /// Take a credential back, and cut off whoever uses it
    Revoke {
        #[arg(value_name = "KEY_ID")]
        id: String,
    },
    /// List the credentials of a zone, or all
    List {
        zone: Option<String>,

        /// How to print them
        #[arg(short, long, value_enum, default_value = "table")]
        output: Format,
    },
}

/// Forms of a new credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Issued {
    /// Key id, secret and client.properties, for a person
    Text,
    Json,
    /// Only client.properties, for a file: Java, Kafka's own tools
    Properties,
    /// A file for `kcat -F`, and for others that read librdkafka's names
    Kcat,
    /// A program of confluent-kafka
    Python,
    /// application.yaml of Spring Boot
    Spring,
}

pub async fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    let client = Client::new(&args.server, context)?;
    match args.action {
        Action::Issue { zone, expires, output } => {
            let wanted = json!({ "expiresAt": expires.map(expiry).transpose()? });
            let issued = client.post(&["zones", &zone, "credentials"], &wanted).await?;
            show(&issued, output)?;
            note_served(&issued);
        }
        Action::Rotate { id, overlap, expires, output } => {
            let expires_at = expires.map(expiry).transpose()?;
            let wanted = json!({ "overlap": format_duration(overlap), "expiresAt": expires_at });
            let issued = client.post(&["credentials", &id, "rotate"], &wanted).await?;
            show(&issued, output)?;
            output::note(&match issued.pointer("/replaces/expiresAt").and_then(Value::as_str) {
                Some(end) if !overlap.is_zero() => format!("{id} goes on until {end}"),
                _ => format!("{id} has ended, and whoever used it is cut off"),
            });
            note_served(&issued);
        }
        Action::Revoke { id } => {
            let revoked = client.delete(&["credentials", &id]).await?;
            output::note(&format!("{id} is revoked"));
            note_served(&revoked);
        }
        Action::List { zone, output } => list(&client, zone.as_deref(), output).await?,
    }
    Ok(ExitCode::Fine)
}

/// Prints a new credential, which is shown this once.
fn show(issued: &Value, form: Issued) -> Result<(), Failure> {
    let text = match form {
        Issued::Json => output::json(issued),
        Issued::Properties => ClientFile::Properties.of(setup(issued)?),
        Issued::Kcat => ClientFile::Kcat.of(setup(issued)?),
        Issued::Python => ClientFile::Python.of(setup(issued)?),
        Issued::Spring => ClientFile::Spring.of(setup(issued)?),
        Issued::Text => format!(
            "key id: {}\nsecret: {}\n\n# client.properties\n{}",
            field(issued, "keyId")?,
            field(issued, "secret")?,
            ClientFile::Properties.of(setup(issued)?)
        ),
    };
    output::data(&text)?;
    output::note("the secret is shown this once and is not kept anywhere; hand it over on a safe way");
    note_authority(field(issued, "securityProtocol")?);
    Ok(())
}

/// Under TLS a client has to know whom to trust.
pub(super) fn note_authority(security_protocol: &str) {
    if security_protocol.ends_with("SSL") {
        output::note(
            "unless a public authority has signed the gateway's certificate, hand over its authority's certificate too: \
             ssl.ca.location in librdkafka, ssl.truststore.location with ssl.truststore.type=PEM in Java",
        );
    }
}

/// Says whether the change counts everywhere, as far as the server says so.
pub(super) fn note_served(answer: &Value) {
    let text = |pointer| answer.pointer(pointer).and_then(Value::as_str).map(printable);
    let Some(message) = text("/distribution/message") else { return };
    if answer.get("served") == Some(&Value::Bool(true)) {
        output::note(&format!("served: {message}"));
        return;
    }
    let behind =
        answer.pointer("/distribution/behind").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let behind: Vec<_> = behind.iter().filter_map(Value::as_str).map(printable).collect();
    let by = if behind.is_empty() { String::new() } else { format!(" by {} yet", behind.join(", ")) };
    output::note(&format!("warning: not served{by}: {message}"));
}

pub(super) fn expiry(lifetime: std::time::Duration) -> Result<String, Failure> {
    time::Duration::try_from(lifetime)
        .ok()
        .and_then(|lifetime| OffsetDateTime::now_utc().checked_add(lifetime))
        .and_then(|at| at.format(&Rfc3339).ok())
        .ok_or_else(|| {
            Failure::usage("--expires lies beyond all calendars").next("choose a shorter duration")
        })
}

fn setup(issued: &Value) -> Result<ClientSetup<'_>, Failure> {
    // The server's order is its advice.
    let mechanism = issued.pointer("/mechanisms/0").and_then(Value::as_str).map(str::parse);
    let Some(Ok(mechanism)) = mechanism else {
        return Err(Failure::unreachable("the server's answer has no mechanism that this program knows"));
    };
    Ok(ClientSetup {
        bootstrap_servers: field(issued, "bootstrapServers")?,
        security_protocol: field(issued, "securityProtocol")?,
        proof: Proof::Secret {
            mechanism,
            username: field(issued, "username")?,
            secret: field(issued, "secret")?,
        },
    })
}

pub(super) fn field<'a>(issued: &'a Value, name: &str) -> Result<&'a str, Failure> {
    let text = issued.get(name).and_then(Value::as_str);
    text.ok_or_else(|| Failure::unreachable(format!("the server's answer has no `{name}`")))
}

async fn list(client: &Client, zone: Option<&str>, format: Format) -> Result<(), Failure> {
    let value = match zone {
        Some(zone) => client.get(&["zones", zone, "credentials"]).await?,
        None => client.get(&["credentials"]).await?,
    };
    output::data(&get::render(&value, format, get::credentials)?)
}
