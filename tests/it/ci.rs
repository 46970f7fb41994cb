//! `deploy/ci`: the commands of the ready workflows are run, with the real binary, in a repository like those they are for.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::git::Repository;
use crate::support::outside::{Outside, TOKEN};

const FORK: &str = "github.event.pull_request.head.repo.fork";

fn deployed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/ci").join(name)
}

fn yaml(name: &str) -> Value {
    serde_yaml::from_str(&std::fs::read_to_string(deployed(name)).unwrap()).unwrap()
}

fn zone(name: &str, permission: &str) -> String {
    format!(
        "apiVersion: v2\nkind: PartnerZone\nmetadata:\n  name: {name}\nspec:\n  cluster: gateway\n  displayName: {name}\n  \
         authenticationMode: {{type: PLAIN, serviceAccount: {name}}}\n  topics:\n    - name: orders\n      \
         backingTopic: orders-v1\n      permission: {permission}\n"
    )
}

/// A repository whose `main` has one zone, and whose work tree is a change that adds another and tries to decide its own checks:
/// under its configuration no zone would be right.
struct Fixture {
    repository: Repository,
    base: String,
    temp: TempDir,
}

impl Fixture {
    fn new(permission: &str) -> Self {
        let repository = Repository::new();
        repository.write("reconciler.yaml", "gateway: {name: gateway}\n");
        repository.write("zones/acme.yaml", zone("acme", "READ"));
        let base = repository.push("Share orders with acme");
        repository.git(&["checkout", "--quiet", "-b", "change"]);
        repository.write("zones/beta.yaml", zone("beta", permission));
        repository.write("reconciler.yaml", "gateway: {name: forged}\n");
        repository.git(&["add", "--all"]);
        repository.git(&["commit", "--quiet", "--message", "Share orders with beta"]);
        Self { repository, base, temp: tempfile::tempdir().unwrap() }
    }

    fn file(&self, name: &str) -> String {
        let path = self.repository.clone().join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Runs a script as CI servers do, with these variables and none of the machine's own but PATH.
    fn run(&self, script: &str, variables: &[(&str, &str)]) -> (i32, String) {
        let binaries = Path::new(env!("CARGO_BIN_EXE_reconciler")).parent().unwrap();
        let path = std::env::var("PATH").unwrap();
        let path = format!("{}:{path}", binaries.display());
        let ended = Command::new("bash")
            .args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script])
            .current_dir(self.repository.clone())
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.temp.path())
            .env("CI", "true")
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (ended.status.code().unwrap(), text(&ended.stdout) + &text(&ended.stderr))
    }
}

/// What a controller with no zone answers.
const STATE: &str = r#"{"sequence": 1, "revision": null, "zones": [], "planning": {"homeClusterId": "c1", "guards":
    {"maxDeletePercent": 30, "maxUpdatePercent": 30, "floor": 10}, "selfHeal": "correct", "principals": []}}"#;

/// A controller whose state holds no zone, as far as `plan --url` asks. Ends with the process.
fn controller() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let read = stream.read(&mut request).unwrap();
            let is_state = request[..read].starts_with(b"GET /api/v1/state ");
            let authorised =
                String::from_utf8_lossy(&request[..read]).to_lowercase().contains("bearer viewer");
            let (status, body) = match (is_state, authorised) {
                (true, true) => ("200 OK", STATE),
                (true, false) => ("401 Unauthorized", "{}"),
                (false, _) => ("404 Not Found", "{}"),
            };
            let answer = format!(
                "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    address
}

/// The steps of the GitHub workflow that run a script, for a pull request of a fork or of the repository itself.
fn github_steps(fork: bool) -> Vec<(String, String, BTreeMap<String, String>)> {
    let workflow = yaml("github-actions.yml");
    let steps = workflow["jobs"]["zones"]["steps"].as_array().unwrap();
    let wanted = |step: &&Value| {
        let condition = step["if"].as_str().unwrap_or_default();
        let (only_own, mentions) = (condition.contains(&format!("!{FORK}")), condition.contains(FORK));
        step["run"].is_string() && (!mentions || only_own != fork)
    };
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let env = |step: &Value| {
        let env = step["env"].as_object().cloned().unwrap_or_default();
        env.iter().map(|(name, value)| (name.clone(), text(value))).collect()
    };
    steps.iter().filter(wanted).map(|step| (text(&step["name"]), text(&step["run"]), env(step))).collect()
}

