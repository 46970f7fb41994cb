//! `source`: where the zones are written, which of its files count, and how it is reached and trusted.

use std::path::PathBuf;
use std::time::Duration;

use super::resolve::{Reader, path};
use super::{OnHistoryRewrite, Source, parse};
use crate::reconcile::source::{Access, GitConfig, Limits, Verify};
use crate::reconcile::write_back::WriteBackMode;

pub(super) fn source(reader: &mut Reader<'_>) -> Option<Source> {
    let write_back = reader.or(&["source", "writeBack", "mode"], WriteBackMode::None, parse::write_back_mode);
    let reference = reader.or(&["source", "ref"], "refs/heads/main".to_owned(), parse::reference);
    let poll_interval = reader.or(&["source", "pollInterval"], Duration::from_secs(30), parse::interval);
    let on_history_rewrite =
        reader.or(&["source", "onHistoryRewrite"], OnHistoryRewrite::Refuse, parse::on_history_rewrite);
    let (paths, exclude) = selection(reader);
    let (access, verify, limits) = (access(reader), verify(reader), limits(reader));
    let webhook_secret_file = reader.optional(&["source", "webhook", "secretFile"], path);
    let url = reader.optional(&["source", "url"], parse::not_empty)?;
    let source = Source {
        url,
        reference,
        paths,
        exclude,
        access,
        verify,
        limits,
        webhook_secret_file,
        poll_interval,
        on_history_rewrite,
        write_back,
    };
    check(reader, &source);
    Some(source)
}

/// What the source itself would refuse is said here, with its place.
fn check(reader: &mut Reader<'_>, source: &Source) {
    let config = GitConfig {
        paths: source.paths.clone(),
        exclude: source.exclude.clone(),
        access: source.access.clone(),
        ..GitConfig::open(&source.url, &source.reference, ".", PathBuf::new())
    };
    if let Err(error) = crate::reconcile::source::Source::git(config)
        && let Some(setting) = reader.settings.get(&["source", "url"])
    {
        reader.problems.push(format!("{}: {error}", setting.place));
    }
}

/// Paths and excludes: the source's own, or those of the environment that is chosen here.
fn selection(reader: &mut Reader<'_>) -> (Vec<String>, Vec<String>) {
    let environments = ["source", "environments"];
    let own = [["source", "path"], ["source", "exclude"]];
    let chosen = reader.optional(&["source", "environment"], parse::not_empty);
    let first = reader.settings.names_below(&environments).into_iter().next();
    let Some(first) = first else {
        if let (Some(_), Some(setting)) = (&chosen, reader.settings.get(&["source", "environment"])) {
            reader.report(setting, "is set, but there are no `source.environments`");
        }
        let [paths, exclude] = own.map(|key| reader.list(&key));
        let is_set = reader.settings.get(&["source", "path"]).is_some();
        return (if is_set { paths } else { vec!["zones".to_owned()] }, exclude);
    };
    for key in own {
        if let Some(setting) = reader.settings.get(&key) {
            reader.report(setting, "has no effect beside `source.environments`: set it in each of them");
        }
    }
    let Some(chosen) = chosen else {
        reader.report(first, "is set, but `source.environment` does not say which environment this is");
        return (Vec::new(), Vec::new());
    };
    if reader.settings.get(&["source", "environments", &chosen, "path"]).is_none() {
        let setting = reader.settings.get(&["source", "environment"]).unwrap_or(first);
        reader.report(setting, &format!("is `{chosen}`, but `source.environments.{chosen}.path` is missing"));
    }
    let of = |reader: &mut Reader<'_>, key: &str| reader.list(&["source", "environments", &chosen, key]);
    (of(reader, "path"), of(reader, "exclude"))
}

fn access(reader: &mut Reader<'_>) -> Access {
    let mut file = |key: &str| reader.optional(&["source", "auth", key], path);
    Access {
        token_file: file("tokenFile"),
        ca_file: file("caFile"),
        ssh_key_file: file("sshKeyFile"),
        known_hosts_file: file("knownHostsFile"),
    }
}

fn verify(reader: &mut Reader<'_>) -> Verify {
    let (mode_at, keys_at) = (["source", "verify", "mode"], ["source", "verify", "keys"]);
    let modes = [("none", Mode::None), ("head", Mode::Head), ("range", Mode::Range)];
    let mode = reader.or(&mode_at, Mode::None, |text| parse::choice(text, &modes, &[]));
    let keys = reader.optional(&keys_at, path);
    match (mode, keys) {
        (Mode::None, None) => Verify::Nothing,
        (Mode::None, Some(_)) => {
            if let Some(setting) = reader.settings.get(&keys_at) {
                reader.report(setting, "has no effect: set `source.verify.mode` to head or range");
            }
            Verify::Nothing
        }
        (Mode::Head, Some(keys)) => Verify::Head(keys),
        (Mode::Range, Some(keys)) => Verify::Range(keys),
        (Mode::Head | Mode::Range, None) => {
            if let Some(setting) = reader.settings.get(&mode_at) {
                reader.report(
                    setting,
                    "is set, but `source.verify.keys`, the folder of public keys, is missing",
                );
            }
            Verify::Nothing
        }
    }
}

#[derive(Clone, Copy)]
enum Mode {
    None,
    Head,
    Range,
}

/// Files and their size are limited by what a manifest may be: they can only be made less.
fn limits(reader: &mut Reader<'_>) -> Limits {
    let default = Limits::default();
    let at = |key: &'static str| ["source", "limits", key];
    let files = |text: &str| parse::at_most(default.files, parse::count(text)?);
    let file_bytes = |text: &str| parse::at_most(default.file_bytes, parse::size(text)?);
    let fetch_time = |text: &str| parse::interval(text);
    Limits {
        files: reader.or(&at("files"), default.files, files),
        file_bytes: reader.or(&at("fileSize"), default.file_bytes, file_bytes),
        total_bytes: reader.or(&at("totalSize"), default.total_bytes, parse::size),
        fetch_bytes: reader.or(&at("fetchSize"), default.fetch_bytes, parse::size),
        fetch_time: reader.or(&at("fetchTime"), default.fetch_time, fetch_time),
        ..default
    }
}
