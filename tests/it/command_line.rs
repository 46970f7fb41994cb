//! The command line's own conveniences, as they are typed: completions, profiles, tables that follow what changes.

use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use partner_zones::kafka::tls::{certificates, private_key, provider};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use crate::support::certificates::Authority;
use crate::support::kafka::{Cluster, unique};
use crate::support::process::{Process, Stream};
use crate::support::product::{Product, Setup, manifest};
use crate::support::reconciler::reconciler;
use crate::writes::zone;

const SOON: Duration = Duration::from_secs(45);

/// The binary in a home of its own.
fn run(home: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reconciler"));
    command.args(arguments).current_dir(home).env_clear().env("HOME", home).envs(variables.iter().copied());
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.code().unwrap(), String::from_utf8([stdout, stderr].concat()).unwrap())
}

#[test]
fn bash_takes_the_script_that_completes_and_completes_by_it() {
    let home = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (code, script) = run(home.path(), &["completions", shell], &[]);
        assert!(code == 0 && script.contains("reconciler") && script.len() > 1000, "{shell}: {script}");
        fs::write(home.path().join(shell), script).unwrap();
    }
    let bash = |arguments: &[&str]| {
        let output = Command::new("bash").args(arguments).current_dir(home.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    bash(&["-n", "bash"]);
    let asked = "source ./bash; COMP_WORDS=(reconciler zone te); COMP_CWORD=2; _reconciler reconciler te zone; echo \"${COMPREPLY[@]}\"";
    assert_eq!(bash(&["--norc", "-c", asked]).trim(), "test");
    assert_eq!(run(home.path(), &["completions", "cmd"], &[]).0, 2);
}

/// What `run` is given as a profile named `here`.
fn write_profile(home: &Path, text: &str) {
    let folder = home.join(".config/partner-zones");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("profiles.yaml"), text).unwrap();
}

#[test]
fn a_profile_names_the_server_and_its_key_and_a_watched_table_follows_it() {
    let backing = unique("orders");
    Cluster::shared().create_topic(&backing, 1);
    let zone = |name: &str| manifest(name, &[("orders", &backing, "READ")]);
    let mut product = Product::start(Cluster::shared(), Setup::MEMORY, &[("acme.yaml", &zone("acme"))]);
    product.wait_for_status("acme", "READY");

    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    let key = home.join(".config/partner-zones/key");
    write_profile(home, &format!("here: {{url: '{}', apiKeyFile: key}}\n", product.url()));
    fs::write(&key, format!("{}\n", product.admin_key())).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let get = ["get", "zones", "-o", "name"];
    // Beside the server nothing has to be named: its configuration says where it is, and where its first key.
    let config = product.config();
    let beside = [&["--config", config.to_str().unwrap()], &get[..]].concat();
    assert_eq!(run(home, &beside, &[]), (0, "acme\n".to_owned()));
    let by_flag = [&get[..], &["--profile", "here"]].concat();
    assert_eq!(run(home, &by_flag, &[]), (0, "acme\n".to_owned()));
    assert_eq!(run(home, &get, &[("RECONCILER_PROFILE", "here")]), (0, "acme\n".to_owned()));
    // A flag comes first, then the environment.
    let (code, said) = run(home, &[&by_flag[..], &["--url", "http://127.0.0.1:1"]].concat(), &[]);
    assert!(code == 5 && said.contains("cannot reach http://127.0.0.1:1"), "{said}");
    let (code, said) = run(home, &by_flag, &[("RECONCILER_API_KEY", "pzk_another_key")]);
    assert!(code == 2 && said.contains("apiKeyFile"), "{said}");
    let (code, said) = run(home, &[&get[..], &["--profile", "there"]].concat(), &[]);
    assert!(code == 2 && said.contains("has no profile `there`, only here"), "{said}");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let (code, said) = run(home, &by_flag, &[]);
    assert!(code == 2 && said.contains("chmod 600") && !said.contains(&product.admin_key()), "{said}");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    write_profile(home, "here:\n  uri: http://127.0.0.1:1\n");
    let (code, said) = run(home, &by_flag, &[]);
    assert!(code == 2 && said.contains("profiles.yaml:2:3: unknown key `here.uri`"), "{said}");

    let (url, admin) = (product.url(), product.admin_key());
    let mut watching = reconciler(home, &["get", "zones", "--watch", "--url", &url, "--api-key", &admin]);
    watching.wait_for_line("acme", SOON);
    product.commit("Share with another", &[("beta.yaml", Some(&zone("beta")))]);
    watching.wait_for("beta once it is READY", SOON, |lines| {
        lines.iter().any(|line| line.text.starts_with("beta") && line.text.contains("READY")).then_some(())
    });
    assert_eq!(rows(&watching, "NAME"), 1, "the head is there once");
    assert_eq!(rows(&watching, "acme"), 1, "what did not change is not shown again");
    product.commit("No more", &[("beta.yaml", None)]);
    watching.wait_for_line("beta  GONE", SOON);
    product.stop();
    watching.wait_for_line("waiting for it", SOON);
    watching.interrupt();
    assert_eq!(watching.wait(SOON).code(), Some(0), "{}", watching.transcript());
}