/// Runs them all, as with `!cancelled()`: exit codes by the step's name, and all that was printed.
fn run_github(fixture: &Fixture, outside: &Outside, fork: bool) -> (BTreeMap<String, i32>, String) {
    let (clone, temp) = (fixture.repository.clone(), fixture.temp.path().to_owned());
    let summary = temp.join("summary.md");
    let (url, api) = (controller(), outside.url());
    let (mut codes, mut printed) = (BTreeMap::new(), String::new());
    for (name, script, asked) in github_steps(fork) {
        let mut variables = vec![
            ("BASE", fixture.base.as_str()),
            ("NUMBER", "7"),
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_API_URL", api.as_str()),
            ("GITHUB_REPOSITORY", "streams/zones"),
            ("GITHUB_WORKSPACE", clone.to_str().unwrap()),
            ("RUNNER_TEMP", temp.to_str().unwrap()),
            ("GITHUB_STEP_SUMMARY", summary.to_str().unwrap()),
        ];
        for variable in asked.keys() {
            variables.push(match variable.as_str() {
                "RECONCILER_URL" => ("RECONCILER_URL", url.as_str()),
                "RECONCILER_API_KEY" => ("RECONCILER_API_KEY", "viewer"),
                "TOKEN" => ("TOKEN", TOKEN),
                other => panic!("{name} asks for {other}"),
            });
        }
        let (code, out) = fixture.run(&script, &variables);
        codes.insert(name, code);
        printed.push_str(&out);
    }
    (codes, printed)
}

#[test]
fn a_pull_request_is_validated_and_planned_under_the_configuration_of_its_base() {
    let (fixture, outside) = (Fixture::new("READ"), Outside::start());
    let (codes, printed) = run_github(&fixture, &outside, false);
    let wanted = [("Configuration of the base branch", 0), ("Plan", 0), ("Validate", 0)];
    assert_eq!(codes, wanted.map(|(name, code)| (name.to_owned(), code)).into(), "{printed}");
    assert!(printed.contains("Plan: 4 to add, 0 to change, 0 to delete"), "{printed}");
    run_github(&fixture, &outside, false);
    let told = outside.told();
    assert_eq!((told.comments.len(), told.refused), (1, 0), "edited in place");
    assert_eq!(told.comments[&1], fixture.file("plan.md"));
    assert!(told.comments[&1].starts_with("<!-- partner-zones: reconciler -->\n"));
    let plan: Value = serde_json::from_str(&fixture.file("plan.json")).unwrap();
    let (add, drift) = (&plan["summary"]["add"], &plan["summary"]["drift"]);
    assert_eq!((&plan["mode"], add, drift), (&"live".into(), &4.into(), &2.into()), "acme was wanted before");
    let sarif: Value = serde_json::from_str(&fixture.file("zones.sarif")).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    let summary = std::fs::read_to_string(fixture.temp.path().join("summary.md")).unwrap();
    assert!(summary.contains("2 valid zones in 2 files") && summary.contains("Plan: 4 to add"), "{summary}");
}

#[test]
fn a_bad_zone_fails_the_check_and_is_shown_at_its_line() {
    let (fixture, outside) = (Fixture::new("read"), Outside::start());
    let (codes, printed) = run_github(&fixture, &outside, false);
    assert_eq!((codes["Validate"], codes["Plan"]), (1, 1), "{printed}");
    assert!(outside.told().comments[&1].contains("PZ0104"), "the comment says it too");
    let annotation = "::error file=zones/beta.yaml,line=12,col=19,title=PZ0104 ";
    assert!(printed.lines().any(|line| line.starts_with(annotation)), "{printed}");
    let xml = fixture.file("zones.xml");
    assert!(xml.contains("failures=\"1\"") && xml.contains("name=\"zones/acme.yaml\"></testcase>"), "{xml}");
}

