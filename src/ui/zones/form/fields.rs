//! What of a zone is one field of the form. A field is named after its place in the manifest, so that what the API says of a place is
//! said beside the field.

use serde_json::{Map, Value};

/// The steps, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Details,
    Topics,
    Authentication,
    Policies,
    Review,
}

pub(super) const NAME: &str = "metadata.name";
pub(super) const DISPLAY_NAME: &str = "spec.displayName";
pub(super) const CONTACT: &str = "spec.partner.name";
pub(super) const GATEWAY: &str = "spec.cluster";
pub(super) const CLUSTER: &str = "spec.underlyingCluster";
pub(super) const AUTHENTICATION: &str = "spec.authenticationMode.type";
pub(super) const SERVICE_ACCOUNT: &str = "spec.authenticationMode.serviceAccount";
pub(super) const ISSUER: &str = "spec.authenticationMode.issuer";
pub(super) const AUTHORITIES: &str = "spec.authenticationMode.ca";
pub(super) const TOPICS: &str = "spec.topics";
pub(super) const ADDED_HEADERS: &str = "spec.headers.addOnProduce";
pub(super) const REMOVED_HEADERS: &str = "spec.headers.removeOnConsume";
/// For the message of the commit; it is no part of the zone.
pub(super) const REASON: &str = "reason";

/// Fields that hold one value each; lists of topics and headers have rows of their own.
pub(super) const FIELDS: [(&str, Kind); 24] = [
    (NAME, Kind::Needed),
    ("metadata.labels", Kind::Labels),
    (DISPLAY_NAME, Kind::Line),
    ("spec.url", Kind::Line),
    ("spec.description", Kind::Lines),
    (CONTACT, Kind::Line),
    ("spec.partner.role", Kind::Line),
    ("spec.partner.email", Kind::Line),
    ("spec.partner.phone", Kind::Line),
    (GATEWAY, Kind::Needed),
    (CLUSTER, Kind::Line),
    (AUTHENTICATION, Kind::Needed),
    (SERVICE_ACCOUNT, Kind::Needed),
    (ISSUER, Kind::Line),
    (AUTHORITIES, Kind::Lines),
    ("spec.trafficControlPolicies.maxProduceRate", Kind::Number),
    ("spec.trafficControlPolicies.maxConsumeRate", Kind::Number),
    ("spec.trafficControlPolicies.limitCommitOffset", Kind::Number),
    ("spec.trafficControlPolicies.maxConnections", Kind::Number),
    ("spec.trafficControlPolicies.maxConnectionRate", Kind::Number),
    ("spec.trafficControlPolicies.maxRequestRate", Kind::Number),
    ("spec.access.validFrom", Kind::Moment),
    ("spec.access.validUntil", Kind::Moment),
    ("spec.access.allowedCidrs", Kind::List),
];

impl Step {
    pub(super) const ALL: [Self; 5] =
        [Self::Details, Self::Topics, Self::Authentication, Self::Policies, Self::Review];

    /// As forms say it.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Details => "details",
            Self::Topics => "topics",
            Self::Authentication => "authentication",
            Self::Policies => "policies",
            Self::Review => "review",
        }
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Details => "Details",
            Self::Topics => "Topics",
            Self::Authentication => "Authentication",
            Self::Policies => "Policies",
            Self::Review => "Review",
        }
    }

    pub(super) fn find(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.key() == key)
    }

    pub(super) fn next(self) -> Self {
        match self {
            Self::Details => Self::Topics,
            Self::Topics => Self::Authentication,
            Self::Authentication => Self::Policies,
            Self::Policies | Self::Review => Self::Review,
        }
    }

    pub(super) fn previous(self) -> Self {
        match self {
            Self::Details | Self::Topics => Self::Details,
            Self::Authentication => Self::Topics,
            Self::Policies => Self::Authentication,
            Self::Review => Self::Policies,
        }
    }

    /// Whether a place of the manifest can be seen to there. The service account fills itself from the name, and means another thing
    /// with each kind of authentication: two steps show it.
    pub(super) fn shows(self, place: &str) -> bool {
        const DETAILS: [&str; 7] =
            ["metadata", DISPLAY_NAME, "spec.url", "spec.description", "spec.partner", GATEWAY, CLUSTER];
        const POLICIES: [&str; 3] = ["spec.trafficControlPolicies", "spec.access", "spec.headers"];
        match self {
            Self::Details => place == SERVICE_ACCOUNT || DETAILS.iter().any(|root| is_in(place, root)),
            Self::Topics => is_in(place, TOPICS),
            Self::Authentication => is_in(place, "spec.authenticationMode"),
            Self::Policies => POLICIES.iter().any(|root| is_in(place, root)),
            Self::Review => place == REASON,
        }
    }
}

/// Whether a place is another one, or inside it.
pub(super) fn is_in(place: &str, root: &str) -> bool {
    place.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// What kind of value a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Line,
    /// A line that no zone is without: empty, it is there all the same, so that the API complains of it here.
    Needed,
    Lines,
    Number,
    /// Date and time in UTC, as browsers have it: without a zone.
    Moment,
    /// One entry a line.
    List,
    /// `key=value`, one a line.
    Labels,
}

