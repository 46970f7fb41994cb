//! The order of work on the backing clusters around a commit, with clusters that only write down what they are told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use partner_zones::manifest::Loaded;
use partner_zones::reconcile::backing::{
    Backing, BackingFailure, BackingFuture, Failures, Observation, Step, Zones,
};
use partner_zones::store::Store as _;
use partner_zones::zone::Revision;

use super::*;

/// Writes down each call, with the zones in force at that moment.
#[derive(Debug)]
struct Notebook {
    store: Arc<MemoryStore>,
    calls: Mutex<Vec<(&'static str, Vec<String>)>>,
    /// Zones that fail to be widened, and whether for good.
    failing: Mutex<Vec<(ZoneName, bool)>>,
}

impl Notebook {
    fn note(&self, call: &'static str) {
        let state = self.store.state().borrow().clone().unwrap();
        let zones = state.zones.keys().map(ToString::to_string).collect();
        self.calls.lock().unwrap().push((call, zones));
    }

    fn count(&self, call: &str) -> usize {
        self.calls.lock().unwrap().iter().filter(|(name, _)| *name == call).count()
    }
}

impl Backing for Notebook {
    fn observe<'a>(&'a self, _: &'a Loaded, _: &'a Zones) -> BackingFuture<'a, Observation> {
        Box::pin(async { Observation::default() })
    }

    fn widen<'a>(&'a self, step: &'a Step) -> BackingFuture<'a, Failures> {
        self.note("widen");
        let failing = self.failing.lock().unwrap().clone();
        let failed =
            failing.into_iter().filter(|(zone, _)| step.touched.contains(zone)).map(|(zone, is_terminal)| {
                (zone, BackingFailure { message: "not permitted".to_owned(), is_terminal })
            });
        let failed = failed.collect();
        Box::pin(async { failed })
    }

    fn narrow<'a>(&'a self, _: &'a Step) -> BackingFuture<'a, Failures> {
        self.note("narrow");
        Box::pin(async { Failures::new() })
    }
}

fn world(folder: &Folder, failing: &[(&str, bool)]) -> (World, Arc<Notebook>) {
    let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
    let store = MemoryStore::start(&tasks, cancel.clone());
    let failing = failing.iter().map(|(zone, for_good)| (name(zone), *for_good)).collect();
    let notebook = Arc::new(Notebook {
        store: Arc::clone(&store),
        calls: Mutex::default(),
        failing: Mutex::new(failing),
    });
    let setup = Setup {
        seen: Arc::clone(&store) as _,
        store,
        self_heal: SelfHeal::Correct,
        backing: Some(Arc::clone(&notebook) as _),
    };
    (World::with(folder.source(), setup, tasks, cancel), notebook)
}

fn heartbeat(serving: u64) -> Heartbeat {
    Heartbeat {
        node: "g1".to_owned(),
        serving,
        bootstrap: BTreeMap::new(),
        tls: false,
        zone_domain: None,
        problems: BTreeMap::new(),
        connections: 0,
        master_keys: BTreeSet::new(),
        usage: BTreeMap::new(),
        credentials: BTreeMap::new(),
        failed_logins: Vec::new(),
        traffic: BTreeMap::new(),
        usage_is_partial: false,
        at: OffsetDateTime::now_utc(),
    }
}

#[tokio::test]
async fn rights_are_widened_before_the_commit_and_narrowed_once_every_gateway_serves_it() {
    let folder = Folder::with(&["acme", "beta"]);
    let (world, notebook) = world(&folder, &[]);
    world.until("both zones are applied", |state| state.zones.len() == 2).await;
    let calls = || notebook.calls.lock().unwrap().clone();
    tokio::time::timeout(PATIENCE, async {
        while calls().len() < 2 {
            tokio::time::sleep(POLL).await;
        }
    })
    .await
    .expect("without a gateway nobody is waited for");
    let both = || vec!["acme".to_owned(), "beta".to_owned()];
    assert_eq!(calls(), [("widen", vec![]), ("narrow", both())]);

    // A gateway that still serves the old state keeps its rights.
    world.store.heartbeat(heartbeat(1)).await.unwrap();
    folder.remove("beta");
    world.until("the zone is deleted", |state| state.zones.len() == 1).await;
    tokio::time::sleep(POLL * 5).await;
    assert_eq!(calls()[2..], [("widen", both())]);
    world.store.heartbeat(heartbeat(2)).await.unwrap();
    tokio::time::timeout(PATIENCE, async {
        while calls().len() < 4 {
            tokio::time::sleep(POLL).await;
        }
    })
    .await
    .expect("now it serves the commit");
    assert_eq!(calls()[3], ("narrow", vec!["acme".to_owned()]));
    world.several_runs().await;
    assert_eq!(calls().len(), 4, "a run without changes asks nothing of the clusters but what they have");
    world.stop().await;
}

