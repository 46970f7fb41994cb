//! `reconciler apply -f`: zones of files are written as the files say.

use std::path::PathBuf;

use serde_json::Value;

use super::{How, put, tell};
use crate::app::control;
use crate::cli::client::Client;
use crate::cli::{Context, ExitCode, Failure, validate};
use crate::manifest::{Finding, load, to_document};
use crate::zone::ZoneName;

/// The zones of files and folders, all of them right.
pub(super) fn zones(paths: &[PathBuf], context: &Context) -> Result<Vec<(ZoneName, Value)>, Failure> {
    // Without a configuration names of clusters are the server's to check.
    let known = context.config().map(|config| control::known(&config)).unwrap_or_default();
    let (files, _) = validate::read(paths)?;
    let loaded = load(files, &known);
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

/// Each zone on its own: what could be written stays written when a later one is refused.
pub(in crate::cli) async fn apply(
    client: &Client,
    paths: &[PathBuf],
    how: &How,
    context: &Context,
) -> Result<ExitCode, Failure> {
    for (name, document) in zones(paths, context)? {
        let answer =
            put(client, &document, None, how).await.map_err(|failure| failure.of(&format!("zone/{name}")))?;
        tell(name.as_str(), &answer, how)?;
    }
    Ok(ExitCode::Fine)
}
