//! What is wrong with a draft, as the API says it, at the fields that it is said of.

use maud::{Markup, html};
use serde_json::Value;

use super::draft::Draft;
use super::fields::{CLUSTER, CONTACT, FIELDS, GATEWAY, ISSUER, NAME, SERVICE_ACCOUNT, Step, TOPICS, is_in};
use crate::ui::failure::{Failure, sentence};
use crate::ui::parts::marked;
use crate::ui::zones::member;

/// Findings across zones and files say no place in the zone. These are always of one field.
const OF_A_FIELD: [(&str, &str); 5] = [
    ("PZ0300", NAME),
    ("PZ0301", SERVICE_ACCOUNT),
    ("PZ0302", GATEWAY),
    ("PZ0303", CLUSTER),
    ("PZ0307", ISSUER),
];

/// Complaints, each with the place in the manifest that it is of; an empty one is the zone as a whole.
#[derive(Debug, Clone, Default)]
pub(super) struct Wrong(Vec<(String, String)>);

impl Wrong {
    /// Of a draft that was sent.
    pub(super) fn of(failure: &Failure, draft: &Draft) -> Self {
        let findings = failure.more.get("findings").and_then(Value::as_array);
        let said = findings.into_iter().flatten().map(|finding| complaint(finding, draft));
        Self(said.collect())
    }

    pub(super) fn at_field(place: &str, message: &str) -> Self {
        Self(vec![(place.to_owned(), message.to_owned())])
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What this step can do something about.
    pub(super) fn in_step(self, step: Step) -> Self {
        Self(self.0.into_iter().filter(|(place, _)| step.shows(place)).collect())
    }

    /// The step where somebody has to go first.
    pub(super) fn first_step(&self) -> Option<Step> {
        Step::ALL.into_iter().find(|step| self.0.iter().any(|(place, _)| step.shows(place)))
    }

    /// What is said of a field, and of what is inside it.
    pub(super) fn at(&self, field: &str) -> Option<String> {
        let here = self.0.iter().filter(|(place, _)| is_in(place, field));
        let said: Vec<_> = here.map(|(_, message)| sentence(message)).collect();
        (!said.is_empty()).then(|| said.join(" "))
    }

    /// All of it, each with a link to its field on this step, or a button to the step where it is.
    pub(super) fn summary(&self, shown: Step) -> Markup {
        html! {
            @if !self.is_empty() {
                div.notice.bad role="alert" {
                    p { strong { "This does not work yet." } }
                    ul {
                        @for (place, message) in &self.0 {
                            li {
                                @if shown.shows(place) { a href={ "#" (field_of(place)) } { (marked(&sentence(message))) } }
                                @else {
                                    (marked(&sentence(message))) " "
                                    @if let Some(step) = Step::ALL.into_iter().find(|step| step.shows(place)) {
                                        button.small type="submit" name="go" value={ "step:" (step.key()) } { "Go to " (step.title()) }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The API puts the place behind the message: ``… (at `spec.url`)``.
fn complaint(finding: &Value, draft: &Draft) -> (String, String) {
    let message = member(finding, "/message").unwrap_or("something is wrong here");
    let help = member(finding, "/help").map(|help| format!("; {help}")).unwrap_or_default();
    let split = message.strip_suffix(')').and_then(|message| message.rsplit_once(" (at "));
    if let Some((said, place)) = split {
        // `the document` has no marks, and is no field.
        let place = place.strip_prefix('`').and_then(|place| place.strip_suffix('`')).unwrap_or_default();
        let said = match needed(place).filter(|_| draft.lacks(place)) {
            // In the API's words it does not match a pattern.
            Some(what) => format!("fill in {what}"),
            None => format!("{said}{help}"),
        };
        return (place.to_owned(), said);
    }
    let code = member(finding, "/code").unwrap_or_default();
    let field = OF_A_FIELD.iter().find(|(known, _)| *known == code).map_or("", |(_, field)| field);
    (field.to_owned(), format!("{message}{help}"))
}

/// What cannot be left empty, as the page calls it.
fn needed(place: &str) -> Option<&'static str> {
    match place {
        NAME => Some("the technical id"),
        SERVICE_ACCOUNT => Some("the service account"),
        GATEWAY => Some("the gateway"),
        CONTACT => Some("the contact's name"),
        place if is_in(place, TOPICS) && place.ends_with("].name") => Some("the alias"),
        _ => None,
    }
}

/// Its id on the page: what is inside a field's value has none of its own.
fn field_of(place: &str) -> &str {
    FIELDS.into_iter().find(|(field, _)| is_in(place, field)).map_or(place, |(field, _)| field)
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;
    use serde_json::json;

    use super::*;
    use crate::ui::rest::Problem;

    fn wrong(findings: &Value) -> Wrong {
        let problem: Problem =
            serde_json::from_value(json!({ "detail": "x", "findings": findings })).unwrap();
        let mut draft = Draft::default();
        draft.set("spec.url", "x");
        draft.share(["a", "b"].into_iter()).unwrap();
        Wrong::of(&Failure::of(StatusCode::UNPROCESSABLE_ENTITY, problem), &draft)
    }

    #[test]
    fn what_the_api_says_of_a_place_is_said_at_its_field() {
        let wrong = wrong(&json!([
            {"code": "PZ0106", "message": "`x` is not a web address (at `spec.url`)", "help": "begin it with https://"},
            {"code": "PZ0106", "message": "`1` is no CIDR block (at `spec.access.allowedCidrs[1]`)", "help": null},
            {"code": "PZ0201", "message": "the alias `a` is here twice (at `spec.topics[1].name`)"},
            {"code": "PZ0301", "place": "zones/b.yaml:3:1", "message": "the service account is taken"},
            {"code": "PZ0106", "message": "the text is empty (at `spec.cluster`)"},
            {"code": "PZ0102", "message": "the document lacks the field `kind` (at the document)"},
        ]));
        let at = |field| wrong.at(field);
        assert_eq!(at("spec.url").unwrap(), "`x` is not a web address; begin it with https://.");
        assert_eq!(at("spec.access.allowedCidrs").unwrap(), "`1` is no CIDR block.");
        assert_eq!(at("spec.topics[1].name").unwrap(), "The alias `a` is here twice.");
        assert_eq!((at("spec.topics[0].name"), at("spec.topics[11].name")), (None, None));
        assert_eq!(at(GATEWAY).unwrap(), "Fill in the gateway.");
        assert_eq!(at(SERVICE_ACCOUNT).unwrap(), "The service account is taken.");
        assert_eq!(wrong.first_step(), Some(Step::Details));
        let summary = wrong.summary(Step::Policies).into_string();
        for said in [
            "<a href=\"#spec.access.allowedCidrs\">",
            "value=\"step:topics\">Go to Topics",
            "lacks the field <code>kind</code>",
        ] {
            assert!(summary.contains(said), "{said}: {summary}");
        }
        assert!(wrong.clone().in_step(Step::Topics).first_step() == Some(Step::Topics));
        assert!(wrong.in_step(Step::Review).is_empty());
    }

    #[test]
    fn what_it_says_is_text() {
        let wrong = wrong(&json!([{"code": "x", "message": "<b>bad</b> (at `spec.\"><script>`)"}]));
        let summary = wrong.summary(Step::Details).into_string();
        assert!(!summary.contains("<script>") && !summary.contains("<b>"), "{summary}");
    }
}
