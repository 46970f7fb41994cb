//! `--base REF`: what another revision of the same files wants, so that a plan tells this change from drift that was there.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::super::{Context, Failure};
use super::{Args, Chosen, failure};
use crate::app::config::{self, Config, Environment, Guards};
use crate::app::control;
use crate::manifest::{Known, load};
use crate::reconcile::plan::Desired;
use crate::reconcile::reader::Reader;
use crate::reconcile::source::{Base, BaseError, History, Limits};

/// The largest configuration that is read from a base.
const CONFIG_BYTES: u64 = 1 << 20;

/// What the base wants.
#[derive(Debug)]
pub(super) struct OfBase {
    pub(super) desired: Desired,
    /// The guards as the base has them, where the configuration lies in the same work tree: a pull request does not decide
    /// what it is allowed.
    pub(super) guards: Option<Guards>,
}

/// Reads the base, if one is asked for: of a folder out of the repository that it lies in, else another ref of the configured
/// source.
pub(super) async fn read(args: &Args, context: &Context, config: &Config) -> Result<Option<OfBase>, Failure> {
    let Some(reference) = args.base.clone() else { return Ok(None) };
    let known = control::known(config);
    let Some(folder) = args.zones.clone() else {
        let chosen = Chosen::of_ref(config, Some(&full_name(&reference)))?;
        let mut reader = Reader::new(chosen.source.clone(), known);
        let desired = reader.read(History::default(), BTreeMap::new()).await.map_err(failure)?;
        return Ok(Some(OfBase { desired, guards: None }));
    };
    let file = config::file(context.config_file.as_deref(), context.environment());
    let environment = context.environment().clone();
    let reading = tokio::task::spawn_blocking(move || {
        let base = Base::open(&folder, &reference).map_err(not_read)?;
        let guards = guards(&base, &file, &environment)?;
        Ok(OfBase { desired: in_work_tree(&base, &folder, &known)?, guards })
    });
    reading.await.map_err(|_| Failure::internal("reading the base ended early"))?.map(Some)
}

/// A branch may be named shortly.
fn full_name(reference: &str) -> String {
    if reference.starts_with("refs/") { reference.to_owned() } else { format!("refs/heads/{reference}") }
}

fn in_work_tree(base: &Base, folder: &Path, known: &Known) -> Result<Desired, Failure> {
    let snapshot = base.read(folder, &Limits::default()).map_err(not_read)?;
    Ok(Desired {
        revision: snapshot.revision,
        tree: snapshot.tree,
        commit: None,
        loaded: Arc::new(load(snapshot.files, known)),
    })
}

fn guards(base: &Base, file: &Path, environment: &Environment) -> Result<Option<Guards>, Failure> {
    if !base.holds(file) {
        return Ok(None);
    }
    let bytes = base.file(file, CONFIG_BYTES).map_err(not_read)?;
    let shown = format!("{} at {}", file.display(), base.revision());
    let config = config::parse(&shown, bytes.as_deref().unwrap_or(b"{}"), environment).map_err(|error| {
        Failure::usage(error).next("guards are those of the base; name another configuration with --config")
    })?;
    Ok(Some(config.guards))
}

fn not_read(error: BaseError) -> Failure {
    match error {
        BaseError::NoWorkTree { .. } => {
            Failure::usage(error).next("leave --base out, or name a folder inside a clone with --zones")
        }
        BaseError::NoCommit { .. } => Failure::unreachable(error)
            .next("fetch it first: clones in CI are often shallow and hold no other branch"),
        BaseError::Source(_) | BaseError::Broken { .. } => Failure::unreachable(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_may_be_named_shortly() {
        assert_eq!(full_name("main"), "refs/heads/main");
        assert_eq!(full_name("refs/tags/v1"), "refs/tags/v1");
    }
}
