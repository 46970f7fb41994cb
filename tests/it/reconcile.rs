//! The control plane from files to state, with the store in memory.

mod backing;
mod controls;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use git2::{Oid, Repository, Signature};
use partner_zones::manifest::Known;
use partner_zones::reconcile::apply::Applier;
use partner_zones::reconcile::backing::Backing;
use partner_zones::reconcile::controller::{Controller, ControllerConfig};
use partner_zones::reconcile::guard::Limits;
use partner_zones::reconcile::metrics::ReconcileMetrics;
use partner_zones::reconcile::plan::SelfHeal;
use partner_zones::reconcile::source::{GitConfig, Source};
use partner_zones::store::memory::MemoryStore;
use partner_zones::store::{
    AuditStretch, Change, Health, Heartbeat, Leadership, Ledger, Nodes, Place, State, Store, StoreError,
    StoreFuture,
};
use partner_zones::zone::{
    ApplyRequest, ClusterName, ConditionKind, ConditionStatus, ControllerStatus, Credential, KeyId,
    PlainVerifier, Sequence, Usage, ZoneLag, ZoneName,
};
use tempfile::TempDir;
use time::OffsetDateTime;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const PATIENCE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(50);
const MAIN: &str = "refs/heads/main";

fn manifest(name: &str, backing: &str) -> String {
    format!(
        "apiVersion: v2\nkind: PartnerZone\nmetadata:\n  name: {name}\nspec:\n  cluster: gateway\n  displayName: {name}\n  \
         authenticationMode:\n    type: PLAIN\n    serviceAccount: {name}\n  topics:\n    - name: orders\n      \
         backingTopic: {backing}\n      permission: READ\n"
    )
}

fn name(text: &str) -> ZoneName {
    ZoneName::try_from(text).unwrap()
}

/// A controller over a source, and the store it writes to.
struct World {
    store: Arc<MemoryStore>,
    status: watch::Receiver<Arc<ControllerStatus>>,
    apply: mpsc::Sender<ApplyRequest>,
    tasks: TaskTracker,
    cancel: CancellationToken,
}

/// What a controller works with.
struct Setup {
    store: Arc<MemoryStore>,
    /// The store as the controller sees it.
    seen: Arc<dyn Store>,
    self_heal: SelfHeal,
    backing: Option<Arc<dyn Backing>>,
}

impl World {
    fn start(source: Source) -> Self {
        Self::healing(source, SelfHeal::Correct)
    }

    fn healing(source: Source, self_heal: SelfHeal) -> Self {
        let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
        let store = MemoryStore::start(&tasks, cancel.clone());
        let seen = Arc::clone(&store) as _;
        Self::with(source, Setup { store, seen, self_heal, backing: None }, tasks, cancel)
    }

    fn with(source: Source, setup: Setup, tasks: TaskTracker, cancel: CancellationToken) -> Self {
        let Setup { store, seen, self_heal, backing } = setup;
        let (apply, requests) = mpsc::channel(16);
        let config = ControllerConfig {
            source,
            poll_interval: POLL,
            known: Known {
                gateway: Some("gateway".to_owned()),
                clusters: Some([ClusterName::try_from("default").unwrap()].into()),
                ..Known::default()
            },
            limits: Limits::default(),
            self_heal,
            applier: Applier { home_cluster_id: "home".to_owned(), node: "node-1".to_owned() },
            clusters: Vec::new(),
            backing,
            data_plane: None,
            requests,
            metrics: ReconcileMetrics::default(),
        };
        let controller = Controller::new(config, seen);
        let status = controller.status();
        tasks.spawn(controller.run(cancel.clone()));
        Self { store, status, apply, tasks, cancel }
    }

    fn state(&self) -> Arc<State> {
        self.store.state().borrow().clone().unwrap()
    }

    fn zones(&self) -> Vec<String> {
        self.state().zones.keys().map(ToString::to_string).collect()
    }

    fn backing(&self, zone: &str) -> String {
        self.state().zones[&name(zone)].zone.topics[0].backing.to_string()
    }

    async fn until(&self, what: &str, holds: impl Fn(&State) -> bool) {
        let mut state = self.store.state();
        let reached =
            tokio::time::timeout(PATIENCE, state.wait_for(|state| state.as_deref().is_some_and(&holds)))
                .await;
        assert!(reached.is_ok(), "{what}; status {:?}", self.status.borrow());
    }

