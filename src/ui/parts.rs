//! What pages are made of.

use maud::{Markup, html};

use super::form::CSRF;
use super::visitor::Visitor;

/// How a zone, a credential or anything else stands. Its shape says it too: colours alone do not reach everybody.
pub(super) fn badge(state: &str) -> Markup {
    let kind = match state {
        "READY" | "ACTIVE" | "Applied" => "good",
        "FAILED" | "EXPIRED" | "Failed" | "Refused" => "bad",
        "PENDING" | "ROTATED" | "Held" => "waiting",
        _ => "plain",
    };
    html! { span.badge.(kind) { (state) } }
}

/// What a partner may do with a topic.
pub(super) fn permission(permission: &str) -> Markup {
    html! { span.permission.(permission.to_ascii_lowercase()) { (permission) } }
}

/// A text of the server's, with what stands between backticks as code.
pub(super) fn marked(text: &str) -> Markup {
    let pieces: Vec<_> = text.split('`').collect();
    // Without its partner a backtick is a letter.
    let last = if pieces.len() % 2 == 0 { pieces.len() - 1 } else { pieces.len() };
    html! {
        @for (at, piece) in pieces.iter().enumerate() {
            @if at >= last { "`" (piece) } @else if at % 2 == 1 { code { (piece) } } @else { (piece) }
        }
    }
}

/// `main@sha1:8c1f0a2b3c4d`: enough to find a commit by. All of it shows to who asks.
pub(super) fn revision(revision: &str) -> Markup {
    const LETTERS: usize = 12;
    let (name, digest) = revision.rsplit_once(':').unwrap_or(("", revision));
    let short: String = digest.chars().take(LETTERS).collect();
    html! { code title=(revision) { @if !name.is_empty() { (name) ":" } (short) } }
}

/// `1.2 MB`: powers of 1 000, as networks count.
pub(super) fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if count < 1_000 {
        return format!("{count} B");
    }
    #[allow(clippy::cast_precision_loss, reason = "three digits are shown")]
    let mut size = count as f64 / 1e3;
    let mut unit = 0;
    while size >= 999.5 && unit + 1 < UNITS.len() {
        size /= 1e3;
        unit += 1;
    }
    let digits = usize::from(size < 9.95);
    format!("{size:.digits$} {}", UNITS.get(unit).copied().unwrap_or_default())
}

/// `12 345`: with narrow spaces, which every language reads the same.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let mut text = String::with_capacity(digits.len() * 2);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && at % 3 == first {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// `1 topic`, `2 topics`.
pub(super) fn counted(number: u64, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{} {one}s", count(number)) }
}

/// Where there is nothing to show yet: what it would be, and what to do about it.
pub(super) fn empty(title: &str, text: &str, action: Option<Markup>) -> Markup {
    html! {
        div.empty {
            p.lead { (title) }
            p.muted { (text) }
            @if let Some(action) = action { p { (action) } }
        }
    }
}

/// The token that every form brings back.
pub(super) fn csrf(visitor: &Visitor) -> Markup {
    html! { input type="hidden" name=(CSRF) value=(visitor.csrf()); }
}

/// A field of a form that is written in.
#[derive(Debug, Default)]
pub(super) struct Field<'f> {
    /// Its id as well.
    pub(super) name: &'f str,
    pub(super) label: &'f str,
    pub(super) value: &'f str,
    pub(super) help: &'f str,
    /// What is wrong with the value.
    pub(super) error: Option<String>,
    pub(super) need: Need,
    pub(super) entry: Entry,
    /// The id of the field that fills this one, until somebody writes here.
    pub(super) from: Option<&'f str>,
    /// The id of a list of values that are likely.
    pub(super) list: Option<&'f str>,
}

/// Whether a field may be left empty.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    #[default]
    Optional,
    Required,
    /// It may, and need not be said: it is one of a row, or for a search.
    Unsaid,
}

/// What is written. None of them makes a browser change a value that it does not understand.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    #[default]
    Line,
    Lines,
    Number,
    Email,
    Url,
    /// Date and time of a day, without a zone.
    Moment,
}

