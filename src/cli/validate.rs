//! `reconciler validate`: files only. Nothing is connected to, nothing is changed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::progress::Progress;
use super::report::{Outputs, Pending, Report};
use super::{Context, ExitCode, Failure};
use crate::app::control;
use crate::manifest::{SourceFile, is_manifest, load};
use crate::reconcile::source::{Directory, Limits, read_file};
use crate::zone::Revision;

/// Where zones lie when nobody says otherwise: the default of `source.path`.
const DEFAULT_FOLDER: &str = "zones";

/// Checks PartnerZone files, without a network
///
/// Names of clusters and of the gateway are checked as well if there is a configuration.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Files and folders [default: ./zones if there is one, else .]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,

    #[command(flatten)]
    outputs: Outputs,
}

pub fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    let known = control::known(&context.config()?);
    let paths = if args.paths.is_empty() { vec![default_folder()] } else { args.paths };
    let progress = Progress::start(context.environment(), "reading the zones");
    let (files, revision) = read(&paths)?;
    if files.is_empty() {
        // Almost always a wrong path: a check that looked at nothing must not pass.
        return Err(
            Failure::usage("no *.yaml or *.yml file was found").next("name the folder that holds the zones")
        );
    }
    let loaded = load(files, &known);
    drop(progress);
    let report = Report::of_files(&loaded, revision.as_ref());
    args.outputs.write(&report, context.environment())?;
    Ok(ExitCode::of(&report.exit_codes(Pending::IsFine)))
}

fn default_folder() -> PathBuf {
    let folder = Path::new(DEFAULT_FOLDER);
    if folder.is_dir() { folder.to_owned() } else { PathBuf::from(".") }
}

/// The files of all paths, each once, and the revision if it is that of one folder.
pub(super) fn read(paths: &[PathBuf]) -> Result<(Vec<SourceFile>, Option<Revision>), Failure> {
    let limits = Limits::default();
    let mut files = Vec::new();
    let mut revision = None;
    for path in paths {
        let shown = path.display().to_string();
        if path.is_dir() {
            let snapshot = Directory::new(path).read(&limits).map_err(Failure::usage)?;
            files.extend(snapshot.files);
            revision = Some(snapshot.revision);
        } else if std::fs::symlink_metadata(path).is_err() {
            return Err(Failure::usage(format!("there is no file or folder {shown}")));
        } else if is_manifest(&shown) {
            files.push(SourceFile {
                content: read_file(path, limits.file_bytes).map(Into::into),
                path: shown,
            });
        } else {
            return Err(
                Failure::usage(format!("{shown} is not a manifest")).next("name *.yaml or *.yml files")
            );
        }
    }
    let mut seen = BTreeSet::new();
    files.retain(|file| seen.insert(file.path.clone()));
    Ok((files, revision.filter(|_| paths.len() == 1)))
}