    /// Waits until the controller says of itself that it is ready, or is not for this reason.
    async fn until_reason(&mut self, reason: &str) -> Arc<ControllerStatus> {
        let is = |status: &Arc<ControllerStatus>| {
            let ready = status.conditions.iter().find(|it| it.kind == ConditionKind::Ready);
            ready.is_some_and(|ready| ready.reason == reason)
        };
        let reached = tokio::time::timeout(PATIENCE, self.status.wait_for(is)).await;
        let found = reached.map(|status| status.unwrap().clone());
        found.unwrap_or_else(|_| panic!("never {reason}; status {:?}", self.status.borrow()))
    }

    /// Long enough for several runs.
    async fn several_runs(&self) {
        tokio::time::sleep(POLL * 6 + Duration::from_millis(300)).await;
    }

    async fn stop(self) {
        self.cancel.cancel();
        self.tasks.close();
        tokio::time::timeout(PATIENCE, self.tasks.wait())
            .await
            .expect("the controller ends when it is cancelled");
    }
}

/// A folder of manifests.
struct Folder(TempDir);

impl Folder {
    fn with(zones: &[&str]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for zone in zones {
            folder.write(&format!("{zone}.yaml"), &manifest(zone, "orders-v1"));
        }
        folder
    }

    fn source(&self) -> Source {
        Source::directory(self.0.path())
    }

    /// In one step, as an editor or a deployment should: a reader sees the old file or the new one.
    fn write(&self, file: &str, text: &str) {
        let hidden = self.0.path().join(format!(".{file}"));
        fs::write(&hidden, text).unwrap();
        fs::rename(hidden, self.0.path().join(file)).unwrap();
    }

    fn remove(&self, zone: &str) {
        fs::remove_file(self.0.path().join(format!("{zone}.yaml"))).unwrap();
    }
}

#[tokio::test]
async fn a_file_that_is_added_becomes_a_zone_and_an_audit_event() {
    let folder = Folder::with(&["acme"]);
    let world = World::start(folder.source());
    world.until("the first zone is applied", |state| state.zones.len() == 1).await;
    folder.write("beta.yaml", &manifest("beta", "bills-v1"));
    world.until("the second zone is applied", |state| state.zones.len() == 2).await;
    let state = world.state();
    let (acme, beta) = (&state.zones[&name("acme")], &state.zones[&name("beta")]);
    assert!(acme.changed < beta.changed, "an untouched zone is not written again");
    assert_eq!(state.revision.as_ref(), Some(&beta.revision));
    let event = || world.store.audit_events().into_iter().find(|event| event["subject"] == "zone/beta");
    tokio::time::timeout(PATIENCE, async {
        while event().is_none() {
            tokio::time::sleep(POLL).await;
        }
    })
    .await
    .unwrap();
    let event = event().unwrap();
    assert_eq!(event["type"], "partner-zones.zone.created");
    assert_eq!(event["data"]["changes"][1]["address"], "zone/beta/topic/orders");
    world.stop().await;
}

#[tokio::test]
async fn an_invalid_file_changes_nothing_for_its_zone_and_is_reported_while_others_go_ahead() {
    let folder = Folder::with(&["acme", "beta", "gone"]);
    let mut world = World::start(folder.source());
    world.until("all zones are applied", |state| state.zones.len() == 3).await;
    folder.write("acme.yaml", &manifest("acme", "other-v1").replace("READ", "read"));
    folder.write("beta.yaml", &manifest("beta", "other-v1"));
    folder.remove("gone");
    folder.write("new.yaml", &manifest("new", "orders-v1"));
    world.until("the sound files are applied", |state| state.zones.contains_key(&name("new"))).await;
    let status = world.until_reason("RefusedByGuard").await;
    world.several_runs().await;
    assert_eq!(world.zones(), ["acme", "beta", "gone", "new"]);
    assert_eq!(
        (world.backing("acme"), world.backing("beta")),
        ("orders-v1".to_owned(), "other-v1".to_owned())
    );
    let problem =
        status.file_problem(&name("acme")).expect("the fault is attributed to its zone").to_string();
    assert!(problem.contains("acme.yaml:14:19") && problem.contains("PZ0104"), "{problem}");
    assert_eq!(status.file_problem(&name("beta")), None);
    folder.write("acme.yaml", &manifest("acme", "other-v1"));
    world
        .until("the correction is applied and the deletion with it", |state| {
            !state.zones.contains_key(&name("gone"))
        })
        .await;
    assert_eq!(world.backing("acme"), "other-v1");
    world.stop().await;
}

