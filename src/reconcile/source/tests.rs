mod directories;
mod history;
mod repositories;
mod selections;

use super::Snapshot;
use crate::manifest::FileProblem;

/// Paths with the length of what was read, or why nothing was.
fn contents(snapshot: &Snapshot) -> Vec<(&str, Result<&str, &FileProblem>)> {
    snapshot
        .files
        .iter()
        .map(|file| {
            (file.path.as_str(), file.content.as_ref().map(|bytes| std::str::from_utf8(bytes).unwrap()))
        })
        .collect()
}
