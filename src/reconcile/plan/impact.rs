//! What partners will notice of a change, by what the nodes say of those who are connected now.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Action, Address, Change, Form};
use crate::store::Nodes;
use crate::zone::{Operation, Permission, TopicName, ZoneName};

/// Clients that are connected now, over all nodes that live.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Connected {
    zones: BTreeMap<ZoneName, Clients>,
    /// A node has more to say than a heartbeat holds.
    is_partial: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Clients {
    all: u64,
    by_alias: BTreeMap<TopicName, u64>,
}

/// What becomes of clients that are connected now. There is at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Impact {
    pub clients: u64,
    /// For people: `3 connected clients lose \`orders\``.
    pub message: String,
}

impl Connected {
    /// By their last heartbeats. A name that is none is ignored: heartbeats decide about nothing.
    pub fn of(nodes: &Nodes) -> Self {
        let mut connected = Self::default();
        for node in nodes.values() {
            connected.is_partial |= node.usage_is_partial;
            for (zone, usage) in &node.usage {
                let Ok(zone) = ZoneName::try_from(zone.as_str()) else { continue };
                let clients = connected.zones.entry(zone).or_default();
                clients.all = clients.all.saturating_add(usage.clients);
                for (alias, number) in &usage.topics {
                    let Ok(alias) = TopicName::try_from(alias.as_str()) else { continue };
                    let of_alias = clients.by_alias.entry(alias).or_default();
                    *of_alias = of_alias.saturating_add(*number);
                }
            }
        }
        connected
    }

    fn clients(&self, zone: &ZoneName) -> u64 {
        self.zones.get(zone).map_or(0, |clients| clients.all)
    }

    fn clients_of(&self, zone: &ZoneName, alias: &TopicName) -> u64 {
        self.zones.get(zone).and_then(|clients| clients.by_alias.get(alias)).copied().unwrap_or_default()
    }
}

/// Of those changes that somebody connected now will notice.
pub(super) fn of(changes: &[Change], connected: &Connected) -> BTreeMap<Address, Impact> {
    let impact = |change: &Change| {
        let (clients, what) = match &change.address {
            Address::Zone(zone) => {
                let clients = connected.clients(zone);
                (clients, of_zone(&Sides::of(change), clients)?)
            }
            Address::Topic { zone, alias } => {
                let sides = Sides::of(change);
                let known = named(sides.before.as_ref()).unwrap_or_else(|| alias.clone());
                let clients = connected.clients_of(zone, &known);
                (clients, of_topic(&sides, &known, clients)?)
            }
            Address::Principal(_) | Address::Acl { .. } => return None,
        };
        let at_least = if connected.is_partial { "at least " } else { "" };
        let noun = by_number(clients, "client", "clients");
        let message = format!("{at_least}{clients} connected {noun} {what}");
        (clients > 0).then(|| (change.address.clone(), Impact { clients, message }))
    };
    // Nobody is in most zones: then nothing is looked into.
    let concerned = changes.iter().filter(|change| connected.zones.contains_key(change.address.zone()));
    concerned.filter_map(impact).collect()
}

/// A change to look into.
struct Sides {
    action: Action,
    before: Option<Value>,
    after: Option<Value>,
}

impl Sides {
    fn of(change: &Change) -> Self {
        let value = |form: &Option<Form>| form.as_ref().map(Form::value);
        Self { action: change.action, before: value(&change.before), after: value(&change.after) }
    }
}

fn by_number(number: u64, one: &'static str, several: &'static str) -> &'static str {
    if number == 1 { one } else { several }
}

/// The alias as clients know it now.
fn named(topic: Option<&Value>) -> Option<TopicName> {
    TopicName::try_from(topic?.get("name")?.as_str()?).ok()
}

fn of_topic(change: &Sides, alias: &TopicName, clients: u64) -> Option<String> {
    let field = |topic: &Option<Value>, name: &str| topic.as_ref().and_then(|topic| topic.get(name)).cloned();
    let lose = by_number(clients, "loses", "lose");
    match change.action {
        Action::Create => None,
        Action::Delete => Some(format!("{lose} `{alias}`")),
        Action::Move => {
            let new = named(change.after.as_ref())?;
            Some(format!("{lose} `{alias}`, which is called `{new}` from then on"))
        }
        Action::Update if field(&change.before, "backingTopic") != field(&change.after, "backingTopic") => {
            let get = by_number(clients, "gets", "get");
            Some(format!("{get} another topic behind `{alias}`"))
        }
        Action::Update => {
            let permission = |topic| permission(field(topic, "permission").as_ref()?.as_str()?);
            let (before, after) = (permission(&change.before)?, permission(&change.after)?);
            let loses = |operation| before.allows(operation) && !after.allows(operation);
            let lost = [(Operation::Read, "read"), (Operation::Write, "write to")];
            let (_, verb) = lost.into_iter().find(|(operation, _)| loses(*operation))?;
            Some(format!("may no longer {verb} `{alias}`"))
        }
    }
}

fn permission(text: &str) -> Option<Permission> {
    [Permission::Read, Permission::Write, Permission::Produce].into_iter().find(|it| it.as_str() == text)
}

/// A zone's own change, as far as it reaches connections that are open.
fn of_zone(change: &Sides, clients: u64) -> Option<String> {
    let differs = |name: &str| {
        let spec = |zone: &Option<Value>| zone.as_ref().and_then(|it| it.get("spec")?.get(name)).cloned();
        spec(&change.before) != spec(&change.after)
    };
    let are = by_number(clients, "is", "are");
    match change.action {
        Action::Delete => Some(format!("{are} cut off")),
        Action::Update if differs("underlyingCluster") => {
            Some(format!("{are} cut off: the zone moves to another cluster"))
        }
        Action::Update if differs("authenticationMode") => {
            Some("may be cut off: what partners log in with changes".to_owned())
        }
        Action::Update if differs("access") => Some("may be cut off: the zone's access changes".to_owned()),
        Action::Create | Action::Update | Action::Move => None,
    }
}

#[cfg(test)]
mod tests;