#[tokio::test]
async fn a_new_zone_of_an_unknown_cluster_is_there_to_be_seen_and_one_in_force_stays_as_it_was() {
    let on_west = |zone: &str| {
        let gateway = "cluster: gateway";
        manifest(zone, "other-v1").replace(gateway, &format!("{gateway}\n  underlyingCluster: west"))
    };
    let folder = Folder::with(&["acme"]);
    let mut world = World::start(folder.source());
    world.until("the zone is applied", |state| state.zones.len() == 1).await;
    folder.write("acme.yaml", &on_west("acme"));
    folder.write("new.yaml", &on_west("new"));
    world.until("the new zone is kept", |state| state.zones.contains_key(&name("new"))).await;
    let status = world.until_reason("InvalidFiles").await;
    world.several_runs().await;
    assert_eq!(world.backing("acme"), "orders-v1");
    for zone in ["acme", "new"] {
        let problem = status.file_problem(&name(zone)).unwrap().to_string();
        assert!(problem.contains(&format!("{zone}.yaml:7:22")) && problem.contains("PZ0303"), "{problem}");
    }
    assert_eq!(world.state().sequence.0, 2, "it is made once, not in every run");
    folder.write("new.yaml", &manifest("new", "other-v1"));
    world
        .until("the correction is applied", |state| {
            state.zones[&name("new")].zone.underlying_cluster.is_none()
        })
        .await;
    world.stop().await;
}

#[tokio::test]
async fn garbage_links_and_emptied_files_never_delete_the_zone_that_was_there() {
    let folder = Folder::with(&["acme", "beta"]);
    let mut world = World::start(folder.source());
    world.until("both zones are applied", |state| state.zones.len() == 2).await;
    for garbage in ["", "# nothing\n", "\u{0}", "kind: Other\n", "<<<<<<< HEAD\n", "[[[[", "--- !x\n"] {
        folder.write("acme.yaml", garbage);
        world.until_reason("RefusedByGuard").await;
        folder.write("acme.yaml", &manifest("acme", "orders-v1"));
        world.until_reason("Applied").await;
    }
    folder.remove("acme");
    std::os::unix::fs::symlink("beta.yaml", folder.0.path().join("acme.yaml")).unwrap();
    let status = world.until_reason("RefusedByGuard").await;
    assert!(status.problems.iter().any(|problem| problem.code == "PZ0007"), "{status:?}");
    assert_eq!(world.zones(), ["acme", "beta"]);
    world.stop().await;
}

#[tokio::test]
async fn more_than_thirty_percent_are_never_deleted_at_once_and_what_goes_takes_its_credentials_along() {
    let folder = Folder::with(&[]);
    fs::create_dir(folder.0.path().join("part")).unwrap();
    for number in 0..10 {
        let zone = format!("zone-{number}");
        let part = if number < 4 { "part/" } else { "" };
        fs::write(folder.0.path().join(format!("{part}{zone}.yaml")), manifest(&zone, "orders-v1")).unwrap();
    }
    let mut world = World::start(folder.source());
    world.until("all zones are applied", |state| state.zones.len() == 10).await;
    let credential = |zone: &str, key: &str| Credential {
        key_id: KeyId::try_from(key).unwrap(),
        zone: name(zone),
        created_at: OffsetDateTime::UNIX_EPOCH,
        expires_at: None,
        replaced_by: None,
        plain: PlainVerifier { salt: vec![1], hash: vec![2] },
        scram: Vec::new(),
    };
    let (of_gone, of_kept) =
        (credential("zone-0", "pz0000000000000000"), credential("zone-9", "pz9999999999999999"));
    world
        .store
        .commit(vec![Change::PutCredential(of_gone), Change::PutCredential(of_kept.clone())])
        .await
        .unwrap();
    // Out of sight in one step.
    fs::rename(folder.0.path().join("part"), folder.0.path().join(".part")).unwrap();
    let status = world.until_reason("RefusedByGuard").await;
    assert!(status.refused[0].starts_with("4 of 10 zones would be deleted"), "{status:?}");
    world.several_runs().await;
    assert_eq!(world.zones().len(), 10);
    folder.write("zone-3.yaml", &manifest("zone-3", "orders-v1"));
    world.until("three deletions go ahead", |state| state.zones.len() == 7).await;
    let left: Vec<KeyId> = world.state().credentials.keys().cloned().collect();
    assert_eq!(left, [of_kept.key_id]);
    world.stop().await;
}

