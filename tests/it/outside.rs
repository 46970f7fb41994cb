//! The daemon and those around it: a Git server over https that says when something was pushed, a forge that shows how a commit
//! fares, a receiver of notices. All of it with the binary, on real Kafka, and with a `kill -9` between any two steps.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Output};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::git::Repository;
use crate::support::git_https::GitHttps;
use crate::support::kafka::Cluster;
use crate::support::outside::{Outside, SECRET, TOKEN, Told, signature};
use crate::support::process::Process;
use crate::support::product::{free_ports, manifest};
use crate::support::reconciler::{await_ok, get, reconciler};

/// A start, a take-over and a run, on a busy machine.
const PATIENCE: Duration = Duration::from_mins(2);
/// What would have happened by then, had it been asked for.
const NOTHING_HAPPENS: Duration = Duration::from_millis(1_500);
const HINT_SECRET: &str = "the secret of the forge's hook";
const PULL: &str = "7";
const MARKER: &str = "<!-- partner-zones: reconciler -->\n";

struct Installation {
    kafka: Cluster,
    repository: Repository,
    server: GitHttps,
    outside: Outside,
    folder: TempDir,
    http: u16,
    process: Option<Process>,
    /// Serves Git.
    _runtime: tokio::runtime::Runtime,
}

impl Installation {
    fn new() -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let repository = Repository::new();
        let server = runtime.block_on(GitHttps::start(repository.url().parent().unwrap()));
        let kafka = Cluster::private_with(1, &["group.initial.rebalance.delay.ms=0"]);
        let (folder, http) = (tempfile::tempdir().unwrap(), free_ports(1));
        for (name, secret) in [("token", TOKEN), ("notices", SECRET), ("hints", HINT_SECRET)] {
            fs::write(folder.path().join(name), secret).unwrap();
        }
        let outside = Outside::start();
        let installation =
            Self { kafka, repository, server, outside, folder, http, process: None, _runtime: runtime };
        installation.configure("github", "", "streams/zones");
        installation
    }

    fn configure(&self, forge: &str, api: &str, repository: &str) {
        let configuration = format!(
            "source: {{url: '{source}', path: zones, pollInterval: 1h, auth: {{caFile: '{ca}'}}, webhook: {{secretFile: '{folder}/hints'}}}}\n\
             clusters: {{default: {{bootstrapServers: '{kafka}', isolation: shared}}}}\n\
             http: {{admin: '127.0.0.1:{http}', bootstrapKeyFile: '{folder}/api-key'}}\n\
             forge: {{kind: {forge}, url: '{outside}{api}', repository: {repository}, tokenFile: '{folder}/token'}}\n\
             notify: {{webhook: {{url: '{outside}/hook', secretFile: '{folder}/notices'}}}}\n\
             dataDir: '{folder}/data'\nstore: kafka\n",
            source = self.server.url("zones.git"),
            ca = self.server.ca_file().display(),
            kafka = self.kafka.bootstrap(),
            http = self.http,
            outside = self.outside.url(),
            folder = self.folder.path().display(),
        );
        fs::write(self.folder.path().join("reconciler.yaml"), configuration).unwrap();
    }

    /// Kills it if it runs, starts it, and waits until it leads and has looked at the source as the one that does.
    fn start(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
            self.kafka.evict("_partner-zones.leader");
        }
        let mut process = reconciler(self.folder.path(), &["run", "--role", "controller"]);
        await_ok(&mut process, &self.address(), "/readyz", PATIENCE);
        process.wait_for_line("this node leads", PATIENCE);
        self.process = Some(process);
        self.looked(|| assert_eq!(self.signed_hint(), 202));
    }

    /// Waits until `ask` has made it look at the source, and what it had to tell was told.
    fn looked(&self, ask: impl FnOnce()) {
        self.server.requests();
        ask();
        let deadline = Instant::now() + PATIENCE;
        while self.server.requests().is_empty() {
            assert!(Instant::now() < deadline, "the source was not looked at");
            sleep(Duration::from_millis(20));
        }
        sleep(NOTHING_HAPPENS);
        self.settled();
    }

    /// Waits until the state has no letter that is not known to be sent.
    fn settled(&self) {
        let deadline = Instant::now() + PATIENCE;
        let waiting = || get(&self.address(), "/metrics").unwrap().1;
        while !waiting().contains("\npartner_zones_outbox_waiting 0\n") {
            assert!(Instant::now() < deadline, "{}", waiting());
            sleep(Duration::from_millis(50));
        }
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.http)
    }

    /// Commits the one zone and gives the commit's id; `may` makes the file good or bad.
    fn push(&self, backing: &str, may: &str) -> String {
        self.repository.write("zones/acme.yaml", manifest("acme", &[("orders", backing, may)]));
        self.repository.push(&format!("Share {backing}"))
    }

    /// The status of the answer to a hint.
    fn hint(&self, signature: Option<&str>, body: &[u8]) -> u16 {
        let mut stream = TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let signature =
            signature.map(|it| format!("X-Hub-Signature-256: sha256={it}\r\n")).unwrap_or_default();
        let head = format!(
            "POST /api/v1/source/hint HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n{signature}\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        // It may be answered before all of it was read.
        let _ = stream.write_all(body);
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        std::str::from_utf8(&answer[9..]).unwrap().parse().unwrap()
    }

    fn signed_hint(&self) -> u16 {
        self.hint(Some(&signature(HINT_SECRET, b"{}")), b"{}")
    }

    /// Pushes, hints, and waits until the forge shows the commit in this state.
    fn push_until(&self, state: &str, backing: &str, may: &str) -> String {
        let commit = self.push(backing, may);
        assert_eq!(self.signed_hint(), 202);
        self.shows(&commit, state);
        commit
    }

    fn shows(&self, commit: &str, state: &str) {
        self.outside.wait_for(&format!("{commit} is {state}"), PATIENCE, |told| {
            counted(told).contains_key(&(commit.to_owned(), state.to_owned()))
        });
        self.settled();
    }

    /// `reconciler` on this configuration.
    fn cli(&self, arguments: &[&str]) -> Output {
        let folder = self.folder.path();
        let output = Command::new(env!("CARGO_BIN_EXE_reconciler"))
            .args(arguments)
            .current_dir(folder)
            .env("RECONCILER_API_KEY", fs::read_to_string(folder.join("api-key")).unwrap().trim())
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output
    }

    /// The one comment, after a plan of a commit that nobody was told of; and that commit.
    fn comment(&self, backing: &str) -> (u64, String, String) {
        let commit = self.push(backing, "READ");
        self.cli(&["plan", "--comment", PULL]);
        let comments = self.outside.told().comments;
        assert_eq!(comments.len(), 1, "{comments:?}");
        let (number, text) = comments.into_iter().next().unwrap();
        (number, text, commit)
    }
}

