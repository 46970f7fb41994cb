//! `reconciler state`: a copy of everything the state holds, and how it is put back when it was lost.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::client::{Client, Server};
use super::{Context, ExitCode, Failure, output};
use crate::app::config::{Config, StoreKind};
use crate::app::storage;
use crate::store::backup::{Backup, BackupError, Into, MAX_BYTES, Restored};
use crate::store::kafka::{KafkaStore, Role, Timing};
use crate::store::{self, Change, Health, Leadership, State, Store as _, StoreError};
use crate::zone::Sequence;

/// Time for the state topic to be read to its end, or to be led.
const WITHIN: Duration = Duration::from_mins(1);
/// A controller that leads may take the lead back while the import is written.
const ATTEMPTS: usize = 5;

/// Save the state, or put a saved one back
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    Export(Export),
    Import(Import),
}

/// Save everything the state holds: zones, credentials' verifiers, API keys' hashes, what operators asked for
///
/// As a running server has it (--url, with an admin key), which goes on after the state topic was lost; else as the state topic
/// holds it. No secret is in it, but keep it where secrets are kept: it tells who shares what, and secrets can be guessed at.
#[derive(Debug, clap::Args)]
struct Export {
    /// New file, which only its owner may read; without it, standard output
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,

    #[command(flatten)]
    server: Server,
}

/// Put a saved state back into a store that was lost
///
/// With the configuration's login to the home cluster, whether controllers run or not. What the store has already stays as it is;
/// what it lacks is added.
#[derive(Debug, clap::Args)]
struct Import {
    /// What `state export` wrote
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Also into a store that is in use: credentials that were revoked since come back
    #[arg(long, requires = "reason")]
    add: bool,

    /// Why, for the audit log
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

pub async fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    match args.action {
        Action::Export(args) => export(args, context).await,
        Action::Import(args) => import(args, context).await,
    }
}

async fn export(args: Export, context: &Context) -> Result<ExitCode, Failure> {
    let document = if args.server.named(context)?.is_some() {
        let answer = Client::new(&args.server, context)?.get(&["state", "backup"]).await?;
        let text = answer.to_string();
        // It is worth nothing if it cannot be put back.
        Backup::parse(text.as_bytes()).map_err(|error| {
            Failure::unreachable(format!("the server's answer is not understood: {error}"))
                .next("use the server's version of this program")
        })?;
        text
    } else {
        from_topic(&context.config()?).await?
    };
    match args.file {
        None => output::data(&(document + "\n"))?,
        Some(file) => {
            write(&file, &document).map_err(|cause| {
                Failure::usage(format!("cannot write to {}: {cause}", file.display()))
                    .next("name a new file in a folder that can be written to")
            })?;
            output::note(&format!(
                "the state is in {}, which only its owner may read: it holds no secret, but enough to guess at them",
                file.display()
            ));
        }
    }
    Ok(ExitCode::Fine)
}

async fn from_topic(config: &Config) -> Result<String, Failure> {
    let opened = Opened::new(config, Role::Gateway).await?;
    let state = opened.state().await;
    let home = opened.store.cluster_id().to_owned();
    opened.close().await;
    let backup = Backup::of(&*state?, &home, OffsetDateTime::now_utc()).map_err(Failure::internal)?;
    serde_json::to_string(&backup).map_err(|error| Failure::internal(format!("the state: {error}")))
}

/// Nothing is overwritten, and what could not be written in full is not left behind.
fn write(path: &Path, document: &str) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    let written = file
        .write_all(document.as_bytes())
        .and_then(|()| file.write_all(b"\n"))
        .and_then(|()| file.sync_all());
    if written.is_err() {
        let _ = std::fs::remove_file(path);
    }
    written
}

async fn import(args: Import, context: &Context) -> Result<ExitCode, Failure> {
    let document = read(&args.file)?;
    let digest = Sha256::digest(&document).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    let backup = Backup::parse(&document).map_err(|error| refused(&args.file, &error))?;
    drop(document);
    let config = context.config()?;
    let opened = Opened::new(&config, Role::Restorer).await?;
    let into = if args.add { Into::InUse } else { Into::Fresh };
    let told = json!({
        "reason": args.reason, "sha256": digest, "exportedAt": backup.exported_at().format(&Rfc3339).ok(),
        "exportedSequence": backup.sequence().0, "intoUse": args.add,
    });
    let outcome = opened.restore(&backup, into, &config.node, &told).await;
    opened.close().await;
    let (restored, sequence) = match outcome {
        Ok(done) => done,
        Err(NotRestored::Refused(error)) => return Err(refused(&args.file, &error)),
        Err(NotRestored::Failed(failure)) => return Err(failure),
    };
    let Restored { zones, credentials, api_keys, kept, .. } = restored;
    output::note(&format!(
        "commit {sequence}: {zones} zones, {credentials} credentials and {api_keys} API keys are back; of {} records, {kept} were \
         there and stay. The controllers go on by themselves within seconds",
        backup.records()
    ));
    if credentials > 0 {
        output::note(&format!(
            "what was revoked after {} is good again: look at `reconciler credentials list`",
            backup.exported_at().format(&Rfc3339).unwrap_or_default()
        ));
    }
    Ok(ExitCode::Fine)
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |cause: &dyn std::fmt::Display| {
        Failure::usage(format!("cannot read {}: {cause}", path.display()))
            .next("name what `state export` wrote")
    };
    let file = File::open(path).map_err(|error| failed(&error))?;
    let mut document = Vec::new();
    let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit).read_to_end(&mut document).map_err(|error| failed(&error))?;
    if document.len() > MAX_BYTES {
        return Err(failed(&format!("it is larger than {} MiB", MAX_BYTES >> 20)));
    }
    Ok(document)
}

