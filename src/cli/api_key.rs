//! `reconciler api-key`: who may use the admin API.

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::client::{Client, Server};
use super::output::{self, Format};
use super::{Context, ExitCode, Failure, get};

/// Create and list keys of the admin API
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
    },
    /// List the keys
    List {
        /// How to print them
        #[arg(short, long, value_enum, default_value = "table")]
        output: Format,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Role {
    /// Everything
    Admin,
    /// Read everything
    Viewer,
}

pub async fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    let client = Client::new(&args.server, context)?;
    match args.action {
        Action::Create { role } => {
            let role = match role {
                Role::Admin => "admin",
                Role::Viewer => "viewer",
            };
            let created = client.post(&["api-keys"], &json!({ "role": role })).await?;
            let key = created.get("key").and_then(Value::as_str);
            let key = key.ok_or_else(|| Failure::unreachable("the server's answer has no `key`"))?;
            output::data(&format!("{key}\n"))?;
            output::note("the key is shown this once and is not kept anywhere");
        }
        Action::List { output } => {
            let value = client.get(&["api-keys"]).await?;
            output::data(&get::render(&value, output, get::api_keys)?)?;
        }
    }
    Ok(ExitCode::Fine)
}
