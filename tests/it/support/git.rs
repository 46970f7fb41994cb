//! A throw-away Git repository: a bare one that is watched, and a clone to commit and push from. The `git` command sees
//! nothing of the machine's own configuration.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// The branch that everything happens on.
pub(crate) const BRANCH: &str = "main";

/// Both repositories; they go when this is dropped.
#[derive(Debug)]
pub(crate) struct Repository {
    root: TempDir,
}

impl Repository {
    /// An empty bare repository and its clone.
    pub(crate) fn new() -> Self {
        let repository = Self { root: TempDir::new().unwrap() };
        let at = repository.root.path();
        run(at, at, &["init", "--quiet", "--bare", "--initial-branch", BRANCH, "zones.git"]);
        run(at, at, &["clone", "--quiet", "zones.git", "clone"]);
        run(at, &repository.clone(), &["symbolic-ref", "HEAD", &format!("refs/heads/{BRANCH}")]);
        repository
    }

    /// The bare repository: the reconciler's `source.url`.
    pub(crate) fn url(&self) -> PathBuf {
        self.root.path().join("zones.git")
    }

    /// Where files are edited.
    pub(crate) fn clone(&self) -> PathBuf {
        self.root.path().join("clone")
    }

    /// Writes a file of the clone, with the folders on its way.
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.clone().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Removes a file of the clone.
    pub(crate) fn remove(&self, path: &str) {
        std::fs::remove_file(self.clone().join(path)).unwrap();
    }

    /// Commits everything in the clone, pushes it, and gives the commit's id.
    pub(crate) fn push(&self, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
        self.git(&["push", "--quiet", "--force", "origin", BRANCH]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Any git command in the bare repository; gives what it printed.
    pub(crate) fn bare(&self, arguments: &[&str]) -> String {
        run(self.root.path(), &self.url(), arguments)
    }

    /// Makes this script a hook of the bare repository.
    pub(crate) fn hook(&self, name: &str, script: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let file = self.url().join("hooks").join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) fn remove_hook(&self, name: &str) {
        std::fs::remove_file(self.url().join("hooks").join(name)).unwrap();
    }

    /// Any git command in the clone; gives what it printed.
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        run(self.root.path(), &self.clone(), arguments)
    }
}

fn run(home: &Path, folder: &Path, arguments: &[&str]) -> String {
    let person = [("NAME", "Test"), ("EMAIL", "test@example.com"), ("DATE", "2026-01-01T00:00:00Z")];
    let output = Command::new("git")
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", home)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .envs(person.map(|(name, value)| (format!("GIT_AUTHOR_{name}"), value)))
        .envs(person.map(|(name, value)| (format!("GIT_COMMITTER_{name}"), value)))
        .output()
        .unwrap_or_else(|e| panic!("git is needed: {e}"));
    assert!(
        output.status.success(),
        "git {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