#[tokio::test]
async fn a_zone_that_fails_stays_as_it_was_alone_and_is_tried_again_until_it_works() {
    let folder = Folder::with(&["acme", "beta"]);
    let (mut world, notebook) = world(&folder, &[("acme", false)]);
    world.until("the other zone is applied", |state| state.zones.contains_key(&name("beta"))).await;
    let status = world.until_reason("PartlyApplied").await;
    assert_eq!(world.zones(), ["beta"]);
    assert!(world.state().revision.is_none(), "the revision is not in force in full");
    let run = status.runs.iter().next().unwrap();
    assert_eq!(run.failed[&name("acme")], "not permitted");
    let tries = notebook.count("widen");
    world.several_runs().await;
    assert!(notebook.count("widen") <= tries + 1, "the poll does not shorten the wait");
    notebook.failing.lock().unwrap().clear();
    world.until("it works in the end, with the same revision", |state| state.zones.len() == 2).await;
    world.until_reason("Applied").await;
    assert!(world.state().revision.is_some());
    world.stop().await;
}

#[tokio::test]
async fn what_no_retry_helps_is_not_tried_again_before_the_files_change() {
    let folder = Folder::with(&["acme", "beta"]);
    let (mut world, notebook) = world(&folder, &[("acme", true)]);
    world.until_reason("PartlyApplied").await;
    let tries = notebook.count("widen");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(notebook.count("widen"), tries);
    notebook.failing.lock().unwrap().clear();
    world.several_runs().await;
    assert_eq!(world.zones(), ["beta"]);
    folder.write("acme.yaml", &format!("# again\n{}", manifest("acme", "orders-v1")));
    world.until("the new files are tried", |state| state.zones.len() == 2).await;
    world.stop().await;
}

/// Another leader records a revision while this one plans, once.
#[derive(Debug)]
struct Overtaken {
    store: Arc<MemoryStore>,
    revision: Mutex<Option<Revision>>,
}

impl Backing for Overtaken {
    fn observe<'a>(&'a self, _: &'a Loaded, _: &'a Zones) -> BackingFuture<'a, Observation> {
        let newer = self.revision.lock().unwrap().take();
        Box::pin(async {
            if let Some(newer) = newer {
                self.store.commit(vec![Change::Applied(newer)]).await.unwrap();
            }
            Observation::default()
        })
    }

    fn widen<'a>(&'a self, _: &'a Step) -> BackingFuture<'a, Failures> {
        Box::pin(async { Failures::new() })
    }

    fn narrow<'a>(&'a self, _: &'a Step) -> BackingFuture<'a, Failures> {
        Box::pin(async { Failures::new() })
    }
}

#[tokio::test]
async fn a_revision_that_was_recorded_while_the_plan_was_made_is_not_set_back() {
    let folder = Folder::with(&["acme"]);
    let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
    let store = MemoryStore::start(&tasks, cancel.clone());
    let overtaken = Arc::new(Overtaken { store: Arc::clone(&store), revision: Mutex::default() });
    let seen = Arc::clone(&store) as _;
    let backing = Some(Arc::clone(&overtaken) as _);
    let setup = Setup { store, seen, self_heal: SelfHeal::Correct, backing };
    let mut world = World::with(folder.source(), setup, tasks, cancel);
    world.until_reason("Applied").await;
    let newer = Revision::commit(MAIN, "c0ffee");
    *overtaken.revision.lock().unwrap() = Some(newer.clone());
    // A revision that changes no zone.
    folder.write("acme.yaml", &format!("# a comment\n{}", manifest("acme", "orders-v1")));
    world.until_reason("Outdated").await;
    assert_eq!(world.state().revision, Some(newer));
    world.until_reason("Applied").await;
    world.stop().await;
}
