//! A part of a page that is asked for beside the others.

use axum::http::StatusCode;
use maud::{Markup, html};

use crate::ui::failure::Failure;

#[derive(Debug)]
pub(super) enum Part<T> {
    Had(T),
    /// It cannot be had now, which is said in its place: who does not see it would take it for none.
    Missed(Failure),
    /// It is not for this visitor, who does not hear of it.
    Hidden,
}

impl<T> Part<T> {
    /// What came of the question. Whoever is not signed in any more gets no page at all.
    pub(super) fn of(asked: Result<T, Failure>) -> Result<Self, Failure> {
        match asked {
            Ok(had) => Ok(Self::Had(had)),
            Err(failure) if failure.status == StatusCode::FORBIDDEN => Ok(Self::Hidden),
            Err(failure) if failure.status == StatusCode::UNAUTHORIZED => Err(failure),
            Err(failure) => Ok(Self::Missed(failure)),
        }
    }

    pub(super) fn had(&self) -> Option<&T> {
        if let Self::Had(had) = self { Some(had) } else { None }
    }

    pub(super) fn is_hidden(&self) -> bool {
        matches!(self, Self::Hidden)
    }

    pub(super) fn show(&self, show: impl FnOnce(&T) -> Markup) -> Markup {
        match self {
            Self::Had(had) => show(had),
            Self::Missed(failure) => failure.aside(),
            Self::Hidden => html! {},
        }
    }
}
