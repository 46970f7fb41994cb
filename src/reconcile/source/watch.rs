//! When to look at the source again: after an interval, and at once when something on this machine changed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use rand::RngExt;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout_at};

use super::Source;

/// A burst of changes counts as one: after the last of them, this much quiet.
const QUIET: Duration = Duration::from_millis(200);
/// A burst that never ends is cut here.
const BURST: Duration = Duration::from_secs(2);

/// Tells when a source may have changed. It is polled in any case: a watch can be lost without a word.
#[derive(Debug)]
pub struct Watch {
    interval: Duration,
    changed: Arc<Notify>,
    /// Ends the watch when it is dropped.
    _watcher: Option<RecommendedWatcher>,
}

impl Watch {
    /// Watches a source that lies on this machine; any other is only polled.
    pub fn new(source: &Source, interval: Duration) -> Self {
        let changed = source.changed();
        let watcher = source.watched().and_then(|path| {
            watch(path, &changed)
                .inspect_err(|error| {
                    tracing::warn!(path = %path.display(), %error, "changes are not noticed at once, only every pollInterval");
                })
                .ok()
        });
        Self { interval, changed, _watcher: watcher }
    }

    /// Returns when it is time to look: the interval (jittered) has passed, or
    /// something changed and has been quiet for a moment.
    pub async fn due(&self) {
        tokio::select! {
            () = sleep(jittered(self.interval)) => {}
            () = self.changed.notified() => {
                let end = Instant::now() + BURST;
                loop {
                    let quiet = (Instant::now() + QUIET).min(end);
                    if timeout_at(quiet, self.changed.notified()).await.is_err() {
                        break;
                    }
                }
            }
        }
    }
}

/// The interval ±10 %, so that many controllers do not ask at once.
pub(in crate::reconcile) fn jittered(interval: Duration) -> Duration {
    interval.mul_f64(rand::rng().random_range(0.9..=1.1))
}

fn watch(path: &Path, changed: &Arc<Notify>) -> notify::Result<RecommendedWatcher> {
    let changed = Arc::clone(changed);
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Reading is an event too; reacting to our own would never end. An error may have swallowed a change.
        if event.map_or(true, |event| !matches!(event.kind, EventKind::Access(_))) {
            changed.notify_one();
        }
    })?;
    for (folder, mode) in folders(path) {
        watcher.watch(&folder, mode)?;
    }
    Ok(watcher)
}

/// What to watch: of a repository, where its refs are; of a plain folder, everything.
fn folders(path: &Path) -> Vec<(PathBuf, RecursiveMode)> {
    if super::libgit2::prepare().is_err() {
        return Vec::new();
    }
    match git2::Repository::open(path) {
        Ok(repository) => {
            let common = repository.commondir().to_owned();
            let refs = common.join("refs");
            vec![(common, RecursiveMode::NonRecursive), (refs, RecursiveMode::Recursive)]
        }
        Err(_) => vec![(path.to_owned(), RecursiveMode::Recursive)],
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const LONG: Duration = Duration::from_hours(1);
    const SOON: Duration = Duration::from_secs(10);

    async fn is_due_within(watch: &Watch, time: Duration) -> bool {
        tokio::time::timeout(time, watch.due()).await.is_ok()
    }

    #[tokio::test]
    async fn a_change_in_a_folder_is_noticed_at_once_and_reading_is_none() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("zones")).unwrap();
        fs::write(folder.path().join("zones/a.yaml"), "x").unwrap();
        let source = Source::directory(folder.path());
        let watch = Watch::new(&source, LONG);
        source.read(super::super::History::default()).await.unwrap();
        assert!(!is_due_within(&watch, Duration::from_millis(600)).await);
        fs::write(folder.path().join("zones/a.yaml"), "y").unwrap();
        assert!(is_due_within(&watch, SOON).await);
    }

    #[tokio::test]
    async fn a_commit_to_a_local_repository_is_noticed_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let repository = git2::Repository::init_bare(folder.path().join("zones.git")).unwrap();
        let source = Source::git(super::super::GitConfig::open(
            folder.path().join("zones.git").to_str().unwrap(),
            "refs/heads/main",
            ".",
            folder.path().join("mirrors"),
        ));
        let watch = Watch::new(&source.unwrap(), LONG);
        let who = git2::Signature::now("Ada", "ada@example.com").unwrap();
        let tree = repository.find_tree(repository.treebuilder(None).unwrap().write().unwrap()).unwrap();
        repository.commit(Some("refs/heads/main"), &who, &who, "first", &tree, &[]).unwrap();
        assert!(is_due_within(&watch, SOON).await);
    }

    #[tokio::test]
    async fn a_source_that_cannot_be_watched_is_still_polled() {
        let folder = tempfile::tempdir().unwrap();
        let watch = Watch::new(&Source::directory(&folder.path().join("missing")), Duration::from_millis(20));
        for _ in 0..3 {
            assert!(is_due_within(&watch, SOON).await);
        }
    }

    #[test]
    fn intervals_differ_by_a_tenth_at_most() {
        let waits: Vec<_> = (0..100).map(|_| jittered(Duration::from_secs(30))).collect();
        assert!(waits.iter().all(|wait| (27.0..=33.0).contains(&wait.as_secs_f64())), "{waits:?}");
        assert!(waits.iter().any(|wait| *wait != waits[0]));
    }
}
