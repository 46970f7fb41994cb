//! Servers that die, and those who wait.

use std::time::Duration;

use partner_zones::reconcile::source::{CommitError, Limits};

use super::{ACME, Place};
use crate::source::{MAIN, content, impatient, read};
use crate::support::git_https::{Conduct, Loss};

/// Ends Git itself, whose child a hook is.
const KILL: &str = "kill -9 $PPID";

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_dies_before_it_moves_the_ref_has_changed_nothing() {
    for place in Place::served().await {
        let (repository, ours) = (&place.hosted.repository, place.change("ours").await);
        repository.hook("pre-receive", KILL);
        let lost = place.commit(ours.clone()).await.unwrap_err();
        assert!(matches!(lost, CommitError::Unreachable(_)), "{}: {lost}", place.name());
        assert_eq!(place.head(), ours.base);
        repository.remove_hook("pre-receive");
        repository.bare(&["fsck", "--strict", "--full"]);
        place.commit(ours).await.unwrap();
        assert_eq!(content(&read(&place.source).await.unwrap()), "ours");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_moves_the_ref_and_dies_before_it_says_so_is_asked_again() {
    for place in Place::served().await {
        let ours = place.change("ours").await;
        place
            .hosted
            .repository
            .hook("reference-transaction", &format!("[ \"$1\" = committed ] && {KILL}; exit 0"));
        let pushed = place.commit(ours).await.unwrap();
        assert_eq!(place.head(), pushed.commit, "{}", place.name());

        // And where somebody else has gone on from it meanwhile.
        let ours = place.change("more").await;
        let on_top = format!(
            "[ \"$1\" = committed ] && [ -z \"$INNER\" ] || exit 0\nexport INNER=1\n\
             git update-ref {MAIN} $(git -c user.name=x -c user.email=x@example.com commit-tree -p {MAIN} -m top {MAIN}^{{tree}})\n{KILL}"
        );
        place.hosted.repository.hook("reference-transaction", &on_top);
        let pushed = place.commit(ours).await.unwrap();
        let parent = place.hosted.repository.bare(&["rev-parse", &format!("{MAIN}^")]);
        assert_eq!(parent, pushed.commit, "{}", place.name());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_became_of_a_push_without_an_answer_is_looked_up_and_said_to_be_unknown_if_it_cannot_be() {
    let place = Place::https().await;
    let ours = place.change("ours").await;
    place.server().behave(Conduct::Push(Loss::Request));
    let lost = place.commit(ours.clone()).await.unwrap_err();
    assert!(matches!(lost, CommitError::Unreachable(_)) && place.head() == ours.base, "{lost}");
    place.server().behave(Conduct::Push(Loss::Answer));
    assert_eq!(place.commit(ours).await.unwrap().commit, place.head());

    let ours = place.change("more").await;
    place.server().behave(Conduct::Push(Loss::Server));
    let lost = place.commit(ours.clone()).await.unwrap_err();
    assert!(matches!(lost, CommitError::Unknown(_)), "{lost}");
    let before_anything_was_sent = place.commit(ours.clone()).await.unwrap_err();
    assert!(matches!(before_anything_was_sent, CommitError::Unreachable(_)), "{before_anything_was_sent}");
    // It had been taken: whoever comes again is told that it is not what they read.
    place.server().behave(Conduct::Open);
    assert!(matches!(place.commit(ours).await.unwrap_err(), CommitError::Moved(_)));
    assert_eq!(content(&read(&place.source).await.unwrap()), "more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_without_an_answer_or_an_end_is_given_up_in_time() {
    let place = Place::https().await.with(|config| config.limits = impatient());
    let ours = place.change("ours").await;
    place.server().behave(Conduct::Push(Loss::Silence));
    let lost =
        tokio::time::timeout(Duration::from_secs(30), place.commit(ours.clone())).await.unwrap().unwrap_err();
    assert!(matches!(lost, CommitError::Unreachable(_)) && lost.to_string().contains("no answer"), "{lost}");
    place.server().behave(Conduct::Open);
    place.commit(ours).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_nobody_waits_for_any_more_ends_and_leaves_the_mirror_fit() {
    let place = Place::https().await;
    let ours = place.change("ours").await;
    place.server().requests();
    place.server().behave(Conduct::Push(Loss::Silence));
    let pushing = tokio::spawn({
        let (source, ours) = (place.source.clone(), ours.clone());
        async move { source.commit(ours).await }
    });
    while !place.server().requests().iter().any(|head| head.starts_with("POST ")) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    pushing.abort();
    place.server().behave(Conduct::Open);
    // Its turn comes within seconds, and not after the half minute that a silent server is given.
    assert_eq!(place.commit(ours).await.unwrap().commit, place.head());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_waits_for_its_turn_and_not_for_ever() {
    let place = Place::https().await;
    let ours = place.change("ours").await;
    place.server().requests();
    place.server().behave(Conduct::Holds);
    let reading = tokio::spawn({
        let source = place.source.clone();
        async move { read(&source).await }
    });
    while place.server().requests().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let busy = place.commit(ours.clone()).await.unwrap_err();
    assert!(matches!(busy, CommitError::Busy), "{busy}");

    let mut waiting = Box::pin(place.commit(ours));
    let early = tokio::time::timeout(Duration::from_millis(300), &mut waiting).await;
    assert!(early.is_err(), "it has its turn after the reading: {early:?}");
    place.server().behave(Conduct::Open);
    reading.abort();
    assert_eq!(waiting.await.unwrap().commit, place.head());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_could_not_be_read_again_is_not_written() {
    let place =
        Place::https().await.with(|config| config.limits = Limits { file_bytes: 3, ..Limits::default() });
    let base = place.head();
    let large = super::proposal(&base, &[(ACME, Some("four"))]);
    assert!(matches!(place.commit(large).await.unwrap_err(), CommitError::Invalid(_)));
    assert_eq!(place.server().requests().len(), 0, "nothing is asked for that");
    place.commit(super::proposal(&base, &[(ACME, Some("3 b"))])).await.unwrap();
}
