//! The first step: whom the zone is for, and what it is called.

use std::collections::BTreeSet;

use maud::{Markup, html};
use serde::Deserialize;

use super::fields::{CLUSTER, CONTACT, DISPLAY_NAME, GATEWAY, NAME, SERVICE_ACCOUNT};
use super::sheet::Said;
use super::{Filling, Task};
use crate::ui::parts::{Entry, Field, Need};
use crate::ui::visitor::Visitor;
use crate::ui::zones::zone::Zone;

/// What a gateway is called where nobody has named it.
const GATEWAY_BY_DEFAULT: &str = "gateway";

const ID_HELP: &str = "Stands in the file, in addresses, and in front of the partner's groups on the cluster. Small letters, digits, - _ . \
                       It cannot be changed later.";

/// Names that other zones have, as proposals.
#[derive(Debug, Deserialize)]
struct Others {
    items: Vec<Zone>,
}

impl Others {
    async fn ask(visitor: &Visitor) -> Self {
        // Without proposals a name is typed.
        let asked = visitor.get("/zones?sort=-updatedAt&limit=100").await;
        asked.unwrap_or(Self { items: Vec::new() })
    }

    fn names(&self, pointer: &str) -> BTreeSet<&str> {
        self.items.iter().filter_map(|zone| zone.text(pointer)).collect()
    }
}

/// The gateway of the zone that was changed last.
pub(super) async fn likely_gateway(visitor: &Visitor) -> String {
    let others = Others::ask(visitor).await;
    let last = others.items.iter().find_map(|zone| zone.text("/spec/cluster"));
    last.unwrap_or(GATEWAY_BY_DEFAULT).to_owned()
}

pub(super) async fn show(filling: &Filling, said: &Said) -> Markup {
    let others = Others::ask(&filling.visitor).await;
    html! {
        (names(filling, said))
        (contact(filling, said))
        (places(filling, said, &others))
    }
}

fn names(filling: &Filling, said: &Said) -> Markup {
    let field = |place, label, help| filling.field(said, place, label, help);
    let from = Some(DISPLAY_NAME).filter(|_| matches!(filling.task, Task::New));
    html! {
        section.card.stack aria-labelledby="names-title" {
            h2 #names-title { "Details" }
            (field(DISPLAY_NAME, "Name", "What people call the zone: the partner's name, as a rule.").show())
            @if from.is_some() {
                (Field { from, need: Need::Required, ..field(NAME, "Technical id", ID_HELP) }.show())
            } @else {
                div.field {
                    p.label { "Technical id" }
                    p { code { (filling.draft.text(NAME)) } }
                    p.help { "A zone cannot be renamed: with another id it is a new zone, whose partner's groups start anew." }
                }
            }
            (Field { from, need: Need::Required, ..field(SERVICE_ACCOUNT, "Service account", "The name that the partner's clients log in with. No other zone has it.") }.show())
            (Field { entry: Entry::Url, ..field("spec.url", "Partner's site", "Begins with https:// or http://.") }.show())
            (Field { entry: Entry::Lines, ..field("spec.description", "Why the data is shared", "For whoever asks in a year.") }.show())
            (Field { entry: Entry::Lines, ..field("metadata.labels", "Labels", "key=value, one a line or with commas between them.") }.show())
        }
    }
}

fn contact(filling: &Filling, said: &Said) -> Markup {
    let field = |place, label| filling.field(said, place, label, "");
    html! {
        fieldset.card.stack {
            legend { "Contact at the partner" }
            p.help { "Whom to ask. Nothing is sent to them." }
            div.pair {
                (field(CONTACT, "Contact's name").show())
                (field("spec.partner.role", "Role").show())
                (Field { entry: Entry::Email, ..field("spec.partner.email", "E-mail") }.show())
                (field("spec.partner.phone", "Phone").show())
            }
        }
    }
}

fn places(filling: &Filling, said: &Said, others: &Others) -> Markup {
    let field = |place, label, help| filling.field(said, place, label, help);
    let list = |id, names: BTreeSet<&str>| html! { datalist id=(id) { @for name in names { option value=(name) {} } } };
    html! {
        fieldset.card.stack {
            legend { "Where it is" }
            div.pair {
                (Field { need: Need::Required, list: Some("gateways"), ..field(GATEWAY, "Gateway", "The gateway that serves the zone: its `gateway.name`.") }.show())
                (Field { list: Some("clusters"), ..field(CLUSTER, "Source cluster", "The cluster that has the topics. Empty: the first one.") }.show())
            }
            (list("gateways", others.names("/spec/cluster")))
            (list("clusters", others.names("/spec/underlyingCluster")))
        }
    }
}
