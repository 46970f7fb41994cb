//! Writes to a repository on this machine, with the store in memory.

use std::time::Duration;

use git2::build::TreeUpdateBuilder;
use git2::{FileMode, Repository, Signature};
use tempfile::TempDir;
use tokio_util::task::TaskTracker;

use super::*;
use crate::manifest::to_yaml;
use crate::reconcile::source::GitConfig;
use crate::store::memory::MemoryStore;
use crate::zone::{Asker, PartnerZone, Permission, Precondition, ZoneWrite, sample};

const MAIN: &str = "refs/heads/main";

/// For all that goes on in a write.
const SOON: Duration = Duration::from_secs(20);

struct Place {
    _folder: TempDir,
    repository: Repository,
    store: Arc<MemoryStore>,
    writes: WriteBack,
}

impl Place {
    /// A source that has these files, and the cluster `default` alone.
    fn new(mode: WriteBackMode, files: &[(&str, String)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = folder.path().join("zones.git");
        let repository = Repository::init_bare(&url).unwrap();
        let config = GitConfig::open(url.to_str().unwrap(), MAIN, "zones", folder.path().join("mirrors"));
        let store = MemoryStore::start(&TaskTracker::new(), CancellationToken::new());
        let config = WriteBackConfig {
            mode,
            source: Source::git(config).unwrap(),
            known: Known { clusters: Some(["default".try_into().unwrap()].into()), ..Known::default() },
            limits: Limits::default(),
        };
        let writes = WriteBack::new(config, Arc::clone(&store) as Arc<dyn Store>);
        let place = Self { _folder: folder, repository, store, writes };
        place.push(MAIN, files);
        place
    }

    /// A commit of somebody else's.
    fn push(&self, branch: &str, files: &[(&str, String)]) {
        let repository = &self.repository;
        let parent = repository.refname_to_id(branch).ok().map(|id| repository.find_commit(id).unwrap());
        let before = match &parent {
            Some(parent) => parent.tree_id(),
            None => repository.treebuilder(None).unwrap().write().unwrap(),
        };
        let before = repository.find_tree(before).unwrap();
        let mut update = TreeUpdateBuilder::new();
        for (name, text) in files {
            let blob = repository.blob(text.as_bytes()).unwrap();
            update.upsert(format!("zones/{name}"), blob, FileMode::Blob);
        }
        let tree = repository.find_tree(update.create_updated(repository, &before).unwrap()).unwrap();
        let who = Signature::now("Ada", "ada@example.com").unwrap();
        let parents: Vec<_> = parent.iter().collect();
        repository.commit(Some(branch), &who, &who, "by hand", &tree, &parents).unwrap();
    }

    async fn write(&mut self, request: &WriteRequest) -> Result<Written, WriteRefusal> {
        self.writes.write(request).await
    }
}

fn share(zone: &str, backing: &str) -> PartnerZone {
    sample::zone(zone, vec![sample::topic("orders", backing, Permission::Read)])
}

fn yaml(zone: &PartnerZone) -> String {
    to_yaml(zone).unwrap()
}

/// The same with other words about it.
fn changed(zone: &PartnerZone) -> PartnerZone {
    PartnerZone { description: Some("changed".to_owned()), ..zone.clone() }
}

fn asked(zone: &str, write: ZoneWrite) -> WriteRequest {
    WriteRequest {
        zone: zone.try_into().unwrap(),
        write,
        on: Precondition::Any,
        author: zone::Author { name: "API key k1".to_owned(), email: "k1@api-key.invalid".to_owned() },
        by: Asker::ApiKey("k1".to_owned()),
        node: "n1".to_owned(),
        reason: None,
        extent: Extent::Commit,
    }
}

fn put(zone: &PartnerZone) -> WriteRequest {
    asked(zone.name.as_str(), ZoneWrite::Put(Box::new(zone.clone())))
}

#[tokio::test]
async fn a_commit_stands_in_the_audit_log_although_whoever_asked_has_gone() {
    let Place { _folder, repository, store, writes } =
        Place::new(WriteBackMode::Commit, &[("keep.yaml", yaml(&share("keep", "sales.orders")))]);
    let (asks, requests) = mpsc::channel(1);
    let (answer, outcome) = oneshot::channel();
    let cancel = CancellationToken::new();
    let running = tokio::spawn(writes.run(requests, cancel.clone()));
    asks.send((put(&share("acme", "sales.orders")), answer)).await.unwrap();
    // There is room for another one once this one has begun.
    drop(asks.reserve().await.unwrap());
    drop(outcome);
    let told = async {
        while store.audit_events().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(SOON, told).await.expect("nothing was told");
    let head = repository.refname_to_id(MAIN).unwrap();
    let [event] = &store.audit_events()[..] else { panic!("one event") };
    let data = json!({
        "apiKey": "k1", "revision": format!("main@sha1:{head}"), "reference": MAIN, "file": "zones/acme.yaml",
    });
    assert_eq!((&event["subject"], &event["data"]), (&json!("zone/acme"), &data));
    assert_eq!(event["type"], "partner-zones.zone.create-committed");
    assert_eq!(event["source"], "/partner-zones/n1");
    cancel.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn of_a_file_that_holds_more_the_zones_own_part_is_told_beside_it() {
    let [sold, noted, alone] = ["sold", "noted", "alone"].map(|zone| share(zone, "sales.orders"));
    let files = [
        ("sold.yaml", format!("{}---\n{}", yaml(&sold), yaml(&share("rival", "finance.ledger")))),
        ("noted.yaml", format!("# As with rival.\n{}", yaml(&noted))),
        ("alone.yaml", yaml(&alone)),
    ];
    let mut place = Place::new(WriteBackMode::None, &files);
    for (zone, holds_more) in [(&sold, true), (&noted, true), (&alone, false)] {
        let (name, wanted) = (&zone.name, changed(zone));
        let of_file = |side: &str| format!("{side}/zones/{name}.yaml");
        let refused = place.write(&put(&wanted)).await.unwrap_err();
        let WriteRefusal::Off { text: Some(text), excerpt, .. } = refused else { panic!("{refused:?}") };
        assert_eq!((text.contains("rival"), excerpt.is_some()), (holds_more, holds_more), "{name}");
        let tried = WriteRequest { extent: Extent::DryRun, ..put(&wanted) };
        assert_eq!(place.write(&tried).await.unwrap().excerpt, excerpt, "{name}");
        if let Some(excerpt) = excerpt {
            assert_eq!(excerpt.document, Some(yaml(&wanted)));
            let begin = format!("--- {}\n+++ {}\n", of_file("a"), of_file("b"));
            assert!(excerpt.diff.starts_with(&begin), "{}", excerpt.diff);
            assert!(excerpt.diff.contains("\n+  description: changed\n"), "{}", excerpt.diff);
            assert!(!excerpt.diff.contains("rival"), "{}", excerpt.diff);
        }
        let refused = place.write(&asked(name.as_str(), ZoneWrite::Delete)).await.unwrap_err();
        let WriteRefusal::Off { excerpt, .. } = refused else { panic!("{refused:?}") };
        assert_eq!(excerpt.is_some(), holds_more, "{name}");
        if let Some(excerpt) = excerpt {
            assert_eq!(excerpt.document, None);
            let is_whole = yaml(zone).lines().all(|line| excerpt.diff.contains(&format!("\n-{line}\n")));
            assert!(is_whole && !excerpt.diff.contains("rival"), "{}", excerpt.diff);
        }
    }
}

#[tokio::test]
async fn the_same_proposal_is_made_once_and_another_one_is_another() {
    let keep = share("keep", "sales.orders");
    let mut place = Place::new(WriteBackMode::Branch, &[("keep.yaml", yaml(&keep))]);
    let acme = put(&share("acme", "sales.orders"));
    let first = place.write(&acme).await.unwrap().commit.unwrap();
    assert!(first.is_proposal && first.reference.starts_with("refs/heads/partner-zones/acme-"), "{first:?}");
    assert_eq!(place.write(&acme).await.unwrap().commit.as_ref(), Some(&first));
    assert_eq!(place.store.audit_events().len(), 1, "nothing was committed the second time");

    let mut seen = vec![first.reference.clone()];
    let because = WriteRequest { reason: Some("they signed".to_owned()), ..acme.clone() };
    for other in [because, put(&share("acme", "sales.returns")), put(&changed(&keep))] {
        let made = place.write(&other).await.unwrap().commit.unwrap().reference;
        assert!(!seen.contains(&made), "{made}");
        seen.push(made);
    }

    // A reviewer has gone on from it: what is asked for is beside it from then on.
    place.push(&first.reference, &[("note.yaml", "# to be corrected\n".to_owned())]);
    let beside = place.write(&acme).await.unwrap().commit.unwrap();
    assert!(!seen.contains(&beside.reference), "{beside:?}");
    assert_eq!(place.write(&acme).await.unwrap().commit, Some(beside));
}

#[tokio::test]
async fn an_error_that_was_there_hides_none_that_is_like_it() {
    let elsewhere = |zone: &str| PartnerZone {
        underlying_cluster: Some("mars".try_into().unwrap()),
        ..share(zone, "sales.orders")
    };
    let mut place = Place::new(WriteBackMode::Commit, &[("lost.yaml", yaml(&elsewhere("lost")))]);
    for zone in [elsewhere("acme"), changed(&elsewhere("lost"))] {
        let refused = place.write(&put(&zone)).await.unwrap_err();
        let WriteRefusal::Invalid(findings) = refused else { panic!("{refused:?}") };
        let [finding] = &findings[..] else { panic!("{findings:?}") };
        let file = format!("zones/{}.yaml:", zone.name);
        assert!(finding.code == "PZ0303" && finding.place.starts_with(&file), "{finding:?}");
    }
    // What has nothing to do with it is written, and so is what puts it right.
    for zone in ["acme", "lost"] {
        place.write(&put(&share(zone, "sales.orders"))).await.unwrap();
    }
}
