//! The OpenAPI document against two tools that nobody here wrote: one knows what such a document is, the other (schemathesis) asks a
//! running product for everything that the document says can be asked, and for much that it says cannot.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::Value;

use crate::support::kafka::{Cluster, script, unique};
use crate::support::process::Process;
use crate::support::product::{Product, manifest};
use crate::support::rest::Rest;
use crate::writes::with_source;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/openapi.json");
const HINT_SECRET: &str = "a-secret-of-hints";
/// The first run in a checkout installs it.
const INSTALL: Duration = Duration::from_mins(5);
/// Half a minute where nothing else runs.
const ASK: Duration = Duration::from_mins(4);

/// Operations that have taken no request that was meant to be right: the end of a rollback is to be within 30 days of now, and so there is
/// none that could be ended; nobody knows a key to sign in with, and people have no other way here; what was deleted once is gone.
const NEVER_RIGHT: [&str; 8] = [
    "POST /controller/rollback",
    "DELETE /controller/rollback",
    "POST /sign-in",
    "POST /sign-in/oidc",
    "POST /sign-in/oidc/callback",
    "DELETE /api-keys/{id}",
    "DELETE /credentials/{key_id}",
    "DELETE /session",
];

fn prepare() {
    let mut prepare = Process::start("openapi.sh prepare", Command::new(script("openapi.sh")).arg("prepare"));
    assert!(prepare.wait(INSTALL).success(), "{}", prepare.transcript());
}

#[test]
fn the_document_is_openapi() {
    prepare();
    let output = Command::new(script("openapi.sh")).args(["validate", DOCUMENT]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// What a run is about: an admin key of its own, since each may make so many requests and no more, and things that it may use up.
struct Asking {
    url: String,
    key: String,
    variables: Vec<(&'static str, String)>,
}

impl Asking {
    fn of(product: &Product, rest: &Rest) -> Self {
        let made = |path: &str, body: &str| {
            rest.send(Method::POST, path, &[("content-type", "application/json")], body).expect(201)
        };
        let key = made("/api/v1/api-keys", r#"{"role": "admin"}"#);
        let spare = made("/api/v1/api-keys", r#"{"role": "viewer"}"#);
        let [rotated, revoked] = ["ROTATED", "REVOKED"].map(|name| (name, product.partner("keep").username));
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let spare = ("SPARE_API_KEY", text(&spare["id"]));
        let variables = vec![rotated, revoked, spare, ("HINT_SECRET", HINT_SECRET.to_owned())];
        Self { url: format!("{}/api/v1", product.url()), key: text(&key["key"]), variables }
    }

    /// Asks for what the options say, and gives whether all was well and what the run says of itself.
    fn ask(&self, document: &Path, options: &[&str]) -> (bool, Value, String) {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(script("openapi.sh"));
        command.arg("ask").arg(document).args(["--url", &self.url, "--no-color"]);
        command.args(["--report", "json", "--report-json-path", "report.json"]);
        command.args(options).current_dir(folder.path()).env("API_KEY", &self.key);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        let mut run = Process::start("schemathesis", &mut command);
        let is_well = run.wait(ASK).success();
        let report = fs::read(folder.path().join("report.json")).unwrap_or_default();
        (is_well, serde_json::from_slice(&report).unwrap_or_default(), run.transcript())
    }

    /// As [`ask`](Self::ask), and all has to be well. Gives how many operations were asked for, and those that took a request.
    fn find_true(&self, options: &[&str]) -> (u64, BTreeSet<String>) {
        let (is_well, report, transcript) = self.ask(Path::new(DOCUMENT), options);
        assert!(is_well && report["complete"] == true, "{transcript}");
        for warning in ["unsupported_regex", "method_not_allowed", "missing_auth", "dictionary_mismatch"] {
            assert_eq!(report["warnings"][warning], serde_json::json!([]), "{transcript}");
        }
        let taken = |phases: &Value| {
            phases.as_object().unwrap().values().any(|phase| phase["accepted"].as_u64().unwrap() > 0)
        };
        let rates = report["valid_rates"].as_object().unwrap().iter();
        let taken = rates.filter(|(_, phases)| taken(phases)).map(|(operation, _)| operation.clone());
        (report["operations"]["tested"].as_u64().unwrap(), taken.collect())
    }
}

/// A product with a zone that stays, and one topic to share.
fn product(folder: &Path) -> Product {
    let topic = unique("asked");
    Cluster::shared().create_topic(&topic, 1);
    let secret = folder.join("hint-secret");
    fs::write(&secret, HINT_SECRET).unwrap();
    let source = format!("writeBack: {{mode: commit}}, webhook: {{secretFile: {}}}", secret.display());
    let product =
        with_source(&source, "", &[("keep.yaml", &manifest("keep", &[("orders", &topic, "READ")]))]);
    product.wait_for_status("keep", "READY");
    product
}

#[test]
fn a_stranger_who_has_read_the_document_finds_that_it_is_true() {
    prepare();
    let folder = tempfile::tempdir().unwrap();
    let product = product(folder.path());
    let rest = Rest::admin(&product);
    let begun = Instant::now();
    let [of_zones, of_others] = [(), ()].map(|()| Asking::of(&product, &rest));
    let (zones, mut others) = thread::scope(|scope| {
        let zones = scope.spawn(|| of_zones.find_true(&["--include-tag", "zones"]));
        let others = of_others.find_true(&["--exclude-tag-regex", "^(zones|controller)$"]);
        (zones.join().unwrap(), others)
    });
    // What is suspended meanwhile would be waited for.
    // Nothing of the controller is about something that another request has made: it has no links to follow.
    let phases = ["--include-tag", "controller", "--phases", "examples,coverage,fuzzing"];
    let controller = of_others.find_true(&phases);
    eprintln!("asked for {:?}", begun.elapsed());

    let told: Value = serde_json::from_slice(&fs::read(DOCUMENT).unwrap()).unwrap();
    assert_eq!(rest.get("/api/v1/openapi.json").expect(200), told, "what is served is what is committed");
    let methods = |(path, methods): (&String, &Value)| {
        let path = path.clone();
        let names =
            methods.as_object().unwrap().keys().map(|method| method.to_uppercase()).collect::<Vec<_>>();
        names.into_iter().map(move |method| format!("{method} {path}"))
    };
    let mut wanted: BTreeSet<_> = told["paths"].as_object().unwrap().iter().flat_map(methods).collect();
    assert!(wanted.remove("GET /events"), "it has no end, and is left out");
    assert_eq!(zones.0 + others.0 + controller.0, wanted.len() as u64);
    others.1.extend(zones.1.into_iter().chain(controller.1));
    let never: Vec<_> = wanted.difference(&others.1).map(String::as_str).collect();
    assert_eq!(BTreeSet::from_iter(never), BTreeSet::from(NEVER_RIGHT), "no request was right for them");
    // Whatever was asked, it still serves.
    assert!(product.is_ready());
    assert_eq!(rest.get("/api/v1/zones/keep").expect(200)["status"]["phase"], "READY");

    // Of a document that is not true it is told.
    let mut wrong = told;
    wrong["components"]["schemas"]["NodeList"]["properties"]["sequence"]["type"] = "string".into();
    let file = folder.path().join("wrong.json");
    fs::write(&file, wrong.to_string()).unwrap();
    let (is_well, report, transcript) = of_others.ask(&file, &["--include-operation-id", "listNodes"]);
    assert!(!is_well && report["failures"].as_array().is_some_and(|them| !them.is_empty()), "{transcript}");
}