impl Entry {
    /// Its type, and the keyboard that small devices show.
    fn attributes(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Line | Self::Lines => ("text", None),
            Self::Number => ("text", Some("numeric")),
            Self::Email => ("text", Some("email")),
            Self::Url => ("text", Some("url")),
            Self::Moment => ("datetime-local", None),
        }
    }
}

impl Field<'_> {
    pub(super) fn show(&self) -> Markup {
        self.below(&html! { label for=(self.name) { (self.label) @if self.need == Need::Optional { span.muted { " optional" } } } })
    }

    /// As a part of a row, whose head says what is in it.
    pub(super) fn cell(&self) -> Markup {
        self.below(&html! { label.unseen for=(self.name) { (self.label) } })
    }

    fn below(&self, label: &Markup) -> Markup {
        let is_described = self.error.is_some() || !self.help.is_empty();
        let described = is_described.then(|| format!("{}-help", self.name));
        html! {
            div.field.wrong[self.error.is_some()] {
                (label)
                (self.input(described.as_deref()))
                @if is_described {
                    p.help id=[&described] {
                        @if let Some(error) = &self.error { span.error { (marked(error)) } " " }
                        (marked(self.help))
                    }
                }
            }
        }
    }

    fn input(&self, described: Option<&str>) -> Markup {
        let (kind, keyboard) = self.entry.attributes();
        let invalid = self.error.as_ref().map(|_| "true");
        html! {
            @if self.entry == Entry::Lines {
                textarea id=(self.name) name=(self.name) rows="4" required[self.need == Need::Required] spellcheck="false" autocomplete="off"
                    aria-invalid=[invalid] aria-describedby=[described] { (self.value) }
            } @else {
                input id=(self.name) name=(self.name) type=(kind) inputmode=[keyboard] value=(self.value) required[self.need == Need::Required]
                    spellcheck="false" autocomplete="off" data-from=[self.from] list=[self.list]
                    step=[(self.entry == Entry::Moment).then_some("any")]
                    aria-invalid=[invalid] aria-describedby=[described];
            }
        }
    }
}

/// A link to the rest of a list, if there is more.
pub(super) fn more(next: Option<String>, is_first: bool, first: &str) -> Markup {
    html! {
        @if next.is_some() || !is_first {
            nav.pager aria-label="Pages" {
                @if !is_first { a.button href=(first) { "First page" } }
                @if let Some(next) = next { a.button href=(next) rel="next" { "Next page" } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_two_or_three_digits() {
        for (size, said) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (9_940, "9.9 kB"),
            (12_345, "12 kB"),
            (999_600, "1.0 MB"),
            (2_500_000_000, "2.5 GB"),
            (u64::MAX, "18 EB"),
        ] {
            assert_eq!(bytes(size), said);
        }
    }

    #[test]
    fn what_stands_between_backticks_is_code_and_nothing_is_lost() {
        for (text, shown) in [
            ("no `b` here", "no <code>b</code> here"),
            ("`<b>`", "<code>&lt;b&gt;</code>"),
            ("a ` alone <i>", "a ` alone &lt;i&gt;"),
            ("`a` and `b", "<code>a</code> and `b"),
            ("", ""),
        ] {
            assert_eq!(marked(text).into_string(), shown);
        }
        let short = revision("main@sha1:0123456789abcdef0123").into_string();
        assert!(
            short.contains(">main@sha1:0123456789ab<") && short.contains("0123456789abcdef0123\""),
            "{short}"
        );
        assert!(revision("<x>").into_string().contains("&lt;x&gt;"));
    }

    #[test]
    fn numbers_are_grouped_by_three() {
        for (number, said) in
            [(0, "0"), (999, "999"), (1_000, "1\u{202f}000"), (12_345_678, "12\u{202f}345\u{202f}678")]
        {
            assert_eq!(count(number), said);
        }
        assert_eq!((counted(1, "zone"), counted(2, "zone")), ("1 zone".to_owned(), "2 zones".to_owned()));
    }
}
