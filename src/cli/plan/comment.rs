//! `plan --comment N`: the report as the one comment of a pull request.

use super::super::report::markdown::MARKER;
use super::super::report::{Colour, Format, Report};
use super::super::{ExitCode, Failure};
use crate::app::config::Config;
use crate::reconcile::forge::{Forge, ForgeError};

/// A client for `forge`, made before any work so that what is missing is said at once.
pub(super) fn forge(config: &Config) -> Result<Forge, Failure> {
    let configured = config.outside.forge.clone().ok_or_else(|| {
        Failure::usage("--comment needs a forge: `forge` is not configured")
            .next("set forge.kind, forge.repository and forge.tokenFile")
    })?;
    Forge::new(configured).map_err(Failure::usage)
}

/// Puts the comment there, or edits the one that is there.
pub(super) async fn put(forge: &Forge, pull: u64, report: &Report<'_>) -> Result<(), Failure> {
    let text = report.render(Format::Markdown, Colour::Plain);
    forge.put_comment(pull, MARKER, &text).await.map_err(|error| {
        let code = match &error {
            ForgeError::Unreachable { .. } | ForgeError::Answer { .. } => ExitCode::Unreachable,
            _ => ExitCode::Usage,
        };
        Failure::new(code, format!("the comment was not written: {error}"))
    })
}
