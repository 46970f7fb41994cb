//! Which button was pressed.

use super::fields::Step;
use crate::ui::form::Form;

/// Where to go from a step.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Go<'f> {
    Next,
    To(Step),
    /// The same step again, with what was searched or added.
    Stay,
    /// The same step, with the topics from there on.
    Page(&'f str),
    TakeBack(usize),
    AnotherHeader,
    AnotherPattern,
    /// On with what is written here, over the zone as it is by now.
    Renew,
    Write,
}

impl<'f> Go<'f> {
    pub(super) fn read(form: &'f Form, step: Step) -> Self {
        let go = form.text("go");
        match go.split_once(':').unwrap_or((go, "")) {
            ("back", _) => Self::To(step.previous()),
            ("step", key) => Self::To(Step::find(key).unwrap_or(step)),
            ("renew", _) => Self::Renew,
            ("write", _) => Self::Write,
            // All else is for the other steps: this one is made again.
            _ if step == Step::Review => Self::To(step),
            ("enter", _) if step == Step::Topics && is_asked(form) => Self::Stay,
            ("next" | "enter", _) => Self::Next,
            ("page", token) => Self::Page(token),
            ("take-back", index) => index.parse().map_or(Self::Stay, Self::TakeBack),
            ("another-header", _) => Self::AnotherHeader,
            ("another-pattern", _) => Self::AnotherPattern,
            _ => Self::Stay,
        }
    }
}

/// Whoever presses Enter in the search wants to search, and to add in the field for that.
fn is_asked(form: &Form) -> bool {
    form.text("search") != form.text("searched") || !form.text("typed").is_empty()
}