/// How often the forge was told what of which commit.
fn counted(told: &Told) -> BTreeMap<(String, String), usize> {
    let mut counted = BTreeMap::new();
    for (commit, body) in &told.statuses {
        *counted.entry((commit.clone(), body["state"].as_str().unwrap().to_owned())).or_default() += 1;
    }
    counted
}

#[test]
fn a_push_is_hinted_at_applied_and_told_once_to_each_although_the_controller_is_killed() {
    let mut site = Installation::new();
    let first = site.push("orders-v1", "READ");
    site.start();
    site.shows(&first, "success");
    let second = site.push("orders-v2", "READ");
    only_the_forge_is_listened_to(&site);
    site.shows(&second, "success");
    site.start();
    site.cli(&["suspend", "acme", "--reason", "incident 4711"]);
    let third = site.push_until("pending", "orders-v3", "READ");
    site.start();
    site.cli(&["resume", "acme"]);
    site.shows(&third, "success");
    let fourth = site.push_until("failure", "orders-v4", "read");
    site.start();
    let fifth = one_comment_is_edited_in_place(&site);
    // The other forge, in its own words.
    site.configure("gitlab", "/api/v4", "company/streams/zones");
    site.start();
    site.shows(&fifth, "success");
    let sixth = site.push_until("success", "orders-v6", "READ");
    site.start();
    one_comment_is_edited_in_place(&site);

    let told = site.outside.told();
    let wanted = [
        (&first, "success"),
        (&second, "success"),
        (&third, "pending"),
        (&third, "success"),
        (&fourth, "failure"),
        (&fifth, "success"),
        (&sixth, "success"),
    ];
    let wanted = wanted.map(|(commit, state)| ((commit.clone(), state.to_owned()), 1));
    assert_eq!(counted(&told), wanted.into(), "{:#?}", told.statuses);
    assert_eq!(told.statuses.last().unwrap().1["name"], "partner-zones", "as GitLab calls it");
    notices_are_signed_and_come_once(&told, &fourth, &fifth);
    hints_are_limited(&site);
}

/// With an hour between two polls.
fn only_the_forge_is_listened_to(site: &Installation) {
    site.server.requests();
    let wrong = signature("the secret of somebody else's", b"{}");
    assert_eq!(site.hint(None, b"{}"), 401);
    assert_eq!(site.hint(Some(&wrong), b"{}"), 401);
    let large = vec![b' '; (1 << 20) + 1];
    assert_eq!(site.hint(Some(&signature(HINT_SECRET, &large)), &large), 413);
    sleep(NOTHING_HAPPENS);
    assert_eq!(site.server.requests(), Vec::<String>::new(), "nobody who may has asked for it");
    assert_eq!(site.signed_hint(), 202);
}

/// By everybody who signs, and by everybody who does not.
fn hints_are_limited(site: &Installation) {
    let begun = Instant::now();
    let taken = (0..30).filter(|_| site.signed_hint() == 202).count();
    let most = 11 + begun.elapsed().as_secs();
    assert!(taken >= 1 && u64::try_from(taken).unwrap() <= most, "{taken} in {:?}", begun.elapsed());
    let refused: Vec<u16> = (0..30).map(|_| site.hint(None, b"{}")).collect();
    assert!(refused.contains(&429) && !refused.contains(&202), "{refused:?}");
}

/// Gives the last commit of those that it shows.
fn one_comment_is_edited_in_place(site: &Installation) -> String {
    let (number, text, _) = site.comment("bills-v1");
    assert!(text.starts_with(MARKER) && text.contains("bills-v1"), "{text}");
    let (again, text, commit) = site.comment("bills-v2");
    assert!(text.starts_with(MARKER) && text.contains("bills-v2") && !text.contains("bills-v1"), "{text}");
    assert_eq!(again, number);
    commit
}

fn notices_are_signed_and_come_once(told: &Told, bad: &str, good: &str) {
    assert_eq!(told.refused, 0, "every post had its token or its signature");
    let text = |notice: &Value, key: &str| notice[key].as_str().unwrap_or("-").to_owned();
    let mut counted = BTreeMap::new();
    for notice in &told.notices {
        let key = ["zone", "reason", "revision"].map(|key| text(notice, key));
        *counted.entry(key).or_insert(0) += 1;
    }
    assert!(counted.values().all(|number| *number == 1), "{counted:#?}");
    for (zone, reason, commit) in
        [("acme", "PZ0104", bad), ("-", "InvalidFiles", bad), ("-", "Recovered", good)]
    {
        let key = [zone.to_owned(), reason.to_owned(), format!("main@sha1:{commit}")];
        assert!(counted.contains_key(&key), "{key:?} of {counted:#?}");
    }
}
