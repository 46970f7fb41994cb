//! `reconciler delete`: zones go from the source.

use clap::Subcommand;
use reqwest::Method;

use super::{How, tell};
use crate::cli::client::{Client, Server, Write};
use crate::cli::{Context, ExitCode, Failure};

/// Deletes zones, by a commit to the source; their partners are cut off
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,

    #[command(flatten)]
    how: How,

    #[command(flatten)]
    server: Server,
}

#[derive(Debug, Subcommand)]
enum What {
    /// One zone, or several
    Zone {
        #[arg(required = true)]
        names: Vec<String>,
    },
}

pub async fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    let client = Client::new(&args.server, context)?;
    let What::Zone { names } = &args.what;
    for name in names {
        let query = args.how.query();
        let write =
            Write { method: Method::DELETE, path: &["zones", name], query: &query, seen: None, body: None };
        let answer = client.write(write).await.map_err(|failure| failure.of(&format!("zone/{name}")))?;
        tell(name, &answer, &args.how)?;
    }
    Ok(ExitCode::Fine)
}
