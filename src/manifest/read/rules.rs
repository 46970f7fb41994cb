//! Rules over the parts of one zone.

use std::collections::BTreeMap;

use crate::zone::{Access, ConsumerGroup, GroupName, Operation, SharedTopic};

use super::super::code::Code;
use super::super::fault::DocumentFault;
use super::super::finding::quote;

/// Each topic with its pointer. `complete`: whether these are all topics that the document lists.
pub(super) fn aliases(topics: &[(String, SharedTopic)], complete: bool) -> Vec<DocumentFault> {
    let mut faults = Vec::new();
    let mut by_alias = BTreeMap::new();
    let mut by_backing: BTreeMap<&str, Vec<&(String, SharedTopic)>> = BTreeMap::new();
    for entry in topics {
        let (pointer, topic) = entry;
        if let Some(first) = by_alias.get(&topic.alias) {
            faults.push(
                DocumentFault::new(
                    Code::DuplicateAlias,
                    format!("{pointer}/name"),
                    format!("the alias {} is here twice", quote(topic.alias.as_str())),
                )
                .help("give each shared topic a name of its own")
                .related(format!("{first}/name"), "first used here"),
            );
        } else {
            by_alias.insert(&topic.alias, pointer);
            by_backing.entry(topic.backing.as_str()).or_default().push(entry);
        }
    }
    for (backing, sharing) in by_backing {
        faults.extend(one_backing_topic(backing, &sharing));
    }
    // With an unreadable topic in the list, the replacement may be that one.
    if complete {
        faults.extend(topics.iter().filter_map(|(pointer, topic)| {
            let replacement = topic.deprecated.as_ref()?.replaced_by.as_ref()?;
            let known = by_alias.contains_key(replacement) && *replacement != topic.alias;
            (!known).then(|| {
                DocumentFault::new(
                    Code::UnknownReplacement,
                    format!("{pointer}/deprecated/replacedBy"),
                    format!("{} is no other alias of this zone", quote(replacement.as_str())),
                )
                .help("name an alias that is listed under `spec.topics`")
            })
        }));
    }
    faults
}

/// Two writable aliases would let the sequence numbers of one producer collide, and records would be lost silently.
fn one_backing_topic(backing: &str, sharing: &[&(String, SharedTopic)]) -> Vec<DocumentFault> {
    let mut writable = sharing.iter().filter(|(_, topic)| topic.permission.allows(Operation::Write));
    if let Some((first, _)) = writable.next() {
        let more: Vec<_> = writable
            .map(|(pointer, topic)| {
                DocumentFault::new(
                    Code::TwoWritableAliases,
                    format!("{pointer}/permission"),
                    format!(
                        "{} is a second writable alias of {}; records of an idempotent producer could get lost",
                        quote(topic.alias.as_str()),
                        quote(backing)
                    ),
                )
                .help("make all but one of its aliases READ")
                .related(format!("{first}/permission"), "the first writable alias")
            })
            .collect();
        if !more.is_empty() {
            return more;
        }
    }
    match sharing {
        [(first, _), (second, topic), ..] => vec![
            DocumentFault::new(
                Code::TwoAliases,
                format!("{second}/backingTopic"),
                format!(
                    "{} is a further alias of {}; in a consumer group the two are one topic",
                    quote(topic.alias.as_str()),
                    quote(backing)
                ),
            )
            .related(format!("{first}/backingTopic"), "the first alias"),
        ],
        _ => Vec::new(),
    }
}

pub(super) fn validity(access: &Access) -> Option<DocumentFault> {
    let (from, until) = access.valid_from.zip(access.valid_until)?;
    (from >= until).then(|| {
        DocumentFault::new(
            Code::EmptyValidity,
            "/spec/access/validUntil",
            "`validUntil` is not after `validFrom`: nobody could ever connect",
        )
        .related("/spec/access/validFrom", "it starts here")
    })
}

pub(super) fn groups(groups: &[(String, ConsumerGroup)]) -> Vec<DocumentFault> {
    let mut faults = Vec::new();
    let (mut names, mut backing) = (BTreeMap::new(), BTreeMap::new());
    for (pointer, group) in groups {
        faults.extend(reserved(pointer, &group.backing_group));
        let mut once = |seen: &mut BTreeMap<_, _>, field: &str, name: &'_ str| {
            let pointer = format!("{pointer}/{field}");
            if let Some(first) = seen.get(name) {
                let message = format!("the group {} is here twice", quote(name));
                let fault = DocumentFault::new(Code::DuplicateGroup, pointer, message)
                    .help("map each group to one of its own: two would share committed offsets");
                faults.push(fault.related(String::clone(first), "first used here"));
            } else {
                seen.insert(name.to_owned(), pointer);
            }
        };
        once(&mut names, "name", group.name.as_str());
        once(&mut backing, "backingGroup", group.backing_group.as_str());
    }
    faults
}

/// Groups that a zone can never have. A zone's own ones need no mapping, another's are another partner's, also if that
/// zone comes later.
fn reserved(pointer: &str, group: &GroupName) -> Option<DocumentFault> {
    let pointer = format!("{pointer}/backingGroup");
    let group_is = |whose: &str| {
        DocumentFault::new(Code::ReservedGroup, pointer, format!("{} is {whose}", quote(group.as_str())))
    };
    if group.is_internal() {
        let help = "names that start with `__` or `_partner-zones.` belong to Kafka and to this system";
        return Some(group_is("an internal group and never shared").help(help));
    }
    let zone = group.zone()?;
    let help = "name a group that was there before the zones; those of a zone are its partner's already";
    Some(group_is(&format!("a group of the zone `{zone}`")).help(help))
}
