//! `reconciler export`: the zones in force as manifests, which plan to no change.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::client::Server;
use super::plan::live;
use super::{Context, ExitCode, Failure, output};
use crate::manifest::to_yaml;
use crate::zone::{PartnerZone, ZoneName};

/// Writes the zones in force as manifests
///
/// As a running server tells them (--url), else as the state topic holds them. A plan of what is written changes nothing.
/// Names that begin with a dot get a file name that does not: hidden files are not read.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// New or empty folder, for one file a zone; without it, all of them go to standard output
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,

    #[command(flatten)]
    server: Server,
}

pub async fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    let config = context.config()?;
    let state = live::observed(&args.server, context, &config).await?.state;
    let zones: Vec<Arc<PartnerZone>> = state.zones.values().map(|record| Arc::clone(&record.zone)).collect();
    match args.dir {
        None => output::data(&documents(&zones)?)?,
        Some(folder) => {
            write(&folder, &zones)?;
            output::note(&format!("{} zones are in {}", zones.len(), folder.display()));
        }
    }
    Ok(ExitCode::Fine)
}

/// All of them, one document after the other.
fn documents(zones: &[Arc<PartnerZone>]) -> Result<String, Failure> {
    let documents: Result<Vec<String>, Failure> = zones.iter().map(|zone| yaml(zone)).collect();
    Ok(documents?.join("---\n"))
}

/// Nothing that is there is overwritten, and nothing else lies beside what is written: a plan would read it too.
fn write(folder: &Path, zones: &[Arc<PartnerZone>]) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::usage(format!("cannot write to {}: {error}", folder.display()))
            .next("name a folder that can be written to with --dir")
    };
    fs::create_dir_all(folder).map_err(failed)?;
    if fs::read_dir(folder).map_err(failed)?.next().is_some() {
        return Err(Failure::usage(format!("{} is not empty", folder.display()))
            .next("name a new folder with --dir, and compare the two"));
    }
    for zone in zones {
        let path = folder.join(file_name(&zone.name));
        let text = yaml(zone)?;
        let mut file = fs::File::create_new(path).map_err(failed)?;
        file.write_all(text.as_bytes()).map_err(failed)?;
    }
    Ok(())
}

fn yaml(zone: &PartnerZone) -> Result<String, Failure> {
    to_yaml(zone)
        .map_err(|error| Failure::internal(format!("zone `{}` cannot be written: {error}", zone.name)))
}

/// Different for each zone: no zone's name holds a capital letter.
fn file_name(zone: &ZoneName) -> String {
    if zone.as_str().starts_with('.') { format!("HIDDEN{zone}.yaml") } else { format!("{zone}.yaml") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Known, SourceFile, load};
    use crate::zone::Permission;
    use crate::zone::sample::{topic, zone};

    fn zones() -> Vec<Arc<PartnerZone>> {
        let zone = |name: &str| {
            let mut zone = zone(
                name,
                vec![topic("null", "no", Permission::Read), topic("0123", "1e3", Permission::Write)],
            );
            zone.display_name = Some("- a: 'b'\n#c".to_owned());
            Arc::new(zone)
        };
        vec![zone(".hidden"), zone("1"), zone("acme"), zone("null"), zone("yes.yaml")]
    }

    #[test]
    fn what_is_written_reads_back_as_the_same_zones_by_file_and_in_one_stream() {
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join("zones"), &zones()).unwrap();
        let read = |path: PathBuf| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            assert!(!name.starts_with('.'), "{name} would not be read");
            SourceFile { path: name, content: Ok(fs::read(path).unwrap().into()) }
        };
        let entries = fs::read_dir(folder.path().join("zones")).unwrap();
        let files: Vec<SourceFile> = entries.map(|entry| read(entry.unwrap().path())).collect();
        let stream = SourceFile {
            path: "all.yaml".to_owned(),
            content: Ok(documents(&zones()).unwrap().into_bytes().into()),
        };
        for files in [files, vec![stream]] {
            let loaded = load(files, &Known::default());
            let read: Vec<Arc<PartnerZone>> = loaded.zones.values().map(|it| Arc::clone(&it.zone)).collect();
            assert_eq!(read, zones(), "{:?}", loaded.findings);
        }
    }

    #[test]
    fn a_folder_that_holds_something_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("acme.yaml"), "mine").unwrap();
        assert!(write(folder.path(), &zones()).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert_eq!(fs::read(folder.path().join("acme.yaml")).unwrap(), b"mine");
    }
}
