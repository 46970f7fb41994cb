//! A real Chromium without a window, used as people use one: by what is seen on a page, the mouse and the keyboard.
//!
//! It is spoken to in the DevTools protocol over a pair of pipes, which takes the two files below. The crates for it cost three
//! minutes of a cold build, most of it for a generated copy of the whole protocol.

mod checks;
mod devtools;
mod page;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use self::devtools::DevTools;
pub(crate) use self::page::{Page, named};
use super::kafka::script;
use super::process::Process;

/// Where pictures of pages are put.
pub(crate) const SCREENSHOTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/screenshots");

/// A running browser with a profile of its own.
#[derive(Debug)]
pub(crate) struct Browser {
    devtools: DevTools,
    process: Process,
    profile: tempfile::TempDir,
}

impl Browser {
    pub(crate) fn start() -> Self {
        let profile = tempfile::tempdir().unwrap();
        fs::create_dir(profile.path().join("downloads")).unwrap();
        let mut command = Command::new(script("browser.sh"));
        command.arg("run").env("HOME", profile.path());
        command.arg(format!("--user-data-dir={}", profile.path().display()));
        let (mut process, stdout) = Process::start_with_stdout("Chromium", &mut command);
        let devtools = DevTools::new(process.take_stdin().unwrap(), stdout);
        if let Err(reason) = devtools.ask(None, "Browser.getVersion", &json!({})) {
            panic!("Chromium does not start: {reason}\n{}", process.transcript());
        }
        Self { devtools, process, profile }
    }

    /// Somebody who looks at this site, with cookies of their own.
    pub(crate) fn visitor(&self, site: &str) -> Page<'_> {
        Page::open(self, site)
    }

    /// Where what is downloaded comes to lie.
    pub(crate) fn downloads(&self) -> PathBuf {
        self.profile.path().join("downloads")
    }

    /// The file of this name, once it is there as a whole.
    pub(crate) fn downloaded(&self, name: &str) -> String {
        let (path, deadline) = (self.downloads().join(name), Instant::now() + page::PATIENCE);
        while !Path::new(&path).exists() {
            assert!(Instant::now() < deadline, "{name} was not downloaded");
            thread::sleep(Duration::from_millis(20));
        }
        fs::read_to_string(path).unwrap()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        drop(self.devtools.ask(None, "Browser.close", &json!({})));
        let deadline = Instant::now() + Duration::from_secs(5);
        while !self.process.ended() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(10));
        }
        // Its children write to the profile for a moment after it; the folder's owner tries once only.
        for _ in 0..20 {
            if fs::remove_dir_all(self.profile.path()).is_ok() {
                break;
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
}
