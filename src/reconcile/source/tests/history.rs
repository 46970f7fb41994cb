//! What may be read although it is not what follows: accepted commits, pins; and what messages allow on the way.

use git2::Oid;
use tokio_util::sync::CancellationToken;

use super::contents;
use super::repositories::{Fixture, MAIN};
use crate::reconcile::guard::Allowed;
use crate::reconcile::source::{Commit, History, Snapshot, SourceError};
use crate::zone::Revision;

fn revision(commit: Oid) -> Revision {
    Revision::commit(MAIN, &commit.to_string())
}

fn after(commit: Oid) -> History {
    History::after(Some(revision(commit)))
}

impl Fixture {
    fn read(&self, history: &History) -> Result<Snapshot, SourceError> {
        self.source().read(history, &CancellationToken::new())
    }

    /// The branch gets a commit of this content and message behind `parents`.
    fn say(&self, message: &str, content: &str, parents: &[Oid]) -> Oid {
        let commit = self.commit_saying(message, &[("acme.yaml", 0o100_644, content)], parents);
        self.point(MAIN, commit);
        commit
    }
}

#[test]
fn an_accepted_commit_is_read_although_it_does_not_follow_and_so_is_what_follows_it() {
    let fixture = Fixture::new();
    let old = fixture.say("one", "one", &[]);
    fixture.read(&after(old)).unwrap();
    let new = fixture.say("foreign", "foreign", &[]);
    let held = after(old);
    assert_eq!(fixture.read(&held).unwrap_err().reason(), "SourceRewritten");
    let other = History { accepted: Some("1".repeat(40)), ..held.clone() };
    assert_eq!(fixture.read(&other).unwrap_err().reason(), "SourceRewritten");
    let accepted = History { accepted: Some(new.to_string()), ..held.clone() };
    fixture.say("more", "more", &[new]);
    assert_eq!(contents(&fixture.read(&accepted).unwrap())[0].1, Ok("more"));
}

#[test]
fn an_acceptance_is_no_licence_for_the_next_rewrite() {
    let fixture = Fixture::new();
    let old = fixture.say("one", "one", &[]);
    let new = fixture.say("foreign", "foreign", &[]);
    let accepted = |applied| History { accepted: Some(new.to_string()), ..after(applied) };
    fixture.read(&accepted(old)).unwrap();
    let revoked = fixture.say("revoke", "revoked", &[new]);
    fixture.read(&accepted(new)).unwrap();
    // A sibling of the revocation follows what was accepted, and would undo it.
    fixture.say("again", "again", &[new]);
    assert_eq!(fixture.read(&accepted(revoked)).unwrap_err().reason(), "SourceRewritten");
}

#[test]
fn a_pinned_commit_is_read_instead_of_the_head_even_while_the_repository_is_gone() {
    let fixture = Fixture::new();
    let first = fixture.say("one\n\nReconciler-Allow-Deletes: 5 then\n", "one", &[]);
    let second = fixture.say("two", "two", &[first]);
    let mut source = fixture.source();
    let running = after(second);
    source.read(&running, &CancellationToken::new()).unwrap();
    let pinned = History { pinned: Some(first.to_string()), ..running.clone() };
    std::fs::rename(fixture.url(), fixture.url().with_extension("away")).unwrap();
    let snapshot = source.read(&pinned, &CancellationToken::new()).unwrap();
    assert_eq!(snapshot.revision, revision(first));
    assert_eq!(contents(&snapshot)[0].1, Ok("one"));
    assert_eq!(snapshot.commit.unwrap().allowances, [], "what it once allowed was for another state");
    std::fs::rename(fixture.url().with_extension("away"), fixture.url()).unwrap();
    // The pin is applied, and ends.
    let snapshot = source.read(&after(first), &CancellationToken::new()).unwrap();
    assert_eq!(contents(&snapshot)[0].1, Ok("two"));
}

#[test]
fn only_a_commit_of_the_branch_can_be_pinned_and_only_by_its_full_id() {
    let fixture = Fixture::new();
    let first = fixture.say("one", "one", &[]);
    let foreign = fixture.commit(&[("acme.yaml", 0o100_644, "foreign")], &[]);
    fixture.say("two", "two", &[first]);
    for pin in [foreign.to_string(), first.to_string()[..10].to_owned(), "HEAD".to_owned()] {
        let history = History { pinned: Some(pin.clone()), ..History::default() };
        assert_eq!(fixture.read(&history).unwrap_err().reason(), "PinNotFound", "{pin}");
    }
}

#[test]
fn trailers_count_from_every_commit_since_the_revision_in_force_and_no_longer() {
    let fixture = Fixture::new();
    let first = fixture.say("one\n\nReconciler-Allow-Deletes: 1 old\n", "one", &[]);
    let side = fixture.say("side\n\nReconciler-Allow-Deletes: 2 side\n", "side", &[first]);
    let main = fixture.say("main\n\nReconciler-Allow-Updates: 3 main\n", "main", &[first]);
    let merge = fixture.say("merge\n\nReconciler-Allow-Deletes: lots\n", "merge", &[main, side]);
    let said = |history: &History| -> Commit { fixture.read(history).unwrap().commit.unwrap() };
    let commit = said(&after(first));
    let mut found: Vec<_> =
        commit.allowances.iter().map(|it| (it.what, it.count, it.reason.as_str())).collect();
    found.sort_by_key(|it| it.1);
    assert_eq!(found, [(Allowed::Deletes, 2, "side"), (Allowed::Updates, 3, "main")]);
    assert!(commit.warnings[0].starts_with(&format!("commit {}: ", &merge.to_string()[..8])), "{commit:?}");
    assert_eq!(said(&after(merge)).allowances, []);
    // Nothing is in force yet: the head speaks for itself alone.
    assert_eq!(said(&History::default()).allowances, []);
}
