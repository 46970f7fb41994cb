//! A write that was refused, as the caller is told.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::api::auth::Caller;
use crate::api::problem::Problem;
use crate::zone::{Excerpt, WriteFinding, WriteRefusal};

/// Why it was not written, and what can be done.
pub(in crate::api) fn problem(caller: &Caller, refusal: WriteRefusal) -> Problem {
    if caller.sees_all() { in_full(refusal) } else { in_part(refusal) }
}

/// For those who see all zones, and the service.
fn in_full(refusal: WriteRefusal) -> Problem {
    let problem = of(&refusal, detail(&refusal));
    match refusal {
        WriteRefusal::Off { file, text, diff, .. } => {
            problem.with("file", json!(file)).with("text", json!(text)).with("diff", json!(diff))
        }
        WriteRefusal::Invalid(findings) => {
            let finding =
                |it: &WriteFinding| json!({ "code": it.code, "place": it.place, "message": with_help(it) });
            problem.with("findings", findings.iter().map(finding).collect())
        }
        WriteRefusal::Guarded { reasons, ways_out } => {
            problem.with("reasons", json!(reasons)).with("waysOut", json!(ways_out))
        }
        _ => problem,
    }
}

/// For the others: of a file that holds more than their zone, their zone's document; and no place, address, commit or name that is none of
/// their business.
fn in_part(refusal: WriteRefusal) -> Problem {
    match refusal {
        WriteRefusal::Off { file, text, excerpt: Some(Excerpt { document, diff }), .. } => {
            // What is given here must not be taken for the whole file.
            let what = match (&document, text) {
                (Some(_), _) => format!(
                    "put the document that is given here in the place of the zone's in {file}, and leave the rest of it as it is"
                ),
                (None, Some(_)) => {
                    format!("take the zone's document out of {file}, and leave the rest of it as it is")
                }
                (None, None) => format!("remove {file}"),
            };
            Problem::conflict(format!("{OFF}: {what}"))
                .with("file", json!(file))
                .with("document", json!(document))
                .with("diff", json!(diff))
        }
        WriteRefusal::Invalid(findings) => {
            // The next step may name clusters and issuers.
            let findings: Vec<_> = findings.into_iter().map(|it| WriteFinding { help: None, ..it }).collect();
            let finding =
                |it: &WriteFinding| json!({ "code": it.code, "place": Value::Null, "message": it.message });
            let found: Value = findings.iter().map(finding).collect();
            let refusal = WriteRefusal::Invalid(findings);
            of(&refusal, detail(&refusal)).with("findings", found)
        }
        refusal => match in_general(&refusal) {
            Some(detail) => of(&refusal, detail),
            None => in_full(refusal),
        },
    }
}

/// What is said instead of words that are for operators.
fn in_general(refusal: &WriteRefusal) -> Option<&'static str> {
    match refusal {
        WriteRefusal::File(_) => Some(
            "the file that has the zone, or would have it, cannot be edited as things are: ask an administrator",
        ),
        WriteRefusal::Guarded { .. } => Some("a guard would hold this back: ask an administrator"),
        WriteRefusal::Held(_) => Some("nothing is written to the source as things are: ask an administrator"),
        WriteRefusal::Refused(_) => {
            Some("the source's server does not take the commit; nothing was written: ask an administrator")
        }
        WriteRefusal::Unreachable(_) => {
            Some("nothing was written: the source cannot be read or written now; try again in a moment")
        }
        WriteRefusal::Unknown(_) => {
            Some("it is not known whether the change was written; look at the zone before you try again")
        }
        WriteRefusal::Off { .. }
        | WriteRefusal::NotARepository
        | WriteRefusal::NotFound
        | WriteRefusal::Exists
        | WriteRefusal::Changed
        | WriteRefusal::Invalid(_)
        | WriteRefusal::Raced
        | WriteRefusal::NotLeading => None,
    }
}

/// A problem of the refusal's status.
fn of(refusal: &WriteRefusal, detail: impl Into<String>) -> Problem {
    match refusal {
        WriteRefusal::NotFound => Problem::not_found(detail),
        WriteRefusal::Changed => Problem::new(StatusCode::PRECONDITION_FAILED, detail),
        WriteRefusal::Invalid(_) => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail),
        WriteRefusal::Unreachable(_) | WriteRefusal::Unknown(_) | WriteRefusal::NotLeading => {
            Problem::unavailable(detail)
        }
        WriteRefusal::Off { .. }
        | WriteRefusal::NotARepository
        | WriteRefusal::Exists
        | WriteRefusal::File(_)
        | WriteRefusal::Guarded { .. }
        | WriteRefusal::Held(_)
        | WriteRefusal::Raced
        | WriteRefusal::Refused(_) => Problem::conflict(detail),
    }
}

fn with_help(finding: &WriteFinding) -> String {
    let help = finding.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
    format!("{}{help}", finding.message)
}

const OFF: &str = "this installation does not write to its source (`source.writeBack.mode` is none)";

/// One sentence for people.
fn detail(refusal: &WriteRefusal) -> String {
    match refusal {
        WriteRefusal::Off { file, text: Some(_), .. } => {
            format!("{OFF}: commit the text that is given here as {file}")
        }
        WriteRefusal::Off { file, text: None, .. } => format!("{OFF}: remove {file}"),
        WriteRefusal::NotARepository => {
            "the source is a folder, not a Git repository: change the files there".to_owned()
        }
        WriteRefusal::NotFound => "there is no zone of this name in the source".to_owned(),
        WriteRefusal::Exists => "there is a zone of this name already".to_owned(),
        WriteRefusal::Changed => {
            "the zone has changed since you read it: read it again, and look whether your change still fits"
                .to_owned()
        }
        WriteRefusal::Invalid(findings) => {
            let first = findings.first().map(|it| format!("{}: {}", it.code, with_help(it)));
            format!("the files would not be right: {}", first.unwrap_or_default())
        }
        WriteRefusal::File(why)
        | WriteRefusal::Held(why)
        | WriteRefusal::Unreachable(why)
        | WriteRefusal::Unknown(why) => why.clone(),
        WriteRefusal::Guarded { reasons, .. } => {
            format!("a guard would hold this back: {}", reasons.join("; "))
        }
        WriteRefusal::Raced => {
            "others keep pushing to the source: nothing was written; try again in a moment".to_owned()
        }
        WriteRefusal::Refused(words) => {
            format!("the source's server does not take the commit: {words}; nothing was written")
        }
        WriteRefusal::NotLeading => {
            "nothing was written: the leader is changing; try again in a moment".to_owned()
        }
    }
}
