//! Usage as a heartbeat holds it: bounded, since a record of the status topic is.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use rand::seq::SliceRandom as _;

use crate::gateway;
use crate::store::ZoneUsage;
use crate::zone::{KeyId, LastUse, ZoneName};

/// Zones and aliases of one heartbeat: with the longest names there are, some 400 KiB.
const ZONES: usize = 1_000;
const ALIASES: usize = 1_000;
/// And some 100 KiB.
const CREDENTIALS: usize = 1_000;

/// The zones and aliases with the most clients; and whether something had to be left out.
pub(super) fn shown(usage: BTreeMap<ZoneName, gateway::ZoneUsage>) -> (BTreeMap<String, ZoneUsage>, bool) {
    let mut zones: Vec<_> = usage.into_iter().collect();
    zones.sort_by_key(|(_, usage)| Reverse(usage.clients));
    let mut is_partial = zones.len() > ZONES;
    zones.truncate(ZONES);
    let mut shown: BTreeMap<String, ZoneUsage> = BTreeMap::new();
    let mut aliases = Vec::new();
    for (zone, usage) in zones {
        let zone = zone.to_string();
        aliases.extend(usage.topics.into_iter().map(|(alias, clients)| (clients, zone.clone(), alias)));
        shown.insert(zone, ZoneUsage { clients: usage.clients, topics: BTreeMap::new() });
    }
    aliases.sort_by_key(|(clients, ..)| Reverse(*clients));
    is_partial |= aliases.len() > ALIASES;
    for (clients, zone, alias) in aliases.into_iter().take(ALIASES) {
        shown.entry(zone).or_default().topics.insert(alias.to_string(), clients);
    }
    (shown, is_partial)
}

/// The credentials that were used last.
pub(super) fn of_credentials(credentials: BTreeMap<KeyId, LastUse>) -> BTreeMap<String, LastUse> {
    let mut credentials: Vec<_> = credentials.into_iter().collect();
    // All that are in use now were used last at the same time: where they do not fit, others are told of each time.
    credentials.shuffle(&mut rand::rng());
    credentials.sort_by_key(|(_, last)| Reverse(last.at));
    credentials.truncate(CREDENTIALS);
    credentials.into_iter().map(|(key_id, last)| (key_id.to_string(), last)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(zones: usize, aliases: usize) -> BTreeMap<ZoneName, gateway::ZoneUsage> {
        let zone = |n: usize| {
            let topics = (0..aliases).map(|a| (format!("a{a}").as_str().try_into().unwrap(), 1)).collect();
            let clients = u64::try_from(n).unwrap() + 1;
            (format!("z{n}").as_str().try_into().unwrap(), gateway::ZoneUsage { clients, topics })
        };
        (0..zones).map(zone).collect()
    }

    #[test]
    fn what_fits_is_shown_in_full() {
        let (shown, is_partial) = shown(usage(3, 2));
        assert!(!is_partial && shown.len() == 3);
        assert_eq!(shown["z2"].clients, 3);
        assert_eq!(shown["z2"].topics, [("a0".to_owned(), 1), ("a1".to_owned(), 1)].into());
    }

    #[test]
    fn a_heartbeat_has_a_limited_size_and_says_when_it_is_reached() {
        let (shown, is_partial) = shown(usage(ZONES + 1, 2));
        assert!(is_partial);
        assert_eq!(shown.len(), ZONES);
        assert!(!shown.contains_key("z0"), "the one with the fewest clients is left out");
        assert_eq!(shown.values().map(|usage| usage.topics.len()).sum::<usize>(), ALIASES);
        assert!(serde_json::to_vec(&shown).unwrap().len() < 400 << 10);
    }
}
