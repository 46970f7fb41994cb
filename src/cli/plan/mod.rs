//! `reconciler plan`: what the daemon would do now. Nothing is changed.

mod live;
mod text;

use std::path::PathBuf;

use super::client::Server;
use super::findings::Colour;
use super::report::{ReportFormat, ReportTo};
use super::{Context, ExitCode, Failure, output};
use crate::app::config::Config;
use crate::app::control;
use crate::manifest::Finding;
use crate::reconcile::plan::{Observed, Plan, Terms, plan};
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

    /// text or json, to standard output or to a file; can be repeated
    #[arg(long, value_name = "FORMAT[=FILE]")]
    output: Vec<ReportTo>,

    /// Exit with 3 if there is anything to change
    #[arg(long)]
    fail_on_changes: bool,

    #[command(flatten)]
    server: Server,
}

pub async fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    let config = context.config()?;
    let chosen = Chosen::new(&args, &config)?;
    let observed = live::observed(&args.server, context, &config).await?;
    let mut reader = Reader::new(chosen.source.clone(), control::known(&config));
    let desired = reader.read(History::after(observed.revision.clone())).await.map_err(failure)?;
    let missing = live::missing_topics(&desired.loaded, &config).await;
    let limits = control::limits(config.guards);
    let terms =
        Terms { limits, allowances: desired.allowances(), topics: missing.as_ref(), ..Terms::default() };
    let plan = plan(&desired, &observed, &terms);
    for report in ReportTo::or_default(args.output) {
        report.write(&match report.format {
            ReportFormat::Json => output::json(&plan.to_json()),
            ReportFormat::Text => {
                let colour = report.wants_colour(context.environment());
                text::render(&plan, &desired.loaded.texts, if colour { Colour::Ansi } else { Colour::Plain })
            }
        })?;
    }
    let pending = if args.fail_on_changes { Pending::Counts } else { Pending::IsFine };
    Ok(exit_code(&plan, pending))
}

/// Whether changes that are still to be made are worth an exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pending {
    Counts,
    IsFine,
}

fn exit_code(plan: &Plan, pending: Pending) -> ExitCode {
    let mut holding = vec![ExitCode::Fine];
    if plan.findings.iter().any(Finding::is_error) {
        holding.push(ExitCode::Findings);
    }
    if plan.guard.is_refusing() {
        holding.push(ExitCode::RefusedByGuard);
    }
    if pending == Pending::Counts && !plan.changes.is_empty() {
        holding.push(ExitCode::ChangesPending);
    }
    ExitCode::of(&holding)
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
