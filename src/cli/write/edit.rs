//! `reconciler edit`: a zone in the editor of whoever asks.

use std::fs;
use std::path::Path;
use std::process::Command;

use clap::Subcommand;
use serde_json::Value;

use super::{How, files, put, tell};
use crate::cli::client::{Client, Server};
use crate::cli::{Context, ExitCode, Failure, output};
use crate::manifest::{Known, SourceFile, load, to_document};

/// Opens a zone in $VISUAL or $EDITOR, and writes what was saved
///
/// What somebody else has changed meanwhile is not written over. If it cannot be written, what was saved stays in a file that is named.
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
    /// One zone
    Zone { name: String },
}

impl Args {
    pub(in crate::cli) fn into_dry_run(mut self) -> Self {
        self.how.dry_run = true;
        self
    }
}

pub async fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    let client = Client::new(&args.server, context)?;
    let What::Zone { name } = &args.what;
    let editor = ["VISUAL", "EDITOR"].into_iter().find_map(|name| context.environment().get(name));
    let editor = editor.filter(|editor| !editor.trim().is_empty());
    let editor = editor.ok_or_else(|| Failure::usage("there is no editor").next("set VISUAL or EDITOR"))?;
    let (mut zone, seen) = client.get_tagged(&["zones", name]).await?;
    if let Value::Object(zone) = &mut zone {
        zone.remove("status");
    }
    let before = output::yaml(&zone)?;
    let folder = private_folder()?;
    let file = folder.join(format!("{name}.yaml"));
    let kept = |failure: Failure| failure.also(format!("what you saved is in {}", file.display()));
    fs::write(&file, &before).map_err(|error| Failure::internal(format!("{}: {error}", file.display())))?;
    open(editor, &file)?;
    let saved = fs::read(&file).map_err(|error| Failure::internal(format!("{}: {error}", file.display())))?;
    if saved == before.as_bytes() {
        let _ = fs::remove_dir_all(&folder);
        return output::data(&format!("zone/{name} unchanged\n")).map(|()| ExitCode::Fine);
    }
    let document = document(&saved, name).map_err(kept)?;
    let answer = put(&client, &document, seen.as_deref(), &args.how).await.map_err(kept)?;
    let _ = fs::remove_dir_all(&folder);
    tell(name, &answer, &args.how)?;
    Ok(ExitCode::Fine)
}

/// A new folder that nobody else can look into: a zone may name partners.
fn private_folder() -> Result<std::path::PathBuf, Failure> {
    use std::os::unix::fs::DirBuilderExt as _;
    let folder = std::env::temp_dir().join(format!("reconciler-edit-{}", uuid::Uuid::new_v4().simple()));
    let made = fs::DirBuilder::new().mode(0o700).create(&folder);
    made.map_err(|error| Failure::internal(format!("{}: {error}", folder.display())))?;
    Ok(folder)
}

/// The variable may hold arguments (`code --wait`), as a shell would read it.
fn open(editor: &str, file: &Path) -> Result<(), Failure> {
    let status = Command::new("sh").arg("-c").arg(format!("{editor} \"$1\"")).arg("sh").arg(file).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => {
            Err(Failure::usage(format!("the editor `{editor}` ended with {status}; nothing was written")))
        }
        Err(error) => Err(Failure::usage(format!("the editor `{editor}` cannot be started: {error}"))),
    }
}

fn document(saved: &[u8], name: &str) -> Result<Value, Failure> {
    let file = SourceFile { path: format!("{name}.yaml"), content: Ok(saved.into()) };
    let loaded = load([file], &Known::default());
    let errors: Vec<_> =
        loaded.findings.iter().filter(|finding| finding.is_error()).map(files::line).collect();
    if !errors.is_empty() {
        return Err(Failure::new(ExitCode::Findings, errors.join("\n       ")));
    }
    let mut zones = loaded.zones.iter();
    match (zones.next(), zones.next()) {
        (Some((found, zone)), None) if found.as_str() == name => Ok(to_document(&zone.zone)),
        (Some((_, _)), None) => Err(Failure::usage("a renamed zone is a new zone; write it with `apply -f`")),
        _ => Err(Failure::usage("what was saved is not one zone")),
    }
}