#[test]
fn a_fork_is_planned_offline_without_any_credential() {
    let steps = github_steps(true);
    assert!(steps.iter().all(|(_, _, asked)| asked.is_empty()), "{steps:?}");
    let (fixture, outside) = (Fixture::new("READ"), Outside::start());
    let (codes, printed) = run_github(&fixture, &outside, true);
    assert_eq!((outside.told().comments.len(), outside.told().refused), (0, 0));
    let wanted = [("Configuration of the base branch", 0), ("Plan offline", 0), ("Validate", 0)];
    assert_eq!(codes, wanted.map(|(name, code)| (name.to_owned(), code)).into(), "{printed}");
    assert!(printed.contains("OFFLINE") && fixture.file("plan.md").contains("OFFLINE"), "{printed}");
    let plan: Value = serde_json::from_str(&fixture.file("plan.json")).unwrap();
    assert_eq!((&plan["mode"], &plan["summary"]["add"]), (&"offline".into(), &2.into()), "beta is new");
}

#[test]
fn the_github_workflow_gives_strangers_nothing() {
    let workflow = yaml("github-actions.yml");
    let events: Vec<_> = workflow["on"].as_object().unwrap().keys().collect();
    assert_eq!(events, ["pull_request"], "pull_request_target would run a stranger's files with our secrets");
    assert_eq!(workflow["permissions"], serde_json::json!({"contents": "read"}));
    for step in workflow["jobs"]["zones"]["steps"].as_array().unwrap() {
        let script = step["run"].as_str().unwrap_or_default();
        assert!(!script.contains("${{"), "an expression in a script can be written by a stranger: {script}");
        let own_only = step["if"].as_str().is_some_and(|condition| condition.contains(&format!("!{FORK}")));
        assert!(own_only || !step["env"].to_string().contains("${{"), "{step}");
    }
}

