use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use super::{Hosted, SECRET, write};
use crate::support::git_https::{Conduct, GitHttps};
use crate::support::process::Process;
use crate::support::reconciler::get;

const PATIENCE: Duration = Duration::from_mins(1);
/// A run that came to its end; the time is one of this century.
const SUCCESS: &str = "partner_zones_reconcile_last_success_timestamp_seconds 1";

const ZONE: &str = "apiVersion: v2\nkind: PartnerZone\nmetadata: {name: acme}\nspec:\n  cluster: gateway\n  displayName: Acme\n  \
    authenticationMode: {type: PLAIN, serviceAccount: acme}\n  topics:\n    - {name: orders, backingTopic: o, permission: READ}\n";

/// An HTTP proxy that knows CONNECT alone; gives its address and the heads that it got.
async fn proxy() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let heads = Arc::<Mutex<Vec<String>>>::default();
    let seen = Arc::clone(&heads);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let seen = Arc::clone(&seen);
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(client.read_u8().await.unwrap());
                }
                let head = String::from_utf8(head).unwrap();
                let target = head.split(' ').nth(1).unwrap().to_owned();
                seen.lock().unwrap().push(head);
                let mut server = TcpStream::connect(target).await.unwrap();
                client.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").await.unwrap();
                let _ = copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    (address, heads)
}

/// A daemon with its state in memory and only these environment variables; its address.
fn daemon(folder: &Path, variables: &[(&str, &str)]) -> (Process, String) {
    let free = || std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (admin, bootstrap) = (free().to_string(), free().port().to_string());
    let mut command = Command::new(env!("CARGO_BIN_EXE_reconciler"));
    command.arg("run").current_dir(folder).env_clear().envs(variables.iter().copied());
    command.env("RECONCILER_HTTP__ADMIN", &admin).env("RECONCILER_GATEWAY__BOOTSTRAP_PORT", bootstrap);
    (Process::start("reconciler run", &mut command), admin)
}

/// Waits until the daemon's metrics have this text, and ends it; gives all that it wrote.
async fn until(daemon: (Process, String), text: &'static str) -> String {
    let look = move || {
        let (mut process, admin) = daemon;
        let deadline = Instant::now() + PATIENCE;
        while !get(&admin, "/metrics").is_some_and(|(_, metrics)| metrics.contains(text)) {
            let is_late = process.ended() || Instant::now() > deadline;
            assert!(!is_late, "no {text} in {:?}:\n{}", get(&admin, "/metrics"), process.transcript());
            std::thread::sleep(Duration::from_millis(100));
        }
        process.kill();
        process.transcript()
    };
    tokio::task::spawn_blocking(look).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proxy_of_the_environment_is_used_unless_it_is_exempted() {
    let hosted = Hosted::new();
    hosted.push(ZONE);
    let server = GitHttps::start(&hosted.root()).await;
    server.behave(Conduct::Login("x-access-token".to_owned(), SECRET.to_owned()));
    let folder = tempfile::tempdir().unwrap();
    let token = write(folder.path(), "token", SECRET);
    let config = format!(
        "source:\n  url: {}\n  auth: {{tokenFile: {}, caFile: {}}}\n\
         gateway: {{listen: 127.0.0.1, advertisedHost: 127.0.0.1}}\nclusters: {{default: {{bootstrapServers: '127.0.0.1:1'}}}}\nstore: memory\ndataDir: data\n",
        server.url("zones.git"),
        token.display(),
        server.ca_file().display()
    );
    write(folder.path(), "reconciler.yaml", &config);
    std::fs::create_dir(folder.path().join("data")).unwrap();
    let (address, heads) = proxy().await;
    let address = format!("http://proxy-user:proxy-hunter2@{address}");

    let proxied = daemon(folder.path(), &[("HTTPS_PROXY", &address)]);
    let said = until(proxied, SUCCESS).await;
    assert!(!said.contains("hunter2"), "{said}");
    let seen = std::mem::take(&mut *heads.lock().unwrap());
    assert!(!seen.is_empty());
    for head in seen {
        assert!(head.starts_with("CONNECT localhost:"), "{head}");
        assert!(head.to_lowercase().contains("proxy-authorization: basic"), "{head}");
        assert!(!head.contains(SECRET), "the token is for the server alone: {head}");
    }

    let direct = daemon(folder.path(), &[("HTTPS_PROXY", &address), ("NO_PROXY", "localhost")]);
    until(direct, SUCCESS).await;
    assert_eq!(heads.lock().unwrap().len(), 0);

    // A proxy that is down is said to be so, without its password.
    let down = daemon(folder.path(), &[("HTTPS_PROXY", "http://proxy-user:proxy-hunter2@127.0.0.1:1")]);
    let said = until(down, "partner_zones_source_failures_total{reason=\"FetchFailed\"}").await;
    assert!(said.contains("cannot be fetched") && !said.contains("hunter2"), "{said}");
}
