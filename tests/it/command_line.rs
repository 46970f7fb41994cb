//! The command line's own conveniences, as they are typed: completions, profiles, tables that follow what changes.

use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
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
