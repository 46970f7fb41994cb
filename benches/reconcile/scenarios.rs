//! What is measured.

use std::collections::BTreeMap;
use std::sync::Arc;

use partner_zones::manifest::{Known, SourceFile, load};
use partner_zones::reconcile::plan::{Desired, Observed, Plan, Terms, plan};
use partner_zones::reconcile::reader::Reader;
use partner_zones::reconcile::source::{GitConfig, History, Source};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::TOPICS;
use crate::measure::Figures;
use crate::repository::Repository;

pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&Repository) -> Figures,
}

/// The first is the floor.
pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "bare parse, one thread", run: bare_parse },
    Scenario { name: "cold: folder to plan", run: cold_folder },
    Scenario { name: "cold: repository to plan", run: cold_repository },
    Scenario { name: "started anew, nothing to do", run: started_anew },
    Scenario { name: "no-op reconcile", run: no_op },
    Scenario { name: "one file changed", run: one_file },
];

/// YAML to events and nothing else.
fn bare_parse(repository: &Repository) -> Figures {
    let texts: Vec<_> = repository.files().map(|file| String::from_utf8(file).unwrap()).collect();
    Figures::of(|| {
        for text in &texts {
            for event in saphyr_parser::Parser::new_from_str(text) {
                std::hint::black_box(event.unwrap());
            }
        }
    })
}

/// A reader and what was in force when it last planned.
struct Daemon {
    runtime: Runtime,
    reader: Reader,
    observed: Observed,
    _mirrors: TempDir,
}

impl Daemon {
    fn of_folder(repository: &Repository) -> Self {
        Self::new(|_| Source::directory(&repository.folder()))
    }

    fn of_git(repository: &Repository) -> Self {
        Self::new(|mirrors| {
            let config = GitConfig::open(
                repository.git().to_str().unwrap(),
                "refs/heads/main",
                ".",
                mirrors.path().to_owned(),
            );
            Source::git(config).unwrap()
        })
    }

    fn new(source: impl FnOnce(&TempDir) -> Source) -> Self {
        let mirrors = tempfile::tempdir().unwrap();
        Self {
            runtime: Runtime::new().unwrap(),
            reader: Reader::new(source(&mirrors), Known::default()),
            observed: Observed::default(),
            _mirrors: mirrors,
        }
    }

    fn run(&mut self) -> (Desired, Plan) {
        let history = History::after(self.observed.revision.clone());
        let reading = self.reader.read(history, self.observed.zones.clone());
        let desired = self.runtime.block_on(reading).unwrap();
        let plan = plan(&desired, &self.observed, &Terms::default());
        (desired, plan)
    }

    /// As after everything was applied and read back from the store, which gives what it was given if it reads the same.
    fn apply(&mut self, desired: &Desired) {
        let zones = &desired.loaded.zones;
        let zones: BTreeMap<_, _> =
            zones.iter().map(|(name, zone)| (name.clone(), Arc::clone(&zone.zone))).collect();
        self.observed = Observed { revision: Some(desired.revision.clone()), zones, ..Observed::default() };
    }

    /// One that finds in the store what the repository wants, and has read nothing else.
    fn started_anew(repository: &Repository) -> Self {
        let mut daemon = Self::of_git(repository);
        for content in repository.files() {
            let file = SourceFile { path: "zone.yaml".to_owned(), content: Ok(content.into()) };
            let zones = load([file], &Known::default()).zones.into_iter();
            daemon.observed.zones.extend(zones.map(|(name, zone)| (name, zone.zone)));
        }
        daemon
    }

    /// One that has applied what is there.
    fn settled(repository: &Repository) -> Self {
        let mut daemon = Self::of_git(repository);
        let (desired, plan) = daemon.run();
        assert!(plan.findings.is_empty(), "{:?}", plan.findings.first());
        daemon.apply(&desired);
        daemon
    }
}

fn cold_folder(repository: &Repository) -> Figures {
    let mut daemon = Daemon::of_folder(repository);
    Figures::of(|| daemon.run())
}

fn cold_repository(repository: &Repository) -> Figures {
    let mut daemon = Daemon::of_git(repository);
    Figures::of(|| daemon.run())
}

fn started_anew(repository: &Repository) -> Figures {
    let mut daemon = Daemon::started_anew(repository);
    Figures::of(|| {
        let (_, plan) = daemon.run();
        assert!(plan.changes.is_empty());
    })
}

fn no_op(repository: &Repository) -> Figures {
    let mut daemon = Daemon::settled(repository);
    Figures::of(|| {
        let (_, plan) = daemon.run();
        assert!(plan.changes.is_empty());
    })
}

fn one_file(repository: &Repository) -> Figures {
    let mut daemon = Daemon::settled(repository);
    let before = repository.change_one_file(TOPICS);
    let figures = Figures::of(|| {
        let (_, plan) = daemon.run();
        assert_eq!(plan.changes.len(), TOPICS);
    });
    repository.reset(before);
    figures
}
