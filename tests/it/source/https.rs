use std::time::Duration;

use partner_zones::reconcile::source::{Access, GitConfig, History, Limits, Source};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{Hosted, SECRET, content, gives_up, impatient, read, write};
use crate::support::git_https::{Conduct, GitHttps};

fn config(hosted: &Hosted, server: &GitHttps) -> GitConfig {
    let access = Access { ca_file: Some(server.ca_file()), ..Access::default() };
    GitConfig { access, ..hosted.config(&server.url("zones.git")) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_is_read_over_https_and_a_new_commit_is_seen() {
    let hosted = Hosted::new();
    let server = GitHttps::start(&hosted.root()).await;
    let source = Source::git(config(&hosted, &server)).unwrap();
    let first = read(&source).await.unwrap();
    assert_eq!(content(&first), "one");
    let id = hosted.push("two");
    let second = source.read(History::after(Some(first.revision))).await.unwrap();
    assert_eq!((content(&second), &second.commit.as_ref().unwrap().id), ("two", &id));
    server.requests();
    read(&source).await.unwrap();
    let requests = server.requests();
    assert_eq!(requests.len(), 1, "one ref is asked for, nothing is fetched: {requests:?}");
    assert!(!requests[0].to_lowercase().contains("authorization"), "{requests:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_certificate_is_from_a_stranger_is_refused() {
    let hosted = Hosted::new();
    let server = GitHttps::start(&hosted.root()).await;
    let strangers = crate::support::certificates::Authority::new();
    let access = Access { ca_file: Some(strangers.certificate()), ..Access::default() };
    let error =
        read(&Source::git(GitConfig { access, ..config(&hosted, &server) }).unwrap()).await.unwrap_err();
    assert!(error.reason() == "FetchFailed" && error.to_string().contains("certificate"), "{error}");
    let by_address = hosted.config(&server.url("zones.git").replace("localhost", "127.0.0.1"));
    let access = Access { ca_file: Some(server.ca_file()), ..Access::default() };
    let error = read(&Source::git(GitConfig { access, ..by_address }).unwrap()).await.unwrap_err();
    assert!(error.to_string().contains("certificate"), "its certificate is for another name: {error}");
    assert_eq!(server.requests().len(), 0, "nothing was asked of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_sent_once_is_read_anew_and_never_shows() {
    let hosted = Hosted::new();
    let server = GitHttps::start(&hosted.root()).await;
    let token = write(hosted.scratch.path(), "token", "expired-hunter2\n");
    let base = config(&hosted, &server);
    let access = Access { token_file: Some(token.clone()), ..base.access.clone() };
    let url = base.url.replace("https://", "https://bot@");
    let source = Source::git(GitConfig { access, url, ..base }).unwrap();
    server.behave(Conduct::Login("bot".to_owned(), SECRET.to_owned()));
    let error = read(&source).await.unwrap_err();
    assert_eq!(error.reason(), "AccessDenied");
    assert!(!format!("{error} {error:?} {source:?}").contains("hunter2"), "{error:?}");
    assert_eq!(server.requests().len(), 1, "it does not insist");
    std::fs::write(&token, SECRET).unwrap();
    assert_eq!(content(&read(&source).await.unwrap()), "one");
    // Lost again, by name.
    std::fs::remove_file(&token).unwrap();
    let error = read(&source).await.unwrap_err();
    assert!(error.reason() == "AccessDenied" && error.to_string().contains("cannot be read"), "{error}");
    std::fs::write(&token, "two\nlines hunter2").unwrap();
    let error = read(&source).await.unwrap_err();
    assert!(
        error.to_string().contains("holds no token") && !error.to_string().contains("hunter2"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn each_refusal_of_a_server_has_its_own_words() {
    let hosted = Hosted::new();
    let server = GitHttps::start(&hosted.root()).await;
    let source = Source::git(config(&hosted, &server)).unwrap();
    let mut registry = prometheus_client::registry::Registry::default();
    source.register(&mut registry);
    let answers = |head: &str| {
        Conduct::Answers(format!("HTTP/1.1 {head}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"))
    };
    let to = "302 Found\r\nlocation: https://user:hunter2@elsewhere.example/zones.git?token=hunter2";
    for (conduct, reason, says) in [
        (Conduct::Login("a".to_owned(), "b".to_owned()), "AccessDenied", "source.auth.tokenFile"),
        (answers("403 Forbidden"), "AccessDenied", "403"),
        (answers("404 Not Found"), "RepositoryNotFound", "source.url"),
        (answers("503 Service Unavailable"), "FetchFailed", "503"),
        (answers("200 OK\r\ncontent-type: text/html"), "FetchFailed", "smart protocol"),
        (answers(to), "FetchFailed", "elsewhere.example/zones.git"),
    ] {
        server.behave(conduct);
        let error = read(&source).await.unwrap_err();
        assert_eq!(error.reason(), reason, "{error}");
        assert!(error.to_string().contains(says) && !error.to_string().contains("hunter2"), "{error}");
    }
    assert!(server.requests().iter().all(|head| head.starts_with("GET /zones.git/info/refs")));
    let mut metrics = String::new();
    prometheus_client::encoding::text::encode(&mut metrics, &registry).unwrap();
    for (reason, number) in [("AccessDenied", 2), ("RepositoryNotFound", 1), ("FetchFailed", 3)] {
        let line = format!("partner_zones_source_failures_total{{reason=\"{reason}\"}} {number}\n");
        assert!(metrics.contains(&line), "{metrics}");
    }
    server.behave(Conduct::Open);
    let missing = GitConfig { url: server.url("other.git"), ..config(&hosted, &server) };
    assert_eq!(read(&Source::git(missing).unwrap()).await.unwrap_err().reason(), "RepositoryNotFound");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_silent_or_trickles_is_given_up_in_time() {
    let hosted = Hosted::new();
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/zones.git", silent.local_addr().unwrap().port());
    gives_up(GitConfig { limits: impatient(), ..hosted.config(&url) }, "FetchFailed", "there was no answer")
        .await;
    let server = GitHttps::start(&hosted.root()).await;
    server.behave(Conduct::Trickles);
    let trickling = GitConfig { limits: impatient(), ..config(&hosted, &server) };
    gives_up(trickling, "FetchFailed", "longer than").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_sends_too_much_is_stopped() {
    let hosted = Hosted::new();
    let noise: String = (0..60_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_string()).collect();
    hosted.push(&noise);
    let server = GitHttps::start(&hosted.root()).await;
    let limits = Limits { fetch_bytes: 100_000, ..Limits::default() };
    gives_up(GitConfig { limits, ..config(&hosted, &server) }, "SourceTooLarge", "100000").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_that_nobody_waits_for_any_more_ends() {
    let hosted = Hosted::new();
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/zones.git", silent.local_addr().unwrap().port());
    let source = Source::git(hosted.config(&url)).unwrap();
    let reading = tokio::spawn(async move { read(&source).await });
    let reached = tokio::time::timeout(Duration::from_secs(30), silent.accept()).await;
    let (mut connection, _) = reached.unwrap().unwrap();
    reading.abort();
    // The thread lets go at once, and not after the half minute that a silent server is given.
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(10), connection.read_to_end(&mut rest)).await;
    assert!(ended.is_ok());
    let _ = connection.shutdown().await;
}
