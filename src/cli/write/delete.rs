//! `reconciler delete`: zones go from the source.

use std::path::PathBuf;

use clap::Subcommand;
use reqwest::Method;

use super::{How, Outcomes, files};
use crate::cli::client::{Client, Server, Write};
use crate::cli::{Context, ExitCode, Failure};
use crate::manifest::Known;

/// Deletes zones, by a commit to the source for each; their partners are cut off
///
/// All of them are tried; exit code 6 says that some were deleted and others refused.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: Option<What>,

    /// The zones of these files or folders, which must all be right
    #[arg(short = 'f', long = "filename", value_name = "PATH")]
    files: Vec<PathBuf>,

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

impl Args {
    pub(in crate::cli) fn into_dry_run(mut self) -> Self {
        self.how.dry_run = true;
        self
    }

    /// The zones that are to go, by name or by file.
    fn names(&self) -> Result<Vec<String>, Failure> {
        match (&self.what, self.files.is_empty()) {
            (Some(What::Zone { names }), true) => Ok(names.clone()),
            (None, false) => {
                // Which clusters there are does not matter to what goes.
                let zones = files::zones(&self.files, &Known::default())?;
                Ok(zones.into_iter().map(|(name, _)| name.to_string()).collect())
            }
            (Some(_), false) => Err(Failure::usage("zones are named, and files with -f too")
                .next("delete them by two commands, or name all of them in one way")),
            (None, true) => Err(Failure::usage("nothing is named that is to be deleted")
                .next("name zones by `delete zone NAME`, or files that hold them with -f")),
        }
    }
}

pub async fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    let names = args.names()?;
    let client = Client::new(&args.server, context)?;
    let mut outcomes = Outcomes::default();
    for name in &names {
        let query = args.how.query();
        let write =
            Write { method: Method::DELETE, path: &["zones", name], query: &query, seen: None, body: None };
        let outcome = client.write(write).await;
        outcomes.add(name, outcome, &args.how)?;
    }
    Ok(outcomes.exit_code(&args.how))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::to_yaml;
    use crate::zone::sample::zone;

    fn args(files: Vec<PathBuf>, named: &[&str]) -> Args {
        let names: Vec<_> = named.iter().map(|name| (*name).to_owned()).collect();
        let what = (!names.is_empty()).then_some(What::Zone { names });
        Args { what, files, how: How::default(), server: Server::default() }
    }

    #[test]
    fn zones_go_by_their_names_or_by_the_files_that_hold_them_and_never_by_both() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["beta", "acme"] {
            let text = to_yaml(&zone(name, Vec::new())).unwrap();
            std::fs::write(folder.path().join(format!("{name}.yaml")), text).unwrap();
        }
        let files = vec![folder.path().to_owned()];
        assert_eq!(args(files.clone(), &[]).names().unwrap(), ["acme", "beta"]);
        assert_eq!(args(Vec::new(), &["gone"]).names().unwrap(), ["gone"]);
        for wrong in [args(files, &["acme"]), args(Vec::new(), &[])] {
            assert_eq!(wrong.names().unwrap_err().exit_code, ExitCode::Usage);
        }
        // A file that cannot be read might hold any zone.
        std::fs::write(folder.path().join("wrong.yaml"), "kind: PartnerZone\n").unwrap();
        let refused = args(vec![folder.path().to_owned()], &[]).names().unwrap_err();
        assert_eq!(refused.exit_code, ExitCode::Findings, "{refused}");
    }
}
