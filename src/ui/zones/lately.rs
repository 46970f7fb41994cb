//! Who was here lately, and what has changed, as far as a zone and its credentials tell it: for data owners, who see neither the nodes nor
//! the audit log, and wherever the clients themselves are asked for, of whom a node knows the number alone.

use std::cmp::Reverse;

use maud::{Markup, html};
use time::OffsetDateTime;

use super::credentials::{Credential, Credentials, takes_secrets};
use super::part::Part;
use super::zone::Zone;
use crate::ui::moment::{is_in_last_day, read, when};
use crate::ui::parts::{empty, revision};

/// Changes that are shown.
const SHOWN: usize = 8;

/// The credentials that were used in the last day, the last one first.
pub(super) fn used(credentials: &Credentials) -> Vec<&Credential> {
    let now = OffsetDateTime::now_utc();
    let is_used = |it: &&Credential| it.last_used_at.as_deref().is_some_and(|at| is_in_last_day(at, now));
    let mut used: Vec<_> = credentials.items.iter().filter(is_used).collect();
    used.sort_by_key(|it| Reverse(it.last_used_at.as_deref().and_then(read)));
    used
}

/// As a list: with which credential, from where, and when.
pub(super) fn uses(used: &[&Credential]) -> Markup {
    html! {
        ul {
            @for credential in used {
                li {
                    code { (credential.key_id) }
                    @if let Some(from) = &credential.last_used_from { " from " code { (from) } }
                    ", " (when(credential.last_used_at.as_deref()))
                }
            }
        }
    }
}

/// In place of the clients that the nodes tell of.
pub(super) fn clients(zone: &Zone, credentials: &Part<Credentials>) -> Markup {
    html! {
        @if takes_secrets(zone) && !credentials.is_hidden() {
            section.card aria-labelledby="clients-title" {
                h2 #clients-title { "Clients of the last day" }
                (credentials.show(|credentials| {
                    let used = used(credentials);
                    html! { @if used.is_empty() { p.muted { "No credential was used." } } @else { (uses(&used)) } }
                }))
            }
        }
    }
}

/// In place of the audit log.
pub(super) fn changes(zone: &Zone, credentials: &Part<Credentials>) -> Markup {
    let known = credentials.had().map_or(&[][..], |had| &had.items);
    let changed = zone.text("/status/updatedAt").map(|at| (at, changed(zone)));
    let made = known.iter().filter_map(|it| Some((it.created_at.as_deref()?, made(it, known))));
    let mut all: Vec<_> = changed.into_iter().chain(made).collect();
    all.sort_by_key(|(at, _)| Reverse(read(at)));
    html! {
        section.card aria-labelledby="changes-title" {
            h2 #changes-title { "Recent changes" }
            @if let Part::Missed(failure) = credentials { (failure.aside()) }
            @if all.is_empty() { (empty("Nothing has happened yet", "Changes of the zone and of its credentials appear here.", None)) }
            @else {
                ol.events {
                    @for (at, what) in all.iter().take(SHOWN) { li { p { (what) " " span.muted { (when(Some(at))) } } } }
                }
            }
            p.help { "Who changed what is in the audit log, which is for those who run this service." }
        }
    }
}

fn changed(zone: &Zone) -> Markup {
    html! {
        strong { "Zone changed" }
        @if let Some(text) = zone.text("/status/revision") { " " (revision(text)) }
    }
}

fn made(credential: &Credential, all: &[Credential]) -> Markup {
    let old = all.iter().find(|it| it.replaced_by.as_ref() == Some(&credential.key_id));
    html! {
        strong { "Credential issued" } " " code { (credential.key_id) }
        @if let Some(old) = old { " in place of " code { (old.key_id) } }
    }
}
