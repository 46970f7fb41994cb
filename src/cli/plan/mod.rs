//! `reconciler plan`: what the daemon would do now. Nothing is changed.

mod live;

use std::path::PathBuf;

use super::client::Server;
use super::progress::Progress;
use super::report::{Outputs, Pending, Report};
use super::{Context, ExitCode, Failure};
use crate::app::config::Config;
use crate::app::control;
use crate::reconcile::plan::{Observed, Terms, plan};
use crate::reconcile::reader::Reader;
use crate::reconcile::source::{History, Source, SourceError};

/// Shows what would change, and changes nothing
///
/// The files of the configured source, of another ref of it, or of a folder are compared with what is in force: as a
/// running server tells it (--url), else as the state topic holds it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of PartnerZone files, instead of the configured source
    #[arg(long, value_name = "DIR", conflicts_with = "reference")]
    zones: Option<PathBuf>,

    /// Full name of a ref of the configured source, instead of `source.ref`
    #[arg(long = "ref", value_name = "REF")]
    reference: Option<String>,

    #[command(flatten)]
    outputs: Outputs,

    /// Exit with 3 if there is anything to change
    #[arg(long)]
    fail_on_changes: bool,

    #[command(flatten)]
    server: Server,
}

pub async fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    let config = context.config()?;
    let chosen = Chosen::new(&args, &config)?;
    let progress = Progress::start(context.environment(), "asking what is in force");
    let observed = live::observed(&args.server, context, &config).await?;
    let mut reader = Reader::new(chosen.source.clone(), control::known(&config));
    progress.step("reading the zones");
    let desired = reader.read(History::after(observed.revision.clone())).await.map_err(failure)?;
    progress.step("asking the clusters for the backing topics");
    let missing = live::missing_topics(&desired.loaded, &config).await;
    let limits = control::limits(config.guards);
    let terms =
        Terms { limits, allowances: desired.allowances(), topics: missing.as_ref(), ..Terms::default() };
    let plan = plan(&desired, &observed, &terms);
    drop(progress);
    let report = Report::of_plan(&plan, &desired.loaded);
    args.outputs.write(&report, context.environment())?;
    let pending = if args.fail_on_changes { Pending::Counts } else { Pending::IsFine };
    Ok(ExitCode::of(&report.exit_codes(pending)))
}

/// The source that the arguments name, and the folder its mirror may use while the command runs.
struct Chosen {
    source: Source,
    _scratch: Option<Scratch>,
}

impl Chosen {
    fn new(args: &Args, config: &Config) -> Result<Self, Failure> {
        if let Some(folder) = &args.zones {
            if !folder.is_dir() {
                return Err(Failure::usage(format!("there is no folder {}", folder.display()))
                    .next("name the folder that holds the PartnerZone files with --zones"));
            }
            return Ok(Self { source: Source::directory(folder), _scratch: None });
        }
        let configured =
            config.source().map_err(|error| Failure::usage(error).next("or name a folder with --zones"))?;
        // The daemon's own mirror is the daemon's: it may be running.
        let scratch = Scratch::new()?;
        let mut git = control::git(configured, scratch.0.clone());
        if let Some(reference) = &args.reference {
            git.reference.clone_from(reference);
        }
        let source = Source::git(git).map_err(Failure::usage)?;
        Ok(Self { source, _scratch: Some(scratch) })
    }
}

/// A folder of this process alone, gone when it ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self, Failure> {
        use std::os::unix::fs::DirBuilderExt;
        let folder = std::env::temp_dir().join(format!("partner-zones-plan-{}", uuid::Uuid::new_v4()));
        std::fs::DirBuilder::new().mode(0o700).create(&folder).map_err(|error| {
            Failure::internal(format!("cannot make the folder {}: {error}", folder.display()))
                .next("set TMPDIR to a folder that can be written to")
        })?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Nothing depends on it, and the command has its answer.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn failure(error: SourceError) -> Failure {
    match error {
        SourceError::Location(error) => Failure::usage(error),
        error => Failure::unreachable(error),
    }
}

#[cfg(test)]
mod tests;
