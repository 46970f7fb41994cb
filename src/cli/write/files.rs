//! `reconciler apply -f`: zones of files are written as the files say.

use std::path::PathBuf;

use serde_json::Value;

use super::{How, Outcomes, put};
use crate::app::control;
use crate::cli::client::{Client, Server};
use crate::cli::{Context, ExitCode, Failure, validate};
use crate::manifest::{Finding, Known, load, to_document};
use crate::zone::ZoneName;

/// What zones may name. A server that is named has a configuration of its own, which it holds them against itself: the one that lies
/// here may be another's.
pub(in crate::cli) fn known(server: &Server, context: &Context) -> Result<Known, Failure> {
    match server.named(context)? {
        Some(_) => Ok(Known::default()),
        None => Ok(control::known(&context.config()?)),
    }
}

/// The zones of files and folders, all of them right.
pub(super) fn zones(paths: &[PathBuf], known: &Known) -> Result<Vec<(ZoneName, Value)>, Failure> {
    let (files, _) = validate::read(paths)?;
    let loaded = load(files, known);
    let errors: Vec<_> = loaded.findings.iter().filter(|finding| finding.is_error()).map(line).collect();
    if !errors.is_empty() {
        return Err(Failure::new(ExitCode::Findings, errors.join("\n       "))
            .next("`reconciler validate` shows them in their files; nothing was written"));
    }
    if loaded.zones.is_empty() {
        return Err(Failure::usage("these files hold no zone"));
    }
    Ok(loaded.zones.into_iter().map(|(name, loaded)| (name, to_document(&loaded.zone))).collect())
}

pub(super) fn line(finding: &Finding) -> String {
    let place = finding.source.as_ref().map(|place| format!("{place}: ")).unwrap_or_default();
    format!("{place}{}: {}", finding.code.as_str(), finding.message)
}

/// Each zone on its own: one that is refused takes nothing from those before it and behind it.
pub(in crate::cli) async fn apply(
    client: &Client,
    paths: &[PathBuf],
    how: &How,
    known: &Known,
) -> Result<ExitCode, Failure> {
    let mut outcomes = Outcomes::default();
    for (name, document) in zones(paths, known)? {
        let outcome = put(client, &document, None, how).await;
        outcomes.add(name.as_str(), outcome, how)?;
    }
    Ok(outcomes.exit_code(how))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::config::Environment;

    #[test]
    fn zones_are_held_against_the_configuration_here_only_where_no_server_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let [config, file] = ["reconciler.yaml", "acme.yaml"].map(|name| folder.path().join(name));
        let clusters = "clusters: {default: {bootstrapServers: \"127.0.0.1:1\", isolation: shared}}\n";
        std::fs::write(&config, format!("gateway: {{name: another}}\n{clusters}")).unwrap();
        let zone = crate::zone::sample::zone("acme", Vec::new());
        std::fs::write(&file, crate::manifest::to_yaml(&zone).unwrap()).unwrap();
        let context = Context { config_file: Some(config), environment: Environment::default() };
        let read = |server: &Server| zones(std::slice::from_ref(&file), &known(server, &context).unwrap());

        let refused = read(&Server::default()).unwrap_err();
        assert!(refused.exit_code == ExitCode::Findings && refused.cause.contains("gateway"), "{refused}");
        let elsewhere = Server { url: Some("https://zones.example.com".to_owned()), ..Server::default() };
        assert_eq!(read(&elsewhere).unwrap().len(), 1);
    }
}