/// The scripts of a GitLab job, with what it inherits.
fn gitlab_script(job: &str) -> String {
    let pipeline = yaml("gitlab-ci.yml");
    let lines = |value: &Value| -> Vec<String> {
        value.as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(pipeline[job]["extends"], ".partner-zones");
    let before = lines(&pipeline[".partner-zones"]["before_script"]);
    [before, lines(&pipeline[job]["script"])].concat().join("\n")
}

/// With the variables that GitLab sets, and with the image's name, which is one too.
fn run_gitlab(fixture: &Fixture, job: &str, more: &[(&str, &str)]) -> (i32, String) {
    let temp = fixture.temp.path().to_str().unwrap();
    let pipeline = yaml("gitlab-ci.yml");
    let image = pipeline[".partner-zones"]["image"].as_str().unwrap().trim_start_matches('$').to_owned();
    let variables = [
        ("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "main"),
        ("CI_MERGE_REQUEST_IID", "7"),
        ("CI_PROJECT_PATH", "company/streams/zones"),
        ("CI_API_V4_URL", "http://127.0.0.1:1/api/v4"),
        ("CI_BUILDS_DIR", temp),
        (&image, "registry.example.com/reconciler"),
    ];
    fixture.run(&gitlab_script(job), &[&variables, more].concat())
}

#[test]
fn a_merge_request_is_validated_and_planned_in_gitlab() {
    let fixture = Fixture::new("READ");
    let (code, printed) = run_gitlab(&fixture, "partner-zones-validate", &[]);
    assert!(code == 0 && !printed.contains("::"), "{printed}");
    assert_eq!(fixture.file("gl-code-quality.json"), "[]\n");

    let (url, key) = (controller(), "viewer");
    let (code, printed) =
        run_gitlab(&fixture, "partner-zones-plan", &[("RECONCILER_URL", &url), ("RECONCILER_API_KEY", key)]);
    assert!(code == 0 && printed.ends_with("Plan: 4 to add, 0 to change, 0 to delete\n"), "{printed}");
    let (code, printed) = run_gitlab(&fixture, "partner-zones-plan-offline", &[]);
    assert!(code == 0 && printed.contains("OFFLINE") && printed.contains("Plan: 2 to add"), "{printed}");

    let bad = Fixture::new("read");
    let (code, _) = run_gitlab(&bad, "partner-zones-validate", &[]);
    let issues: Value = serde_json::from_str(&bad.file("gl-code-quality.json")).unwrap();
    assert_eq!((code, &issues[0]["check_name"]), (1, &"PZ0104".into()));
    assert_eq!(issues[0]["location"], serde_json::json!({"path": "zones/beta.yaml", "lines": {"begin": 12}}));
}

#[test]
fn a_merge_request_has_one_comment_where_there_is_a_token() {
    let (fixture, outside, url) = (Fixture::new("READ"), Outside::start(), controller());
    let api = format!("{}/api/v4", outside.url());
    let token = fixture.temp.path().join("PARTNER_ZONES_TOKEN");
    std::fs::write(&token, TOKEN).unwrap();
    let mut variables =
        vec![("RECONCILER_URL", url.as_str()), ("RECONCILER_API_KEY", "viewer"), ("CI_API_V4_URL", &api)];
    let (code, printed) = run_gitlab(&fixture, "partner-zones-plan", &variables);
    assert_eq!((code, outside.told().comments.len()), (0, 0), "{printed}");
    variables.push(("PARTNER_ZONES_TOKEN", token.to_str().unwrap()));
    for _ in 0..2 {
        let (code, printed) = run_gitlab(&fixture, "partner-zones-plan", &variables);
        assert_eq!(code, 0, "{printed}");
        let told = outside.told();
        assert_eq!((told.comments.len(), told.refused), (1, 0));
        assert_eq!(told.comments[&1], fixture.file("plan.md"));
    }
    // Where nothing is written, the token is of no use.
    for job in ["partner-zones-validate", "partner-zones-plan-offline"] {
        let (code, printed) = run_gitlab(&fixture, job, &variables);
        assert_eq!(code, 0, "{job}: {printed}");
        assert!(!gitlab_script(job).contains("TOKEN"), "{job}");
    }
}

#[test]
fn only_jobs_for_the_project_itself_plan_against_live_state() {
    let pipeline = yaml("gitlab-ci.yml");
    for (job, own) in [("partner-zones-plan", true), ("partner-zones-plan-offline", false)] {
        let rule = pipeline[job]["rules"][0]["if"].as_str().unwrap();
        let compared = if own { "==" } else { "!=" };
        assert!(
            rule.contains(&format!("$CI_MERGE_REQUEST_SOURCE_PROJECT_ID {compared} $CI_PROJECT_ID")),
            "{rule}"
        );
        assert_eq!(gitlab_script(job).contains("--offline"), !own);
    }
}

#[test]
fn a_commit_is_checked_as_it_is_staged() {
    let fixture = Fixture::new("READ");
    // In a person's own clone the configuration is a right one.
    fixture.repository.write("reconciler.yaml", "gateway: {name: gateway}\n");
    let hook = fixture.repository.clone().join(".git/hooks/pre-commit");
    std::fs::copy(deployed("pre-commit"), &hook).unwrap();
    let commit =
        "git add --all && git -c user.name=Test -c user.email=test@example.com commit --quiet --message x";
    let (code, printed) = fixture.run(commit, &[]);
    assert_eq!(code, 0, "no zone is part of it: {printed}");

    fixture.repository.write("zones/gamma.yaml", zone("gamma", "read"));
    let (code, printed) = fixture.run(commit, &[]);
    assert!(code == 1 && printed.contains("zones/gamma.yaml:12:19"), "{printed}");
    // What is staged counts, not what lies beside it.
    fixture.repository.write("zones/gamma.yaml", zone("gamma", "READ"));
    fixture.repository.git(&["add", "--all"]);
    fixture.repository.write("zones/gamma.yaml", zone("gamma", "read"));
    let (code, printed) = fixture.run(&commit.replace("git add --all && ", ""), &[]);
    assert_eq!(code, 0, "{printed}");

    let framework = yaml("pre-commit-config.yaml");
    let entry = framework["repos"][0]["hooks"][0]["entry"].as_str().unwrap();
    let (code, printed) = fixture.run(&format!("{entry} zones/gamma.yaml"), &[]);
    assert_eq!(code, 1, "{printed}");
}
