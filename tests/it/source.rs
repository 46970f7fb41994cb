//! The source over the network and with signatures: `git http-backend` behind TLS, a real sshd, commits signed by git.

mod https;
mod proxies;
mod signatures;
mod ssh;
mod writing;

use std::path::Path;
use std::time::{Duration, Instant};

use partner_zones::reconcile::source::{GitConfig, History, Limits, Snapshot, Source, SourceError};
use tempfile::TempDir;

use crate::support::git::Repository;

const MAIN: &str = "refs/heads/main";
const SECRET: &str = "hunter2-token";

/// A repository with one file, and a folder for mirrors of it.
struct Hosted {
    repository: Repository,
    scratch: TempDir,
}

impl Hosted {
    fn new() -> Self {
        let hosted = Self { repository: Repository::new(), scratch: tempfile::tempdir().unwrap() };
        hosted.push("one");
        hosted
    }

    fn push(&self, content: &str) -> String {
        self.repository.write("zones/acme.yaml", content);
        self.repository.push("a change")
    }

    /// The folder that the repository `zones.git` is in.
    fn root(&self) -> std::path::PathBuf {
        self.repository.url().parent().unwrap().to_owned()
    }

    fn config(&self, url: &str) -> GitConfig {
        GitConfig::open(url, MAIN, "zones", self.scratch.path().join("mirrors"))
    }
}

/// Deadlines that a test can wait for.
fn impatient() -> Limits {
    Limits { fetch_time: Duration::from_secs(4), stall_time: Duration::from_secs(2), ..Limits::default() }
}

async fn read(source: &Source) -> Result<Snapshot, SourceError> {
    source.read(History::default()).await
}

fn content(snapshot: &Snapshot) -> &str {
    std::str::from_utf8(snapshot.files[0].content.as_ref().unwrap()).unwrap()
}

/// The read ends by itself, long before a person would give up, and says why.
async fn gives_up(config: GitConfig, reason: &str, says: &str) {
    let source = Source::git(config).unwrap();
    let begun = Instant::now();
    let error = read(&source).await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    assert_eq!(error.reason(), reason, "{error}");
    assert!(error.to_string().contains(says), "{error}");
    // And the thread is free again.
    let error = read(&source).await.unwrap_err();
    assert_ne!(error.to_string(), SourceError::Busy.to_string());
}

fn write(folder: &Path, name: &str, text: &str) -> std::path::PathBuf {
    let file = folder.join(name);
    std::fs::write(&file, text).unwrap();
    file
}