impl Kind {
    /// The text as it comes out of a browser: line ends are theirs, and a line has none.
    pub(super) fn clean(self, text: &str) -> String {
        match self {
            Self::Lines | Self::List | Self::Labels => text.replace("\r\n", "\n").trim().to_owned(),
            Self::Line | Self::Needed | Self::Number | Self::Moment => one_line(text).trim().to_owned(),
        }
    }

    /// A value of the manifest, as the field shows it.
    pub(super) fn shown(self, value: &Value) -> String {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Array(entries) => entries.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n"),
            Value::Object(labels) => {
                let label =
                    |(key, value): (&String, &Value)| format!("{key}={}", value.as_str().unwrap_or_default());
                labels.iter().map(label).collect::<Vec<_>>().join("\n")
            }
            Value::Number(number) => number.to_string(),
            Value::Null | Value::Bool(_) => String::new(),
        };
        self.clean(if self == Self::Moment { without_zone(&text) } else { &text })
    }

    /// What somebody wrote, for the manifest. What is not understood goes to the API as it is, which says what is wrong.
    pub(super) fn value(self, text: &str) -> Value {
        match self {
            Self::Line | Self::Needed | Self::Lines => text.into(),
            Self::Number => text.parse::<u64>().map_or_else(|_| text.into(), Value::from),
            Self::Moment => with_zone(text).into(),
            Self::List => entries(text).map(Value::from).collect(),
            Self::Labels => Value::Object(labels(text)),
        }
    }
}

pub(super) fn one_line(text: &str) -> String {
    text.chars().filter(|character| !matches!(character, '\r' | '\n')).collect()
}

/// `2027-01-31T18:00`, with seconds where there are some.
fn without_zone(text: &str) -> &str {
    let local = text.strip_suffix('Z').unwrap_or(text);
    if is_local(local) { local.strip_suffix(":00").unwrap_or(local) } else { text }
}

fn with_zone(text: &str) -> String {
    match text.len() {
        16 if is_local(text) => format!("{text}:00Z"),
        19 if is_local(text) => format!("{text}Z"),
        _ => text.to_owned(),
    }
}

/// Whether a browser takes it as a date and a time: what it does not take, it would empty.
pub(super) fn is_local(text: &str) -> bool {
    let fits = |shape: &[u8]| {
        text.len() == shape.len()
            && text.bytes().zip(shape).all(|(byte, shape)| match shape {
                b'0' => byte.is_ascii_digit(),
                other => byte == *other,
            })
    };
    fits(b"0000-00-00T00:00") || fits(b"0000-00-00T00:00:00")
}

fn entries(text: &str) -> impl Iterator<Item = &str> {
    text.split(['\n', ',']).map(str::trim).filter(|entry| !entry.is_empty())
}

/// One a line, or with commas between them where each is a label: a value may have a comma.
fn labels(text: &str) -> Map<String, Value> {
    let mut labels = Map::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let are_all = line.split(',').all(|part| part.contains('=') || part.trim().is_empty());
        let parts: Vec<_> = if are_all { line.split(',').collect() } else { vec![line] };
        for part in parts.into_iter().map(str::trim).filter(|part| !part.is_empty()) {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            labels.insert(key.trim().to_owned(), value.trim().into());
        }
    }
    labels
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_field_is_shown_on_some_step_and_all_but_the_service_account_on_one() {
        for (place, _) in FIELDS {
            let shown = Step::ALL.into_iter().filter(|step| step.shows(place)).count();
            assert_eq!(shown, if place == SERVICE_ACCOUNT { 2 } else { 1 }, "{place}");
        }
        assert!(Step::Details.shows("spec.cluster") && !Step::Details.shows("spec.clusters"));
        assert!(Step::Topics.shows("spec.topics[3].name") && !Step::Topics.shows("spec.topicsX"));
    }

    #[test]
    fn values_come_back_as_they_were() {
        for (kind, value, shown) in [
            (Kind::Line, json!("a"), "a"),
            (Kind::Lines, json!("a\nb"), "a\nb"),
            (Kind::Number, json!(12), "12"),
            (Kind::Moment, json!("2027-01-31T18:00:00Z"), "2027-01-31T18:00"),
            (Kind::Moment, json!("2027-01-31T18:00:07Z"), "2027-01-31T18:00:07"),
            (Kind::Moment, json!("2027-01-31T18:00:07.123456789Z"), "2027-01-31T18:00:07.123456789Z"),
            (Kind::List, json!(["192.0.2.0/24", "::1/128"]), "192.0.2.0/24\n::1/128"),
            (Kind::Labels, json!({"a": "1,2", "b": ""}), "a=1,2\nb="),
        ] {
            assert_eq!(kind.shown(&value), shown);
            assert_eq!(kind.value(shown), value);
        }
    }

    #[test]
    fn what_is_written_in_another_way_is_understood_or_left_for_the_api_to_refuse() {
        assert_eq!(Kind::Labels.value("a=1, b = 2\nc"), json!({"a": "1", "b": "2", "c": ""}));
        assert_eq!(Kind::List.value("192.0.2.0/24, ::1/128\n\n"), json!(["192.0.2.0/24", "::1/128"]));
        assert_eq!(Kind::Number.value("12 MB"), json!("12 MB"));
        assert_eq!(Kind::Moment.value("tomorrow"), json!("tomorrow"));
        assert_eq!(Kind::Lines.clean(" a\r\nb\r\n"), "a\nb");
        assert_eq!(Kind::Line.clean("a\r\nb"), "ab");
    }
}