fn refused(file: &Path, error: &BackupError) -> Failure {
    let code = match error {
        BackupError::OtherCluster { .. }
        | BackupError::InUse(_)
        | BackupError::OtherId(_)
        | BackupError::NewerNode { .. } => ExitCode::RefusedByGuard,
        BackupError::Store(_) => ExitCode::Unreachable,
        _ => ExitCode::Usage,
    };
    Failure::new(code, format!("{} is not imported: {error}", file.display()))
}

/// Why nothing was imported.
enum NotRestored {
    Refused(BackupError),
    Failed(Failure),
}

/// The store, for this one command.
struct Opened {
    store: Arc<KafkaStore>,
    /// When every live node has been heard.
    all_heard: Instant,
    tasks: TaskTracker,
    cancel: CancellationToken,
}

impl Opened {
    async fn new(config: &Config, role: Role) -> Result<Self, Failure> {
        if config.store == StoreKind::Memory {
            return Err(Failure::usage("with `store: memory` nothing outlives the running process")
                .next("name its admin address with --url to export, or set `store: kafka`"));
        }
        let options = storage::options(config, role).map_err(Failure::usage)?;
        let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
        let all_heard = Instant::now() + Timing::default().all_heard;
        let store = KafkaStore::open(options, &tasks, cancel.clone()).await.map_err(|error| {
            Failure::unreachable(&error)
                .next("check `clusters` in the configuration: the first is the home cluster")
        })?;
        Ok(Self { store, all_heard, tasks, cancel })
    }

    async fn close(self) {
        self.cancel.cancel();
        self.tasks.close();
        // What a broker that is away holds up is left behind.
        let _ = timeout(Duration::from_secs(5), self.tasks.wait()).await;
    }

    async fn state(&self) -> Result<Arc<State>, Failure> {
        let (mut state, mut health) = (self.store.state(), self.store.health());
        let read = async {
            tokio::select! {
                read = state.wait_for(Option::is_some) => read.ok().and_then(|state| state.clone()),
                // A state that was never read and is stale will not come.
                _ = health.wait_for(|health| matches!(health, Health::Stale { .. })) => None,
            }
        };
        let read = timeout(WITHIN, read).await.ok().flatten();
        read.ok_or_else(|| self.not_read("the state topic"))
    }

    /// Puts it back in one commit.
    async fn restore(
        &self,
        backup: &Backup,
        into: Into,
        node: &str,
        told: &Value,
    ) -> Result<(Restored, Sequence), NotRestored> {
        sleep_until(self.all_heard).await;
        let deadline = Instant::now() + WITHIN;
        let mut last = None;
        for _ in 0..ATTEMPTS {
            let mut leadership = self.store.leadership();
            let leading = leadership.wait_for(|leadership| *leadership == Leadership::Leading);
            if !matches!(timeout_at(deadline, leading).await, Ok(Ok(_))) {
                break;
            }
            let state = self.store.state().borrow().clone().unwrap_or_default();
            let nodes = self.store.nodes().borrow().clone();
            let serving = nodes.iter().map(|(node, beat)| (node.as_str(), Sequence(beat.serving)));
            let mut restored = backup
                .restore(&state, self.store.cluster_id(), serving, into)
                .map_err(NotRestored::Refused)?;
            let mut changes = std::mem::take(&mut restored.changes);
            changes.push(Change::Audit(event(node, &restored, told)));
            match self.store.commit(changes).await {
                Ok(sequence) => return Ok((restored, sequence)),
                Err(error @ (StoreError::Fenced | StoreError::NotLeader)) => last = Some(error),
                Err(error) => return Err(NotRestored::Refused(error.into())),
            }
        }
        Err(NotRestored::Failed(match last {
            None => self.not_read("the store"),
            Some(error) => Failure::unreachable(format!("nothing was imported: {error}"))
                .next("stop the controllers, and try again"),
        }))
    }

    fn not_read(&self, what: &str) -> Failure {
        let why = match &*self.store.health().borrow() {
            Health::Stale { reason, .. } => reason.clone(),
            Health::Starting | Health::Current => format!("not within {} s", WITHIN.as_secs()),
        };
        Failure::unreachable(format!("{what} cannot be used: {why}"))
    }
}

/// What the audit log is told.
fn event(node: &str, restored: &Restored, told: &Value) -> Value {
    let mut data = told.clone();
    if let Some(data) = data.as_object_mut() {
        let counts = [
            ("zones", restored.zones),
            ("credentials", restored.credentials),
            ("apiKeys", restored.api_keys),
            ("kept", restored.kept),
        ];
        data.extend(counts.map(|(name, count)| (name.to_owned(), count.into())));
    }
    store::event(&format!("command/{node}"), "state.imported", "state", OffsetDateTime::now_utc(), &data)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_backup_is_its_owners_alone_and_overwrites_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state.json");
        write(&file, "{}").unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(write(&file, "other").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(read(&file).unwrap(), b"{}\n");
    }
}
