//! Servers that say no.

use partner_zones::reconcile::source::{Access, CommitError, Source, Verify};

use super::{ACME, Place, Way, onto, proposal};
use crate::source::{SECRET, read, write};
use crate::support::git_https::Conduct;

/// What a refusal says; the branch is as it was.
async fn refusal(place: &Place) -> String {
    let before = place.head();
    let refused = place.commit(proposal(&before, &[(ACME, Some("ours"))])).await.unwrap_err();
    assert_eq!(place.head(), before);
    match refused {
        CommitError::Refused(words) => words,
        other => panic!("{}: {other}", place.name()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_says_no_is_quoted() {
    for place in Place::served().await {
        read(&place.source).await.unwrap();
        let hook = "echo 'main is protected' >&2; printf '\\033[31mask Ada\\n' >&2; exit 1";
        place.hosted.repository.hook("pre-receive", hook);
        let said = refusal(&place).await;
        let wanted = r"pre-receive hook declined: main is protected \u{1b}[31mask Ada";
        assert_eq!(said, wanted, "{}", place.name());
        place.hosted.repository.remove_hook("pre-receive");
        // Another one refuses one ref and not all.
        place.hosted.repository.hook("update", "[ \"$1\" = refs/heads/main ] && exit 1 || exit 0");
        assert!(refusal(&place).await.starts_with("hook declined"));
        let proposed = place.commit(onto("refs/heads/proposed", place.change("ours").await)).await;
        assert_eq!(proposed.unwrap().reference, "refs/heads/proposed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_with_hooks_or_a_work_tree_that_shows_the_branch_is_refused() {
    let [place, ..] = Place::all().await;
    let repository = &place.hosted.repository;
    repository.hook("pre-receive", "exit 0");
    let said = refusal(&place).await;
    assert!(said.contains("hooks/pre-receive decides what is pushed"), "{said}");
    repository.remove_hook("pre-receive");
    let tree = place.hosted.scratch.path().join("tree");
    repository.bare(&["worktree", "add", "--quiet", tree.to_str().unwrap(), "main"]);
    assert!(refusal(&place).await.contains("is checked out"));
    let clone = repository.clone();
    let place = place.with(|config| config.url = clone.to_str().unwrap().to_owned());
    assert!(refusal(&place).await.contains("is checked out"));
    let proposed = place.commit(onto("refs/heads/proposed", place.change("ours").await)).await.unwrap();
    assert_eq!(place.hosted.repository.git(&["rev-parse", "refs/heads/proposed"]), proposed.commit);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_may_only_be_read_over_https_says_so() {
    let place = Place::https().await;
    read(&place.source).await.unwrap();
    place.hosted.repository.bare(&["config", "http.receivepack", "false"]);
    let said = refusal(&place).await;
    assert!(said.contains("may not write to it (HTTP 403)"), "{said}");
    let body = "Write access to repository not granted.";
    let length = body.len();
    place.server().behave(Conduct::Answers(format!(
        "HTTP/1.1 403 Forbidden\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {length}\r\n\r\n{body}"
    )));
    assert!(refusal(&place).await.ends_with(&format!("(HTTP 403): {body}")));
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_are_wrong_are_no_refusal_and_never_show() {
    let place = Place::https().await;
    let token = write(place.hosted.scratch.path(), "token", SECRET);
    let place = place.with(|config| config.access.token_file = Some(token.clone()));
    place.server().behave(Conduct::Login("x-access-token".to_owned(), SECRET.to_owned()));
    let change = place.change("ours").await;
    place.server().requests();
    std::fs::write(&token, "expired-hunter2").unwrap();
    let denied = place.commit(change.clone()).await.unwrap_err();
    assert_eq!(
        (matches!(denied, CommitError::Unreachable(_)), denied.reason()),
        (true, "AccessDenied"),
        "{denied}"
    );
    assert!(!format!("{denied} {denied:?}").contains("hunter2"), "{denied:?}");
    assert_eq!(place.server().requests().len(), 1, "it does not insist");
    std::fs::write(&token, SECRET).unwrap();
    place.commit(change).await.unwrap();
    let requests = place.server().requests();
    let posts: Vec<_> =
        requests.iter().filter(|head| head.starts_with("POST /zones.git/git-receive-pack ")).collect();
    assert_eq!((requests.len(), posts.len()), (2, 1), "{requests:?}");
    assert!(requests.iter().all(|head| head.to_lowercase().contains("authorization: basic")), "{requests:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_may_only_read_is_refused_in_the_servers_words_and_a_foreign_one_is_denied() {
    let place = Place::ssh();
    let Way::Ssh(sshd) = &place.way else { panic!("no sshd") };
    let (reader, foreign) = (sshd.reading_key(), sshd.foreign_key());
    let key = |place: Place, file: std::path::PathBuf| {
        place.with(|config| config.access = Access { ssh_key_file: Some(file), ..config.access.clone() })
    };
    let place = key(place, reader);
    read(&place.source).await.unwrap();
    let said = refusal(&place).await;
    assert!(said.contains("this key has been marked as read only"), "{said}");
    let base = place.head();
    let place = key(place, foreign);
    let denied = place.commit(proposal(&base, &[(ACME, Some("ours"))])).await.unwrap_err();
    assert_eq!((denied.reason(), place.head()), ("AccessDenied", base), "{denied}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_commits_are_signed_ours_can_only_be_proposed() {
    for mode in [Verify::Head, Verify::Range] {
        let [place, ..] = Place::all().await;
        let place = place.with(|config| config.verify = mode("/nowhere".into()));
        assert!(refusal(&place).await.contains("source.verify"));
        let ours = proposal(&place.head(), &[(ACME, Some("ours"))]);
        place.commit(onto("refs/heads/proposed", ours)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_folder_takes_no_commit() {
    let folder = tempfile::tempdir().unwrap();
    let source = Source::directory(folder.path());
    let refused = source.commit(proposal(&"1".repeat(40), &[(ACME, Some("x"))])).await.unwrap_err();
    assert!(matches!(refused, CommitError::NotARepository) && !source.can_commit());
    let [place, ..] = Place::all().await;
    assert!(place.source.can_commit());
}