#[tokio::test]
async fn an_emptied_or_missing_folder_deletes_nothing() {
    let folder = Folder::with(&["acme"]);
    let mut world = World::start(folder.source());
    world.until("the zone is applied", |state| state.zones.len() == 1).await;
    folder.remove("acme");
    let status = world.until_reason("RefusedByGuard").await;
    assert!(status.refused[0].contains("every zone (1) would be deleted"), "{status:?}");
    fs::remove_dir_all(folder.0.path()).unwrap();
    world.until_reason("FolderUnreadable").await;
    assert_eq!(world.zones(), ["acme"]);
    world.stop().await;
}

#[tokio::test]
async fn nothing_is_written_while_nothing_changes() {
    let folder = Folder::with(&["acme"]);
    let mut world = World::start(folder.source());
    world.until_reason("Applied").await;
    let sequence = world.state().sequence;
    world.several_runs().await;
    folder.write("acme.yaml", &format!("# a comment\n{}", manifest("acme", "\"orders-v1\"")));
    world.until("the new revision is recorded", |state| state.sequence > sequence).await;
    world.several_runs().await;
    let state = world.state();
    assert_eq!(state.sequence, sequence.next(), "one commit for one revision");
    assert!(state.zones[&name("acme")].changed <= sequence, "a comment does not touch the zone");
    world.stop().await;
}

/// A bare repository that grows, and loses its way.
struct Hosted {
    folder: TempDir,
    repository: Repository,
}

impl Hosted {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let repository = Repository::init_bare(folder.path().join("zones.git")).unwrap();
        Self { folder, repository }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("zones.git")
    }

    fn source(&self) -> Source {
        let config =
            GitConfig::open(self.path().to_str().unwrap(), MAIN, "zones", self.folder.path().join("mirrors"));
        Source::git(config).unwrap()
    }

    fn commit(&self, zones: &[&str], parents: &[Oid]) -> Oid {
        let mut files = self.repository.treebuilder(None).unwrap();
        for zone in zones {
            let blob = self.repository.blob(manifest(zone, "orders-v1").as_bytes()).unwrap();
            files.insert(format!("{zone}.yaml"), blob, 0o100_644).unwrap();
        }
        let mut root = self.repository.treebuilder(None).unwrap();
        root.insert("zones", files.write().unwrap(), 0o040_000).unwrap();
        let tree = self.repository.find_tree(root.write().unwrap()).unwrap();
        let who = Signature::now("Ada", "ada@example.com").unwrap();
        let parents: Vec<_> = parents.iter().map(|id| self.repository.find_commit(*id).unwrap()).collect();
        let parents: Vec<_> = parents.iter().collect();
        self.repository.commit(None, &who, &who, "Change zones", &tree, &parents).unwrap()
    }

    fn point(&self, commit: Oid) {
        self.repository.reference(MAIN, commit, true, "test").unwrap();
    }
}

#[tokio::test]
async fn a_commit_is_applied_with_its_author_and_a_broken_source_keeps_what_was_applied() {
    let hosted = Hosted::new();
    let first = hosted.commit(&["acme", "beta"], &[]);
    hosted.point(first);
    let mut world = World::start(hosted.source());
    world.until("the first commit is applied", |state| state.zones.len() == 2).await;
    let second = hosted.commit(&["acme", "beta", "new"], &[first]);
    hosted.point(second);
    world.until("the second commit is applied", |state| state.zones.len() == 3).await;
    assert_eq!(world.state().revision.as_ref().unwrap().as_str(), format!("main@sha1:{second}"));
    world.until_reason("Applied").await;
    assert_eq!(world.store.audit_events()[0]["data"]["author"], "Ada <ada@example.com>");

    hosted.point(first);
    world.until_reason("SourceRewritten").await;
    hosted.point(hosted.commit(&["other"], &[]));
    world.several_runs().await;
    assert_eq!(world.zones(), ["acme", "beta", "new"], "a foreign history is refused");
    hosted.repository.find_reference(MAIN).unwrap().delete().unwrap();
    let status = world.until_reason("RefNotFound").await;
    let stalled = status.conditions.iter().find(|it| it.kind == ConditionKind::Stalled).unwrap();
    assert_eq!(stalled.status, ConditionStatus::True);
    break_repository(&hosted.path());
    world.until_reason("FetchFailed").await;
    assert_eq!(world.zones(), ["acme", "beta", "new"]);
    world.stop().await;
}

