//! Commands that write zones through a server: each write is a commit to the source (`source.writeBack`).

pub mod delete;
pub mod diff;
pub mod edit;
pub mod files;

use reqwest::Method;
use serde_json::Value;

use super::client::{Client, Write};
use super::{Failure, output};

/// What all of them take.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct How {
    /// Find out what would happen, and commit nothing
    #[arg(long, global = true)]
    pub dry_run: bool,

    /// Why, for the commit's message
    #[arg(long, global = true, value_name = "TEXT")]
    pub reason: Option<String>,
}

impl How {
    fn query(&self) -> Vec<(&str, &str)> {
        let dry_run = self.dry_run.then_some(("dryRun", "true"));
        dry_run.into_iter().chain(self.reason.as_deref().map(|reason| ("reason", reason))).collect()
    }
}

/// Sends a zone, and gives the server's answer.
async fn put(client: &Client, document: &Value, seen: Option<&str>, how: &How) -> Result<Value, Failure> {
    let name = document.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    let write = Write {
        method: Method::PUT,
        path: &["zones", name],
        query: &how.query(),
        seen,
        body: Some(document),
    };
    client.write(write).await
}

/// One line, as scripts know it from kubectl; of a dry run what would change in the file, too.
fn tell(name: &str, answer: &Value, how: &How) -> Result<(), Failure> {
    let text = |pointer: &str| answer.pointer(pointer).and_then(Value::as_str);
    let result = text("/result").unwrap_or("written");
    let is_proposal = answer.pointer("/commit/isProposal") == Some(&Value::Bool(true));
    let line = match (text("/commit/revision"), text("/commit/reference")) {
        _ if how.dry_run => format!("{}zone/{name} {result} (dry run)\n", text("/diff").unwrap_or_default()),
        (Some(_), Some(reference)) if is_proposal => {
            format!("zone/{name} {result} on {reference}, which is to be merged\n")
        }
        (Some(revision), _) => format!("zone/{name} {result} by {revision}\n"),
        _ => format!("zone/{name} {result}\n"),
    };
    output::data(&line)
}