fn rows(process: &Process, name: &str) -> usize {
    process.stdout().iter().filter(|line| line.starts_with(name)).count()
}

/// Answers the next request on this connection.
fn answer(mut stream: impl Read + Write, body: &Value) {
    let mut reader = BufReader::new(&mut stream);
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        reader.read_line(&mut line).unwrap();
    }
    let body = body.to_string();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length:";
    write!(stream, "{head} {}\r\n\r\n{body}", body.len()).unwrap();
    stream.flush().unwrap();
}

fn next(listener: &TcpListener) -> TcpStream {
    listener.accept().unwrap().0
}

#[test]
fn a_profiles_authority_is_trusted_beside_the_systems() {
    let authority = Authority::new();
    authority.issue("server", &["127.0.0.1"]);
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            certificates(&authority.file("server.crt")).unwrap(),
            private_key(&authority.file("server.key")).unwrap(),
        );
    let config = Arc::new(config.unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let session = move || ServerConnection::new(Arc::clone(&config)).unwrap();
    let server = thread::spawn(move || {
        let (mut refused, mut stream) = (session(), next(&listener));
        while refused.is_handshaking() {
            if refused.complete_io(&mut stream).is_err() {
                break;
            }
        }
        answer(StreamOwned::new(session(), next(&listener)), &json!({"items": [{"node": "n1"}]}));
    });
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    let get = ["get", "nodes", "-o", "name", "--profile", "here"];
    let key = [("RECONCILER_API_KEY", "k")];
    write_profile(home, &format!("here: {{url: 'https://{address}'}}\n"));
    let (code, said) = run(home, &get, &key);
    assert!(code == 5 && said.contains("UnknownIssuer") && said.contains("caFile"), "{said}");
    let ca = authority.certificate();
    write_profile(home, &format!("here: {{url: 'https://{address}', caFile: {}}}\n", ca.display()));
    assert_eq!(run(home, &get, &key), (0, "n1\n".to_owned()));
    server.join().unwrap();
}

#[test]
fn a_watch_outlives_its_server_and_gives_programs_a_document_for_each_change() {
    let node = |serving: u64, at: &str| json!({"items": [{"node": "n1", "serving": serving, "at": at}]});
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let home = tempfile::tempdir().unwrap();
    let url = format!("http://{address}");
    let arguments = ["get", "nodes", "-w", "-o", "json", "--url", &url, "--api-key", "k"];
    let mut watching = reconciler(home.path(), &arguments);
    answer(next(&listener), &node(7, "a"));
    answer(next(&listener), &node(7, "b"));
    drop(listener);
    watching.wait_for_line("waiting for it", SOON);
    let listener = TcpListener::bind(address).unwrap();
    answer(next(&listener), &node(8, "c"));
    watching.wait_for_line("the server answers again", SOON);
    watching.wait_for_line("\"serving\": 8", SOON);
    watching.interrupt();
    assert_eq!(watching.wait(SOON).code(), Some(0), "{}", watching.transcript());
    let text = watching.stdout().join("\n");
    let documents: Vec<Value> =
        serde_json::Deserializer::from_str(&text).into_iter().collect::<Result<_, _>>().unwrap();
    let serving: Vec<_> = documents.iter().map(|document| document["serving"].as_u64().unwrap()).collect();
    assert_eq!(serving, [7, 8], "a heartbeat alone is no change");
    let waits = watching.lines().iter().filter(|line| line.text == "waiting for it").count();
    assert_eq!(waits, 1, "said once");
    assert!(
        watching.lines().iter().all(|line| line.stream == Stream::Stderr || !line.text.contains("waiting"))
    );
}

/// A server that is asked for as long as the tests run; its address, and the first line of each request that it has had.
fn serve(
    answer: impl Fn(&str) -> (&'static str, Value) + Send + 'static,
) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let lines = Arc::clone(&asked);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let line = request(&mut stream).trim_end_matches(" HTTP/1.1").to_owned();
            let (status, body) = answer(&line);
            lines.lock().unwrap().push(line);
            let body = body.to_string();
            let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close");
            write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
        }
    });
    (url, asked)
}

