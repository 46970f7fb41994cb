use std::sync::Arc;

use super::*;
use crate::app::config;
use crate::manifest::{Known, SourceFile, load};
use crate::zone::Revision;

pub(in crate::cli) const FILE: &str = "zones/acme.yaml";

pub(in crate::cli) fn manifest(name: &str, display: &str, topics: &str) -> String {
    format!(
        "apiVersion: v2\nkind: PartnerZone\nmetadata:\n  name: {name}\nspec:\n  cluster: gateway\n  displayName: {display}\n  \
         authenticationMode: {{type: PLAIN, serviceAccount: {name}}}\n  topics:\n{topics}"
    )
}

pub(in crate::cli) fn topic(alias: &str, backing: &str, permission: &str) -> String {
    format!("    - {{name: {alias}, backingTopic: {backing}, permission: {permission}}}\n")
}

fn desired(files: &[(&str, String)]) -> Desired {
    let files = files
        .iter()
        .map(|(path, text)| SourceFile { path: (*path).to_owned(), content: Ok(text.clone().into_bytes()) });
    Desired {
        revision: Revision::folder("8c1f"),
        tree: "sha256:8c1f".to_owned(),
        commit: None,
        loaded: Arc::new(load(files, &Known::default())),
    }
}

pub(in crate::cli) fn planned(before: &[(&str, String)], after: &[(&str, String)]) -> (Plan, Desired) {
    let zones =
        desired(before).loaded.zones.iter().map(|(name, it)| (name.clone(), Arc::clone(&it.zone))).collect();
    let observed = Observed { zones, ..Observed::default() };
    let desired = desired(after);
    (plan(&desired, &observed, &Terms::default()), desired)
}

fn args(arguments: &[&str]) -> Result<Args, clap::Error> {
    #[derive(clap::Parser)]
    struct Parser {
        #[command(flatten)]
        args: Args,
    }
    clap::Parser::try_parse_from(std::iter::once(&"plan").chain(arguments)).map(|parser: Parser| parser.args)
}

#[test]
fn a_folder_and_a_ref_exclude_each_other_and_a_folder_must_exist() {
    assert!(args(&["--zones", "zones", "--ref", "refs/heads/x"]).is_err());
    let config = config::parse("reconciler.yaml", b"{}", &config::Environment::default()).unwrap();
    let missing = Chosen::new(&args(&["--zones", "no-such-folder"]).unwrap(), &config).err().unwrap();
    assert_eq!(missing.exit_code, ExitCode::Usage);
    let nothing = Chosen::new(&args(&[]).unwrap(), &config).err().unwrap();
    assert!(nothing.cause.contains("source.url"), "{nothing}");
}

#[test]
fn the_scratch_folder_goes_with_the_command() {
    let scratch = Scratch::new().unwrap();
    let folder = scratch.0.clone();
    assert!(folder.is_dir());
    drop(scratch);
    assert!(!folder.exists());
}

#[test]
fn an_offline_plan_is_of_a_folder_and_asks_no_server() {
    assert!(args(&["--offline", "--zones", "zones", "--base", "main"]).is_ok());
    assert!(args(&["--offline"]).is_err());
    assert!(args(&["--offline", "--zones", "zones", "--url", "http://127.0.0.1:1"]).is_err());
    assert!(args(&["--only", "No Zone"]).is_err());
}
