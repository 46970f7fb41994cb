//! `deploy/`: what the tools of its fields cannot see (`scripts/deploy-lint.sh` runs those). Every configuration that is shipped
//! is one that the binary takes, alerts name metrics that there are, and the parts of the compose file serve a partner.

mod compose;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use partner_zones::app::config::{self, Environment};
use regex::Regex;
use serde_json::Value;
use tempfile::TempDir;

fn shipped(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(path)
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// The configurations: files of that name, and those in the values of the Helm chart.
fn configurations() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for path in files(&shipped("")) {
        let text = || std::fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let shown = path.display().to_string();
        if name == "reconciler.yaml" {
            found.push((shown, text()));
        } else if name.ends_with("values.yaml") {
            let values: Value = serde_yaml::from_str(&text()).unwrap();
            found.push((shown, values["config"].as_str().unwrap().to_owned()));
        }
    }
    found
}

/// The configuration as a file, and its secrets as files that there are.
fn installed(configuration: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let secret = Regex::new(r"(/run/secrets|/etc/partner-zones/secrets)((?:/[\w.-]+)+)").unwrap();
    for found in secret.captures_iter(configuration) {
        let path = folder.path().join(found[2].trim_start_matches('/'));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "what stands for a secret, of thirty-two bytes and more").unwrap();
    }
    let moved = secret.replace_all(configuration, format!("{}$2", folder.path().display()));
    let path = folder.path().join("reconciler.yaml");
    std::fs::write(&path, moved.as_bytes()).unwrap();
    (folder, path)
}

/// Of a plan that needs no network: 2 is a configuration that is not taken.
fn exit_code(configuration: &str) -> (Option<i32>, String) {
    let (folder, path) = installed(configuration);
    let zones = folder.path().join("zones");
    std::fs::create_dir(&zones).unwrap();
    std::fs::write(zones.join("README.md"), "No zones yet.\n").unwrap();
    let ended = Command::new(env!("CARGO_BIN_EXE_reconciler"))
        .arg("--config")
        .arg(&path)
        .args(["plan", "--offline", "--zones"])
        .arg(&zones)
        .env_clear()
        .output()
        .unwrap();
    (ended.status.code(), String::from_utf8_lossy(&ended.stderr).into_owned())
}

#[test]
fn every_configuration_that_is_shipped_is_taken() {
    let configurations = configurations();
    assert!(configurations.len() >= 7, "{configurations:?}");
    for (shown, configuration) in configurations {
        let (code, said) = exit_code(&configuration);
        assert_eq!(code, Some(0), "{shown}: {said}");
        // What only a running node asks for.
        let (_folder, path) = installed(&configuration);
        let taken = config::load(Some(&path), &Environment::default()).unwrap();
        assert!(taken.source().is_ok() && taken.home().is_ok() && taken.advertised_host().is_ok(), "{shown}");
        // That this test can fail.
        let (code, said) = exit_code(&configuration.replacen("bootstrapServers:", "bootstrapServer:", 1));
        assert_eq!(code, Some(2), "{shown}: {said}");
    }
}

/// Names as metrics are registered: each prefix of a file with each name of that file.
fn registered() -> BTreeSet<String> {
    let prefix = Regex::new(r#"sub_registry_with_prefix\("(\w+)"\)"#).unwrap();
    let name = Regex::new(r#"\.register(?:_with_unit)?\(\s*"(\w+)""#).unwrap();
    let mut names = BTreeSet::new();
    for path in files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let source = std::fs::read_to_string(&path).unwrap_or_default();
        for prefix in prefix.captures_iter(&source) {
            names.extend(name.captures_iter(&source).map(|name| format!("{}_{}", &prefix[1], &name[1])));
        }
    }
    names
}

#[test]
fn alerts_name_metrics_that_there_are() {
    let registered = registered();
    let used = Regex::new(r"\b(?:partner_zones|gateway)_\w+").unwrap();
    let alerts = std::fs::read_to_string(shipped("prometheus/alerts.yaml")).unwrap();
    let used: BTreeSet<&str> = used.find_iter(&alerts).map(|found| found.as_str()).collect();
    assert!(used.len() >= 15, "{used:?}");
    for metric in used {
        // What the exposition adds to a counter, and to what has a unit.
        let counter = metric.strip_suffix("_total").unwrap_or(metric);
        let plain = counter.strip_suffix("_bytes").unwrap_or(counter);
        assert!(
            registered.contains(counter) || registered.contains(plain),
            "no part of the product registers {metric}"
        );
    }
}
