//! What a commit says beside its files: who, what, and which guards it asks to lift.

use git2::Oid;

use super::Signer;
use super::mirror::Mirror;
use crate::manifest::finding::printable;
use crate::reconcile::guard::{Allowance, Allowed, AllowedBy};

/// How all our trailers begin, for those that are misspelled.
const ALLOW: &str = "reconciler-allow-";

/// A message is read up to this many bytes; what is longer holds no trailer.
const MAX_MESSAGE: usize = 64 << 10;
/// Commits whose messages are read for one revision.
const MAX_COMMITS: usize = 10_000;

/// Who changed the source last, for the audit log, and what was said since the revision in force.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commit {
    pub id: String,
    /// `Name <address>`.
    pub author: String,
    pub subject: String,
    /// From the trailers of this commit and of all that it follows, up to the revision in force. They are spent once a
    /// revision with them is applied in full.
    pub allowances: Vec<Allowance>,
    /// Who signed it, where that was asked for.
    pub signer: Option<Signer>,
    /// Trailers that allow nothing, since they are not written as they must be.
    pub warnings: Vec<String>,
}

/// The commit `head`, with the trailers of every commit since `base`; without a base, of `head` alone.
///
/// All parents count, not only the first: what a pull request's head is allowed, its merge is allowed too.
pub(super) fn describe(mirror: &Mirror, head: Oid, base: Option<Oid>) -> Result<Commit, git2::Error> {
    let commit = mirror.commit(head)?;
    let mut found = Commit {
        id: head.to_string(),
        author: author(&commit),
        subject: commit.summary_bytes().map(text).unwrap_or_default(),
        ..Commit::default()
    };
    for id in mirror.since(head, base)?.into_iter().take(MAX_COMMITS) {
        let commit = mirror.commit(id)?;
        let short: String = id.to_string().chars().take(8).collect();
        let (allowed, problems) = trailers(commit.message_raw_bytes());
        found.allowances.extend(allowed.into_iter().map(|(what, count, reason)| Allowance {
            what,
            count,
            reason,
            by: AllowedBy::Trailer { commit: id.to_string(), author: author(&commit) },
        }));
        found.warnings.extend(problems.into_iter().map(|problem| format!("commit {short}: {problem}")));
    }
    Ok(found)
}

/// `Name <address>`.
pub(super) fn author(commit: &git2::Commit<'_>) -> String {
    let author = commit.author();
    format!("{} <{}>", text(author.name_bytes()), text(author.email_bytes()))
}

/// Whoever may commit chose these bytes.
fn text(bytes: &[u8]) -> String {
    printable(&String::from_utf8_lossy(bytes))
}

/// What is allowed, how often, and why.
type Words = (Allowed, usize, String);

/// What a message allows, and what it seems to want to allow.
fn trailers(message: &[u8]) -> (Vec<Words>, Vec<String>) {
    let (mut allowances, mut problems) = (Vec::new(), Vec::new());
    let message = String::from_utf8_lossy(message);
    let looks_like_one = |line: &&str| {
        line.get(..ALLOW.len()).is_some_and(|start| start.eq_ignore_ascii_case(ALLOW)) && line.contains(':')
    };
    let mut written = message.lines().filter(looks_like_one).count();
    if written == 0 || message.len() > MAX_MESSAGE {
        return (allowances, problems);
    }
    let Ok(block) = git2::message_trailers_strs(&message) else { return (allowances, problems) };
    for (key, value) in block.iter() {
        if key.get(..ALLOW.len()).is_none_or(|start| !start.eq_ignore_ascii_case(ALLOW)) {
            continue;
        }
        written = written.saturating_sub(1);
        match allowance(key, value) {
            Ok(allowance) => allowances.push(allowance),
            Err(problem) => problems.push(problem),
        }
    }
    if written > 0 {
        problems.push(format!("a line `{ALLOW}…` allows nothing outside the last paragraph of the message"));
    }
    (allowances, problems)
}

fn allowance(key: &str, value: &str) -> Result<Words, String> {
    let kinds = [Allowed::Deletes, Allowed::Updates];
    let Some(what) = kinds.into_iter().find(|kind| key.eq_ignore_ascii_case(kind.trailer())) else {
        let [deletes, updates] = kinds.map(Allowed::trailer);
        return Err(format!(
            "there is no trailer `{}`; wanted is `{deletes}` or `{updates}`",
            printable(key)
        ));
    };
    let (number, reason) = value.trim().split_once(char::is_whitespace).unwrap_or((value.trim(), ""));
    let reason = reason.trim();
    match number.parse() {
        Ok(count) if count > 0 && !reason.is_empty() => Ok((what, count, printable(reason))),
        _ => {
            Err(format!("`{key}: {value}` allows nothing; wanted is a number and a reason, `{key}: 12 why`"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(message: &str) -> Vec<Words> {
        let (allowances, problems) = trailers(message.as_bytes());
        assert_eq!(problems, [""; 0], "{message}");
        allowances
    }

    fn refused(message: &str) -> String {
        let (allowances, problems) = trailers(message.as_bytes());
        assert_eq!((allowances.len(), problems.len()), (0, 1), "{message}");
        problems[0].clone()
    }

    #[test]
    fn a_trailer_names_a_number_and_a_reason() {
        let message = "Move west\n\nBody.\n\nReconciler-Allow-Deletes: 12 the west region closes\n\
                       reconciler-allow-updates: 3 owners: new names\nSigned-off-by: Ada\n";
        assert_eq!(
            allowed(message),
            [
                (Allowed::Deletes, 12, "the west region closes".to_owned()),
                (Allowed::Updates, 3, "owners: new names".to_owned())
            ]
        );
        assert_eq!(allowed("Nothing special\n\nReviewed-by: Bob\n"), []);
    }

    #[test]
    fn what_lacks_one_of_the_two_allows_nothing_and_is_reported() {
        for value in
            ["12", "all of them", "", "-3 why", "0 why", "99999999999999999999999 why", "12reason why"]
        {
            let message = format!("Subject\n\nReconciler-Allow-Deletes: {value}\n");
            let problem = refused(&message);
            assert!(problem.contains("wanted is a number and a reason"), "{value}: {problem}");
        }
        let problem = refused("Subject\n\nReconciler-Allow-Everything: 5 why\n");
        assert!(problem.starts_with("there is no trailer"), "{problem}");
    }

    #[test]
    fn a_line_in_the_middle_of_a_message_is_no_trailer() {
        let problem =
            refused("Squash\n\nReconciler-Allow-Deletes: 12 why\n\nand more text that is a paragraph.\n");
        assert!(problem.contains("last paragraph"), "{problem}");
        assert_eq!(trailers(&[0xff, 0xfe, b'\n']), (Vec::new(), Vec::new()));
    }
}
