//! `reconciler api-key`: who may use the admin API.

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::client::{Client, Server};
use super::output::{self, Format};
use super::{Context, ExitCode, Failure, get};

/// Create, list and revoke keys of the admin API
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,

    #[command(flatten)]
    server: Server,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a new key; it is shown this once
    Create {
        /// What its holder may do
        #[arg(long, value_enum)]
        role: Role,
        /// Of an owner: backing topics that are theirs, by name or by how their names begin (`sales.*`); may be repeated
        #[arg(long, value_name = "PATTERN")]
        topics: Vec<String>,
        /// Of a partner: its zone
        #[arg(long, value_name = "NAME")]
        zone: Option<String>,
    },
    /// List the keys
    List {
        /// How to print them
        #[arg(short, long, value_enum, default_value = "table")]
        output: Format,
    },
    /// Revoke a key: it is refused from then on
    Revoke {
        /// As `list` shows it
        id: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Role {
    /// Everything
    Admin,
    /// Read everything
    Viewer,
    /// See what is shared of some backing topics, and decide on zones that share nothing else
    Owner,
    /// See one zone as its partner does, and renew or revoke its credentials
    Partner,
}

pub async fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    let client = Client::new(&args.server, context)?;
    match args.action {
        Action::Create { role, topics, zone } => {
            let created = client.post(&["api-keys"], &wanted(role, &topics, zone.as_deref())).await?;
            let key = created.get("key").and_then(Value::as_str);
            let key = key.ok_or_else(|| Failure::unreachable("the server's answer has no `key`"))?;
            output::data(&format!("{key}\n"))?;
            output::note("the key is shown this once and is not kept anywhere");
        }
        Action::List { output } => {
            let value = client.get(&["api-keys"]).await?;
            output::data(&get::render(&value, output, get::api_keys)?)?;
        }
        Action::Revoke { id } => {
            client.delete(&["api-keys", &id]).await?;
            output::note("revoked: nobody is let in by it any more");
        }
    }
    Ok(ExitCode::Fine)
}

/// The server says which of these go together.
fn wanted(role: Role, topics: &[String], zone: Option<&str>) -> Value {
    let role = match role {
        Role::Admin => "admin",
        Role::Viewer => "viewer",
        Role::Owner => "owner",
        Role::Partner => "partner",
    };
    let topics = (!topics.is_empty()).then_some(topics);
    json!({ "role": role, "topics": topics, "zone": zone })
}
