//! `reconciler diff`: what the source's files would change by, if zones were written as files say.

use std::path::PathBuf;

use serde_json::Value;

use super::{How, files, put};
use crate::cli::client::{Client, Server};
use crate::cli::{Context, ExitCode, Failure, output};

/// Shows what `apply -f` would change in the source, and commits nothing
///
/// Exit codes: 0, or 3 with --fail-on-changes if something would change.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Files and folders that hold zones
    #[arg(short = 'f', long = "filename", value_name = "PATH", required = true)]
    files: Vec<PathBuf>,

    /// End with exit code 3 if something would change
    #[arg(long)]
    fail_on_changes: bool,

    #[command(flatten)]
    server: Server,
}

pub async fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    let client = Client::new(&args.server, context)?;
    let how = How { dry_run: true, reason: None };
    let mut differs = false;
    for (name, document) in files::zones(&args.files, &files::known(&args.server, context)?)? {
        let answer = put(&client, &document, None, &how)
            .await
            .map_err(|failure| failure.of(&format!("zone/{name}")))?;
        let diff = answer.get("diff").and_then(Value::as_str).unwrap_or_default();
        differs |= !diff.is_empty();
        output::data(diff)?;
    }
    Ok(if differs && args.fail_on_changes { ExitCode::ChangesPending } else { ExitCode::Fine })
}
