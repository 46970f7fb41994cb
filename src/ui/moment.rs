//! Times as people say them; the exact one is behind each.

use maud::{Markup, html};
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Duration, OffsetDateTime, UtcOffset};

/// `3 min ago`, with the exact time for who asks; a dash where there is none.
pub(super) fn when(text: Option<&str>) -> Markup {
    let Some(at) = text.and_then(read) else { return html! { span.muted { "–" } } };
    html! { time datetime=(text.unwrap_or_default()) title=(exact(at)) { (apart(at, OffsetDateTime::now_utc())) } }
}

/// `2026-11-30 14:05 UTC`.
pub(super) fn at(text: Option<&str>) -> Markup {
    let Some(at) = text.and_then(read) else { return html! { span.muted { "–" } } };
    html! { time datetime=(text.unwrap_or_default()) { (exact(at)) } }
}

/// As a field for a date writes it.
pub(super) fn today() -> String {
    OffsetDateTime::now_utc().date().to_string()
}

/// Whether it was in the last day.
pub(super) fn is_in_last_day(text: &str, now: OffsetDateTime) -> bool {
    read(text).is_some_and(|at| now - at < Duration::DAY)
}

pub(super) fn read(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok()?.checked_to_offset(UtcOffset::UTC)
}

fn exact(at: OffsetDateTime) -> String {
    at.format(format_description!("[year]-[month]-[day] [hour]:[minute] UTC")).unwrap_or_default()
}

fn apart(at: OffsetDateTime, now: OffsetDateTime) -> String {
    let seconds = (now - at).whole_seconds();
    let (size, is_past) = (seconds.unsigned_abs(), seconds >= 0);
    let (count, unit) = match size {
        0..5 => return "just now".to_owned(),
        5..60 => (size, "s"),
        60..3_600 => (size / 60, "min"),
        3_600..86_400 => (size / 3_600, "h"),
        86_400..2_592_000 => (size / 86_400, "d"),
        _ => return at.date().to_string(),
    };
    if is_past { format!("{count} {unit} ago") } else { format!("in {count} {unit}") }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_day_ago_is_not_in_the_last_day() {
        let now = datetime!(2026-11-30 12:00 UTC);
        for (text, late) in [
            ("2026-11-30T11:59:59Z", true),
            ("2026-11-29T13:00:01+01:00", true),
            ("2026-11-29T12:00:00Z", false),
            ("yesterday", false),
        ] {
            assert_eq!(is_in_last_day(text, now), late, "{text}");
        }
    }

    #[test]
    fn times_are_said_as_people_say_them() {
        let now = datetime!(2026-11-30 12:00 UTC);
        for (at, said) in [
            (datetime!(2026-11-30 11:59:58 UTC), "just now"),
            (datetime!(2026-11-30 11:59:18 UTC), "42 s ago"),
            (datetime!(2026-11-30 11:01 UTC), "59 min ago"),
            (datetime!(2026-11-29 13:00 UTC), "23 h ago"),
            (datetime!(2026-11-02 12:00 UTC), "28 d ago"),
            (datetime!(2026-01-02 12:00 UTC), "2026-01-02"),
            (datetime!(2026-12-02 12:00 UTC), "in 2 d"),
        ] {
            assert_eq!(apart(at, now), said);
        }
        assert_eq!(
            when(Some("<script>")).into_string(),
            when(None).into_string(),
            "what is no time is not shown"
        );
    }
}
