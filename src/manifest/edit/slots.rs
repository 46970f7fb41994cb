//! Which children of a collection stay, in which order, and which are new.

use std::collections::{HashMap, HashSet, VecDeque};

use serde_yaml::{Mapping, Value};

use super::super::tree::Entry;

/// Fields that tell the items of a list apart.
const IDENTITIES: [&str; 3] = ["name", "key", "keyRegex"];

/// A child of a collection as it is to be.
#[derive(Debug)]
pub(super) struct Slot<'a> {
    /// The child that is there.
    pub(super) old: Option<usize>,
    /// None in a sequence.
    pub(super) key: Option<&'a str>,
    /// None: it stays as it is written.
    pub(super) change: Option<Change<'a>>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Change<'a> {
    /// None: it is new, or the file says nothing but the default.
    pub(super) before: Option<&'a Value>,
    pub(super) after: &'a Value,
}

/// Keys keep the order of the file. A new one comes behind the one before it in the written form.
pub(super) fn of_mapping<'a>(entries: &'a [Entry], before: &'a Mapping, after: &'a Mapping) -> Vec<Slot<'a>> {
    let kept = |(at, entry): (usize, &'a Entry)| {
        let (before, after) = (before.get(&*entry.key), after.get(&*entry.key));
        let slot = |change| Slot { old: Some(at), key: Some(&*entry.key), change };
        match after {
            _ if before == after => Some(slot(None)),
            Some(after) => Some(slot(Some(Change { before, after }))),
            None => None,
        }
    };
    let mut slots: Vec<Slot<'a>> = entries.iter().enumerate().filter_map(kept).collect();
    let there: HashSet<&str> = entries.iter().map(|entry| &*entry.key).collect();
    let keys: Vec<&str> = after.keys().filter_map(Value::as_str).collect();
    for (at, (key, value)) in keys.iter().copied().zip(after.values()).enumerate() {
        // A default is not written out because something else has changed.
        if there.contains(key) || before.get(key) == Some(value) {
            continue;
        }
        let place = |key: &&str| slots.iter().position(|slot| slot.key == Some(*key));
        let behind = keys.iter().take(at).rev().find_map(place).map_or(0, |found| found + 1);
        let change = Some(Change { before: None, after: value });
        slots.insert(behind, Slot { old: None, key: Some(key), change });
    }
    slots
}

/// Items are those of the wanted list, in its order. `before` is what the items of the file mean, one by one.
pub(super) fn of_sequence<'a>(before: &'a [Value], after: &'a [Value]) -> Vec<Slot<'a>> {
    let mut same = Pool::new(before.iter().enumerate(), |item| Some(identity(item)));
    let mut found: Vec<Option<usize>> = after.iter().map(|item| same.take(&identity(item))).collect();
    // What is left differs in its name: is it only that?
    let taken: HashSet<usize> = found.iter().flatten().copied().collect();
    let left = before.iter().enumerate().filter(|(at, _)| !taken.contains(at));
    let mut renamed = Pool::new(left, but_identity);
    for (place, item) in found.iter_mut().zip(after).filter(|(place, _)| place.is_none()) {
        *place = but_identity(item).and_then(|rest| renamed.take(&rest));
    }
    let slot = |(old, after): (Option<usize>, &'a Value)| {
        let before = old.and_then(|old| before.get(old));
        let change = (before != Some(after)).then_some(Change { before, after });
        Slot { old, key: None, change }
    };
    found.into_iter().zip(after).map(slot).collect()
}

/// Items that were not found yet, by what they are looked for.
struct Pool(HashMap<String, VecDeque<usize>>);

impl Pool {
    fn new<'a>(
        items: impl Iterator<Item = (usize, &'a Value)>,
        by: impl Fn(&'a Value) -> Option<String>,
    ) -> Self {
        let mut pool: HashMap<String, VecDeque<usize>> = HashMap::new();
        for (at, item) in items {
            if let Some(by) = by(item) {
                pool.entry(by).or_default().push_back(at);
            }
        }
        Self(pool)
    }

    fn take(&mut self, by: &str) -> Option<usize> {
        self.0.get_mut(by)?.pop_front()
    }
}

fn identity(item: &Value) -> String {
    let by = IDENTITIES.iter().find_map(|field| item.get(field)).unwrap_or(item);
    by.as_str().map_or_else(|| format!("{by:?}"), str::to_owned)
}

/// All of an item but its name. Nothing is left of an item that is its name.
fn but_identity(item: &Value) -> Option<String> {
    let name = IDENTITIES.iter().find(|field| item.get(**field).is_some())?;
    let mut rest = item.as_mapping()?.clone();
    rest.shift_remove(*name)?;
    (!rest.is_empty()).then(|| format!("{rest:?}"))
}