/// Reads a whole request: whoever closes with some of it unread resets the connection. Gives its first line.
fn request(stream: &mut TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    while lines.last().is_none_or(|line: &String| !line.is_empty()) {
        let mut line = String::new();
        assert!(reader.read_line(&mut line).unwrap() > 0, "the request ends early: {lines:?}");
        lines.push(line.trim_end().to_owned());
    }
    let length = lines.iter().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<u64>().unwrap())
    });
    let mut body = Vec::new();
    reader.take(length.unwrap_or(0)).read_to_end(&mut body).unwrap();
    lines.swap_remove(0)
}

#[test]
fn every_zone_of_the_files_is_tried_and_a_dry_run_is_one_wherever_it_is_asked_for() {
    let guarded = json!({"detail": "a guard would hold this back", "reasons": ["too many"], "waysOut": []});
    let (url, asked) = serve(move |line| match line {
        "PUT /api/v1/zones/acme" => ("409 Conflict", guarded.clone()),
        "DELETE /api/v1/zones/beta" => ("404 Not Found", json!({"detail": "there is no zone of this name"})),
        line if line.starts_with("PUT") => ("200 OK", json!({"result": "created", "diff": "+ all\n"})),
        line if line.starts_with("DELETE") => ("200 OK", json!({"result": "deleted"})),
        line => panic!("{line}"),
    });
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("zones")).unwrap();
    for name in ["acme", "beta"] {
        let text = manifest(name, &[("orders", "orders", "READ")]);
        fs::write(home.path().join(format!("zones/{name}.yaml")), text).unwrap();
    }
    // Of another installation, whose gateway these zones are not for.
    let clusters = "{default: {bootstrapServers: '127.0.0.1:1', isolation: shared}}";
    let config = format!("gateway: {{name: another}}\nclusters: {clusters}\n");
    fs::write(home.path().join("reconciler.yaml"), config).unwrap();
    let ended = |arguments: &[&str]| {
        let server = ["--url", &url, "--api-key", "k"];
        let (code, said) = run(home.path(), &[arguments, &server].concat(), &[]);
        (code, said, std::mem::take(&mut *asked.lock().unwrap()))
    };

    let both = |method: &str, query: &str| {
        ["acme", "beta"].map(|name| format!("{method} /api/v1/zones/{name}{query}")).to_vec()
    };
    let (code, said, asked) = ended(&["apply", "-f", "zones"]);
    assert_eq!((code, asked), (6, both("PUT", "")), "{said}");
    assert!(said.contains("zone/beta created") && said.contains("zone/acme: a guard"), "{said}");
    let (code, said, asked) = ended(&["delete", "-f", "zones"]);
    assert_eq!((code, asked), (6, both("DELETE", "")), "{said}");
    assert!(said.contains("zone/acme deleted") && said.contains("zone/beta: there is no zone"), "{said}");
    // None at all: the code says why.
    assert_eq!(ended(&["apply", "-f", "zones/acme.yaml"]).0, 4);
    assert_eq!(ended(&["delete", "zone", "beta"]).0, 2);

    for (method, line) in
        [("PUT", "apply -f zones"), ("DELETE", "delete -f zones"), ("DELETE", "delete zone acme beta")]
    {
        let words: Vec<&str> = line.split(' ').collect();
        for arguments in [[&["--dry-run"], &words[..]].concat(), [&words[..], &["--dry-run"]].concat()] {
            let (code, said, asked) = ended(&arguments);
            assert_eq!((code, asked), (0, both(method, "?dryRun=true")), "{arguments:?}: {said}");
            assert!(said.contains("zone/acme") && said.contains("(dry run)"), "{said}");
        }
    }
    for arguments in [&["--dry-run", "suspend"][..], &["--dry-run", "apply"], &["delete"]] {
        let (code, said, asked) = ended(arguments);
        assert_eq!((code, asked), (2, Vec::new()), "{arguments:?}: {said}");
    }
}

#[test]
fn what_was_edited_is_kept_and_what_is_to_be_committed_is_said_as_well() {
    let text = "apiVersion: v2\nkind: PartnerZone\n";
    let (url, _) = serve(move |line| match line {
        "GET /api/v1/zones/acme" => ("200 OK", zone("acme", "orders", "before")),
        _ => ("409 Conflict", json!({"detail": "commit the text", "file": "zones/acme.yaml", "text": text})),
    });
    let home = tempfile::tempdir().unwrap();
    let (path, folder) = (std::env::var("PATH").unwrap(), home.path().to_str().unwrap());
    let variables = [("EDITOR", "sed -i s/before/after/"), ("TMPDIR", folder), ("PATH", path.as_str())];
    let edit = ["edit", "zone", "acme", "--url", &url, "--api-key", "k"];
    let (code, said) = run(home.path(), &edit, &variables);
    assert_eq!(code, 2, "{said}");
    for wanted in ["what you saved is in ", &format!("commit this as zones/acme.yaml:\n{text}")] {
        assert!(said.contains(wanted), "`{wanted}` is not in:\n{said}");
    }
}