fn break_repository(path: &Path) {
    fs::write(path.join("HEAD"), "nonsense").unwrap();
    fs::remove_dir_all(path.join("objects")).unwrap();
}

/// The store of a node that does not lead, or only believes that it does.
#[derive(Debug)]
struct Other {
    store: Arc<MemoryStore>,
    leadership: watch::Sender<Leadership>,
}

impl Store for Other {
    fn state(&self) -> watch::Receiver<Option<Arc<State>>> {
        self.store.state()
    }

    fn nodes(&self) -> watch::Receiver<Arc<Nodes>> {
        self.store.nodes()
    }

    fn leadership(&self) -> watch::Receiver<Leadership> {
        self.leadership.subscribe()
    }

    fn health(&self) -> watch::Receiver<Health> {
        self.store.health()
    }

    fn commit(&self, _: Vec<Change>) -> StoreFuture<'_, Sequence> {
        panic!("a node that does not lead has written")
    }

    fn heartbeat(&self, heartbeat: Heartbeat) -> StoreFuture<'_, ()> {
        self.store.heartbeat(heartbeat)
    }

    fn leave(&self, node: String) -> StoreFuture<'_, ()> {
        self.store.leave(node)
    }

    fn audit(&self, event: serde_json::Value) -> StoreFuture<'_, ()> {
        self.store.audit(event)
    }

    fn read_audit(&self, before: Option<u64>) -> StoreFuture<'_, AuditStretch> {
        self.store.read_audit(before)
    }

    fn ledger(&self) -> &Ledger {
        self.store.ledger()
    }

    fn record_usage(&self, place: Place, usage: Arc<Usage>) -> StoreFuture<'_, ()> {
        self.store.record_usage(place, usage)
    }

    fn record_lag(&self, zone: ZoneName, lag: Option<Arc<ZoneLag>>) -> StoreFuture<'_, ()> {
        self.store.record_lag(zone, lag)
    }

    fn confirm_leadership(&self) -> StoreFuture<'_, ()> {
        Box::pin(async { Err(StoreError::Fenced) })
    }
}

#[tokio::test]
async fn a_node_that_does_not_lead_reads_and_never_writes() {
    let folder = Folder::with(&["acme"]);
    let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
    let store = MemoryStore::start(&tasks, cancel.clone());
    let leadership = watch::Sender::new(Leadership::Following);
    let other = Arc::new(Other { store: Arc::clone(&store), leadership });
    let setup = Setup { store, seen: Arc::clone(&other) as _, self_heal: SelfHeal::Correct, backing: None };
    let mut world = World::with(folder.source(), setup, tasks, cancel);
    let status = world.until_reason("Following").await;
    assert!(status.last_attempted.is_some() && status.last_applied.is_none());
    // It comes to lead, but its first write finds that another has taken over.
    other.leadership.send_replace(Leadership::Leading);
    world.until_reason("LostLead").await;
    assert_eq!(world.zones(), [""; 0]);
    world.stop().await;
}

#[tokio::test]
async fn a_server_that_never_answers_does_not_hold_up_the_end() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mirrors = tempfile::tempdir().unwrap();
    let source = Source::git(GitConfig::open(
        &format!("https://{}/zones.git", silent.local_addr().unwrap()),
        MAIN,
        ".",
        mirrors.path().to_owned(),
    ));
    let world = World::start(source.unwrap());
    let (connection, _) = tokio::time::timeout(PATIENCE, silent.accept()).await.unwrap().unwrap();
    world.stop().await;
    // Now the blocked thread may end too.
    drop(connection);
}
