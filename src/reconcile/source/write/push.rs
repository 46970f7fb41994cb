//! One commit on its way to a server. The ref that the server names is compared in the same conversation, and the server compares
//! again when it moves the ref: nobody else's commit is lost between the two.

use std::cell::RefCell;
use std::sync::Arc;

use git2::{ErrorClass, ErrorCode, Oid, PushOptions, RemoteCallbacks, RemoteRedirect};

use super::{CommitError, Step, edit};
use crate::reconcile::source::access::Access;
use crate::reconcile::source::mirror::Mirror;
use crate::reconcile::source::network::Call;
use crate::reconcile::source::network::line::Line;
use crate::reconcile::source::network::words::Words;
use crate::reconcile::source::{Location, SourceError};

/// How libgit2 begins what a server says instead of an answer.
const REMOTE_ERROR: &str = "remote error: ";

/// What became of a push.
#[derive(Debug)]
pub(in crate::reconcile::source) enum Outcome {
    /// The server has confirmed it, or nothing was sent.
    Settled(Result<(), CommitError>),
    Doubtful(Doubt),
}

/// What only the ref itself can settle.
#[derive(Debug)]
pub(in crate::reconcile::source) enum Doubt {
    /// In the server's words. It may be about a ref that somebody else has moved meanwhile.
    Refused(String),
    /// The commit was sent, and no answer came.
    Unanswered(SourceError),
}

impl Outcome {
    fn unsent(error: SourceError) -> Self {
        Self::Settled(Err(CommitError::Unreachable(error)))
    }

    fn refused(words: String) -> Self {
        Self::Doubtful(Doubt::Refused(words))
    }
}

/// What the server says of the ref after the push.
enum Report {
    Taken,
    Refused(String),
}

/// What came from the server.
#[derive(Default)]
struct Heard {
    /// Where it said the ref stands.
    stands: Option<Oid>,
    report: Option<Report>,
    words: Words,
}

/// Pushes `commit`, which the mirror has.
pub(in crate::reconcile::source) fn push(
    mirror: &Mirror,
    (to, access): (&Location, &Access),
    call: &Arc<Call>,
    step: &Step<'_>,
    commit: Oid,
) -> Outcome {
    let line = match Line::open(to, access, call) {
        Ok(line) => line,
        Err(error) => return Outcome::unsent(error),
    };
    let heard = RefCell::<Heard>::default();
    let mut callbacks = RemoteCallbacks::new();
    line.authenticate(&mut callbacks);
    callbacks.sideband_progress(|words| {
        heard.borrow_mut().words.hear(words);
        call.check().is_ok()
    });
    callbacks.push_negotiation(|updates| {
        let stands = updates.first().map(git2::PushUpdate::src);
        heard.borrow_mut().stands = stands;
        if stands == Some(step.expected) {
            return Ok(());
        }
        Err(git2::Error::new(ErrorCode::User, ErrorClass::Callback, "the ref is not as it has to be"))
    });
    callbacks.push_update_reference(|_, report| {
        heard.borrow_mut().report = Some(report.map_or(Report::Taken, |why| Report::Refused(why.to_owned())));
        Ok(())
    });
    let mut options = PushOptions::new();
    options.remote_callbacks(callbacks).follow_redirects(RemoteRedirect::None);
    let spec = format!("{commit}:{}", step.reference);
    let pushed = line.within(|| {
        let mut remote = mirror.repository().remote_anonymous(&line.url())?;
        remote.push(&[spec], Some(&mut options))
    });
    drop(options);
    match heard.into_inner().judge(pushed, call, step) {
        Outcome::Settled(Err(CommitError::Exists(reference))) => {
            Outcome::Settled(Err(match mirror.fetch(to, access, call, step.reference) {
                Ok(theirs) if edit::is_same(mirror.repository(), theirs, commit) => step.proposed(theirs),
                Ok(_) => CommitError::Exists(reference),
                // Which of the two it is cannot be told now, and nothing was sent.
                Err(error) => CommitError::Unreachable(error),
            }))
        }
        outcome => outcome,
    }
}

impl Heard {
    fn judge(self, pushed: Result<(), git2::Error>, call: &Call, step: &Step<'_>) -> Outcome {
        let Self { stands, report, words } = self;
        if let Some(refusal) = call.refusal() {
            return Outcome::refused(refusal);
        }
        if stands.is_some_and(|stands| stands != step.expected) {
            return Outcome::Settled(Err(step.elsewhere()));
        }
        let error = match (report, pushed) {
            (Some(Report::Taken), Ok(())) => return Outcome::Settled(Ok(())),
            (Some(Report::Refused(why)), _) => return Outcome::refused(words.after(&why)),
            (_, Err(error)) => error,
            (None, Ok(())) => git2::Error::from_str("the server did not say what became of the commit"),
        };
        if stands.is_some() {
            return Outcome::Doubtful(Doubt::Unanswered(call.explain(&error.message())));
        }
        match no_instead_of_an_answer(&error) {
            Some(said) => Outcome::refused(said),
            None => Outcome::unsent(call.explain(&error.message())),
        }
    }
}

/// What a server says that ends a conversation before it begins: a key that may only read, as a rule.
fn no_instead_of_an_answer(error: &git2::Error) -> Option<String> {
    // libgit2 takes what stands on the other side's standard error for the error.
    let is_over_ssh = error.class() == ErrorClass::Ssh && error.code() == ErrorCode::Eof;
    let said = error.message().strip_prefix(REMOTE_ERROR).or(is_over_ssh.then(|| error.message()))?;
    let mut words = Words::default();
    words.hear(said.as_bytes());
    Some(words.after("it says no"))
}
