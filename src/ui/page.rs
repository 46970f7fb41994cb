//! The frame of every page.

use maud::{DOCTYPE, Markup, html};

use super::assets::{ICON, SCRIPT, STYLE};
use super::form::CSRF;
use super::visitor::Visitor;
use super::{live, zones};

/// The parts of the site, in the order of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Zones,
    Topics,
    Activity,
    Nodes,
}

impl Place {
    const ALL: [Self; 4] = [Self::Zones, Self::Topics, Self::Activity, Self::Nodes];

    fn name(self) -> &'static str {
        match self {
            Self::Zones => "Zones",
            Self::Topics => "Topics",
            Self::Activity => "Activity",
            Self::Nodes => "Nodes",
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Zones => zones::LIST,
            Self::Topics => "/ui/topics",
            Self::Activity => "/ui/activity",
            Self::Nodes => "/ui/nodes",
        }
    }

    /// Whether this visitor has anything to see there.
    fn is_for(self, visitor: &Visitor) -> bool {
        match self {
            Self::Zones => true,
            Self::Topics => visitor.role() != "partner",
            Self::Activity | Self::Nodes => visitor.sees_service(),
        }
    }
}

/// What a page is called, and where it belongs.
#[derive(Debug)]
pub(super) struct Title {
    text: String,
    place: Option<Place>,
}

impl Title {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), place: None }
    }

    pub(super) fn at(self, place: Place) -> Self {
        Self { place: Some(place), ..self }
    }
}

/// A page for somebody who is signed in.
pub(super) fn whole(visitor: &Visitor, title: &Title, content: &Markup) -> Markup {
    let places = Place::ALL.into_iter().filter(|place| place.is_for(visitor));
    let bar = html! {
        nav aria-label="Main" {
            ul {
                @for place in places {
                    li { a href=(place.path()) aria-current=[(title.place == Some(place)).then_some("page")] { (place.name()) } }
                }
            }
        }
        details.menu.account {
            summary { span.who { (visitor.name()) } span.role { (visitor.role()) } }
            div.panel {
                p.muted {
                    @match visitor.key() {
                        Some(key) => { "Signed in with the API key " code { (key) } },
                        None => { "Signed in as " (visitor.name()) },
                    }
                    ", role " strong { (visitor.role()) } "."
                }
                form method="post" action="/ui/sign-out" {
                    input type="hidden" name=(CSRF) value=(visitor.csrf());
                    button type="submit" { "Sign out" }
                }
            }
        }
    };
    // Whoever may not hear of changes reads pages as they were.
    let live = visitor.sees_service().then_some(live::PATH);
    frame(&title.text, &bar, live, content)
}

/// A page for anybody.
pub(super) fn bare(title: &str, content: &Markup) -> Markup {
    frame(title, &html! {}, None, content)
}

fn frame(title: &str, bar: &Markup, live: Option<&str>, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Partner Zones" }
                link rel="icon" type="image/svg+xml" href=(ICON.path());
                link rel="stylesheet" href=(STYLE.path());
                script src=(SCRIPT.path()) defer {}
            }
            body data-events=[live] {
                a.skip href="#main" { "Skip to the content" }
                header.bar {
                    a.brand href=(zones::LIST) { span.mark aria-hidden="true" {} "Partner Zones" }
                    (bar)
                }
                main #main tabindex="-1" { (content) }
                div #announcer .unseen role="status" aria-live="polite" {}
            }
        }
    }
}
