//! A write that was refused, as the caller is told.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::api::auth::Caller;
use crate::api::problem::Problem;
use crate::zone::{WriteFinding, WriteRefusal};

/// Why it was not written, and what can be done.
pub(in crate::api) fn problem(caller: &Caller, refusal: WriteRefusal) -> Problem {
    let detail = detail(&refusal);
    let finding = |it: &WriteFinding| finding(it, caller.sees_all());
    match refusal {
        WriteRefusal::Off { file, text, diff } => Problem::conflict(detail)
            .with("file", json!(file))
            .with("text", json!(text))
            .with("diff", json!(diff)),
        WriteRefusal::NotFound => Problem::not_found(detail),
        WriteRefusal::Changed => Problem::new(StatusCode::PRECONDITION_FAILED, detail),
        WriteRefusal::Invalid(findings) => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
            .with("findings", findings.iter().map(finding).collect()),
        WriteRefusal::Guarded { .. } if !caller.sees_all() => {
            Problem::conflict("a guard would hold this back: ask an administrator")
        }
        WriteRefusal::Guarded { reasons, ways_out } => {
            Problem::conflict(detail).with("reasons", json!(reasons)).with("waysOut", json!(ways_out))
        }
        WriteRefusal::Unreachable(_) | WriteRefusal::Unknown(_) | WriteRefusal::NotLeading => {
            Problem::unavailable(detail)
        }
        WriteRefusal::NotARepository
        | WriteRefusal::Exists
        | WriteRefusal::File(_)
        | WriteRefusal::Held(_)
        | WriteRefusal::Raced
        | WriteRefusal::Refused(_) => Problem::conflict(detail),
    }
}

/// The place may be in a file of another zone.
fn finding(finding: &WriteFinding, sees_all: bool) -> Value {
    let place = sees_all.then_some(&finding.place);
    json!({ "code": finding.code, "place": place, "message": finding.message })
}

/// One sentence for people.
fn detail(refusal: &WriteRefusal) -> String {
    match refusal {
        WriteRefusal::Off { file, text: Some(_), .. } => format!(
            "this installation does not write to its source (`source.writeBack.mode` is none): commit the text that is given here as {file}"
        ),
        WriteRefusal::Off { file, text: None, .. } => format!(
            "this installation does not write to its source (`source.writeBack.mode` is none): remove {file}"
        ),
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
            let first = findings.first().map(|it| format!("{}: {}", it.code, it.message));
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
