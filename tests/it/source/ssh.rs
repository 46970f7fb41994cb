use std::path::Path;
use std::time::Duration;

use partner_zones::reconcile::source::{Access, GitConfig, History, Source};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::{Hosted, content, gives_up, impatient, read};
use crate::support::sshd::Sshd;

fn config(hosted: &Hosted, url: &str, key: &Path, known_hosts: &Path) -> GitConfig {
    let access = Access {
        ssh_key_file: Some(key.to_owned()),
        known_hosts_file: Some(known_hosts.to_owned()),
        ..Access::default()
    };
    GitConfig { access, ..hosted.config(url) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_is_read_over_ssh_from_a_known_host_alone() {
    let (hosted, sshd) = (Hosted::new(), Sshd::start());
    let name = format!("[127.0.0.1]:{}", sshd.port());
    let (ed25519, rsa) = (sshd.host_key("ed25519"), sshd.host_key("rsa"));
    let known = sshd.known_hosts(&format!("{name} {ed25519}\n{name} {rsa}\n"));
    let url = sshd.url(&hosted.repository.url());
    let source = Source::git(config(&hosted, &url, &sshd.key(), &known)).unwrap();
    let first = read(&source).await.unwrap();
    assert_eq!(content(&first), "one");
    hosted.push("two");
    assert_eq!(content(&source.read(History::after(Some(first.revision))).await.unwrap()), "two");

    let other = ed25519.replace("AAAA", "AAAB");
    for (lines, says) in [
        (String::new(), "is not in source.auth.knownHostsFile"),
        (format!("127.0.0.1 {ed25519}\n"), "is not in source.auth.knownHostsFile"),
        (
            format!("{name} {ed25519}\n{name} {rsa}\n@revoked {name} {ed25519}\n@revoked {name} {rsa}\n"),
            "@revoked",
        ),
        (format!("{name} {other}\n"), "knownHostsFile"),
    ] {
        sshd.known_hosts(&lines);
        let error = read(&source).await.unwrap_err();
        assert!(error.reason() == "HostKeyRefused" && error.to_string().contains(says), "{error}");
    }
    // The keys of another server of the same name.
    let imposter = Sshd::start();
    let of_imposter =
        format!("{name} {}\n{name} {}\n", imposter.host_key("ed25519"), imposter.host_key("rsa"));
    sshd.known_hosts(&of_imposter);
    let error = read(&source).await.unwrap_err();
    assert!(error.to_string().contains("THE HOST KEY HAS CHANGED"), "{error}");
    // Rotated into the file: no restart.
    sshd.known_hosts(&format!("{name} {ed25519}\n{name} {rsa}\n"));
    assert_eq!(content(&read(&source).await.unwrap()), "two");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_refused_is_access_denied_and_not_tried_without_end() {
    let (hosted, sshd) = (Hosted::new(), Sshd::start());
    let name = format!("[127.0.0.1]:{}", sshd.port());
    let lines = format!("{name} {}\n{name} {}\n", sshd.host_key("ed25519"), sshd.host_key("rsa"));
    let known = sshd.known_hosts(&lines);
    let url = sshd.url(&hosted.repository.url());
    let foreign = Source::git(config(&hosted, &url, &sshd.foreign_key(), &known)).unwrap();
    let error = read(&foreign).await.unwrap_err();
    assert_eq!(error.reason(), "AccessDenied", "{error}");
    assert!(error.to_string().contains("sshKeyFile"), "{error}");
    drop(foreign);
    let no_key = Source::git(config(&hosted, &url, &known, &known)).unwrap();
    let error = read(&no_key).await.unwrap_err();
    assert!(error.to_string().contains("holds no private key"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_silent_or_trickles_is_given_up_in_time() {
    let hosted = Hosted::new();
    let key = hosted.scratch.path().join("key");
    crate::support::sshd::keygen(&key, "ed25519");
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ssh://git@127.0.0.1:{}/zones.git", silent.local_addr().unwrap().port());
    let patience = GitConfig { limits: impatient(), ..config(&hosted, &url, &key, &key) };
    gives_up(patience, "FetchFailed", "the server sent nothing").await;

    let trickling = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ssh://git@127.0.0.1:{}/zones.git", trickling.local_addr().unwrap().port());
    let trickle = tokio::spawn(async move {
        let mut connections = Vec::new();
        while let Ok((connection, _)) = trickling.accept().await {
            connections.push(tokio::spawn(async move {
                let mut connection = connection;
                // Lines before the version are allowed, and none of them has to end.
                while connection.write_all(b"x").await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }));
        }
    });
    let patience = GitConfig { limits: impatient(), ..config(&hosted, &url, &key, &key) };
    gives_up(patience, "FetchFailed", "").await;
    trickle.abort();
}
