//! A repository of many zones, as a folder and as a bare Git repository.

use std::fs;
use std::path::{Path, PathBuf};

use git2::{Oid, Signature};

/// Zones of a folder, so that trees are of a usual size.
const PER_FOLDER: usize = 100;

pub(crate) struct Repository {
    root: PathBuf,
    zones: usize,
}

impl Repository {
    /// One that was made by [`Repository::create`].
    pub(crate) fn at(root: &Path, zones: usize) -> Self {
        Self { root: root.to_owned(), zones }
    }

    pub(crate) fn create(root: &Path, zones: usize, topics: usize) -> Self {
        let repository = Self::at(root, zones);
        for zone in 0..zones {
            let file = repository.folder().join(path(zone));
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, manifest(zone, topics, "READ")).unwrap();
        }
        let git = git2::Repository::init_bare(repository.git()).unwrap();
        // In one pack, as a server sends them.
        let mut pack = git.packbuilder().unwrap();
        let mut folders = git.treebuilder(None).unwrap();
        for folder in (0..zones).step_by(PER_FOLDER) {
            let mut files = git.treebuilder(None).unwrap();
            for zone in folder..zones.min(folder + PER_FOLDER) {
                let blob = git.blob(manifest(zone, topics, "READ").as_bytes()).unwrap();
                files.insert(path(zone).rsplit('/').next().unwrap(), blob, 0o100_644).unwrap();
            }
            folders.insert(format!("{:03}", folder / PER_FOLDER), files.write().unwrap(), 0o040_000).unwrap();
        }
        let commit = commit(&git, folders.write().unwrap(), &[]);
        pack.insert_commit(commit).unwrap();
        pack.write(&git.path().join("objects/pack"), 0).unwrap();
        repository.drop_loose_objects();
        repository
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.root.join("folder")
    }

    pub(crate) fn git(&self) -> PathBuf {
        self.root.join("zones.git")
    }

    pub(crate) fn files(&self) -> impl Iterator<Item = Vec<u8>> {
        (0..self.zones).map(|zone| fs::read(self.folder().join(path(zone))).unwrap())
    }

    pub(crate) fn bytes(&self) -> usize {
        self.files().map(|file| file.len()).sum()
    }

    /// One more commit, which gives one zone another permission. The branch is put back by [`Repository::reset`].
    pub(crate) fn change_one_file(&self, topics: usize) -> Oid {
        let git = git2::Repository::open_bare(self.git()).unwrap();
        let head = git.find_reference("refs/heads/main").unwrap().peel_to_commit().unwrap();
        let zone = self.zones / 2;
        let blob = git.blob(manifest(zone, topics, "WRITE").as_bytes()).unwrap();
        let mut change = git2::build::TreeUpdateBuilder::new();
        change.upsert(path(zone), blob, git2::FileMode::Blob);
        let tree = change.create_updated(&git, &head.tree().unwrap()).unwrap();
        commit(&git, tree, &[&head]);
        head.id()
    }

    pub(crate) fn reset(&self, to: Oid) {
        let git = git2::Repository::open_bare(self.git()).unwrap();
        git.reference("refs/heads/main", to, true, "reset").unwrap();
    }

    fn drop_loose_objects(&self) {
        for entry in fs::read_dir(self.git().join("objects")).unwrap().map(Result::unwrap) {
            if entry.file_name().len() == 2 {
                fs::remove_dir_all(entry.path()).unwrap();
            }
        }
    }
}

fn commit(git: &git2::Repository, tree: Oid, parents: &[&git2::Commit<'_>]) -> Oid {
    let who = Signature::now("Ada", "ada@example.com").unwrap();
    let tree = git.find_tree(tree).unwrap();
    git.commit(Some("refs/heads/main"), &who, &who, "Zones", &tree, parents).unwrap()
}

fn path(zone: usize) -> String {
    format!("{:03}/partner-{zone:05}.yaml", zone / PER_FOLDER)
}

fn manifest(zone: usize, topics: usize, permission: &str) -> String {
    let head = format!(
        "apiVersion: v2\nkind: PartnerZone\nmetadata:\n  name: partner-{zone:05}\n  labels:\n    domain: fulfilment\nspec:\n  \
         cluster: gateway\n  displayName: Partner {zone}\n  description: Order and shipment events, so that parcels are planned.\n  \
         authenticationMode:\n    type: PLAIN\n    serviceAccount: partner-{zone:05}\n  topics:\n"
    );
    let domain = zone % 97;
    let topics = (0..topics).map(|topic| {
        format!(
            "    - name: topic-{topic:02}\n      backingTopic: domain-{domain}.topic-{topic:02}.v1\n      permission: {permission}\n"
        )
    });
    std::iter::once(head).chain(topics).collect()
}
