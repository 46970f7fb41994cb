//! Whose a cluster's groups and topics are, what there is to ask about them, and what the answers come to. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::kafka::groups::{Committed, Partitions};
use crate::kafka::offsets::{Answer, Answers};
use crate::zone::{ConsumerGroup, GroupLag, GroupName, Operation, PartnerZone, TopicName, ZoneLag, ZoneName};

/// Partitions that one request asks for. Each is answered with up to 4 KiB of a partner's own text (`offset.metadata.max.bytes`), and an
/// answer may have 64 MiB.
const OF_A_REQUEST: usize = 10_000;
/// Partitions that are asked for in all groups of one zone, so that no partner makes the others wait by the number of its groups.
const OF_A_ZONE: usize = 50_000;

/// The zones of one cluster.
pub(super) struct Sharing {
    zones: BTreeMap<ZoneName, Shared>,
    backing_groups: BTreeMap<GroupName, ZoneName>,
}

struct Shared {
    groups: Vec<ConsumerGroup>,
    /// For each backing topic the first alias that may be read: offsets belong to the topic, and are told once.
    aliases: BTreeMap<TopicName, TopicName>,
}

impl Sharing {
    pub(super) fn new(zones: impl IntoIterator<Item = Arc<PartnerZone>>) -> Self {
        let mut sharing = Self { zones: BTreeMap::new(), backing_groups: BTreeMap::new() };
        for zone in zones {
            let mut aliases = BTreeMap::new();
            for topic in zone.topics.iter().filter(|topic| topic.permission.allows(Operation::Read)) {
                aliases.entry(topic.backing.clone()).or_insert_with(|| topic.alias.clone());
            }
            for group in &zone.consumer_groups {
                sharing.backing_groups.insert(group.backing_group.clone(), zone.name.clone());
            }
            let groups = zone.consumer_groups.clone();
            sharing.zones.insert(zone.name.clone(), Shared { groups, aliases });
        }
        sharing
    }

    /// The zone that a group of the cluster belongs to, and what the partner calls it.
    pub(super) fn owner<'s: 'n, 'n>(&'s self, id: &'n str) -> Option<(&'s ZoneName, &'n str)> {
        let zone = match self.backing_groups.get(id) {
            Some(zone) => zone.as_str(),
            None => id.split_once(':')?.0,
        };
        let (zone, shared) = self.zones.get_key_value(zone)?;
        Some((zone, ConsumerGroup::partners_name(zone, &shared.groups, id)?))
    }

    /// The name of a group that nobody has, and that who may know of the zones' groups may know of.
    pub(super) fn a_group(&self) -> Option<(&ZoneName, String)> {
        self.zones.keys().next().map(|zone| (zone, format!("{zone}:")))
    }

    /// What the zones share that have one of these groups.
    pub(super) fn topics<'g>(&self, groups: impl IntoIterator<Item = &'g String>) -> BTreeSet<String> {
        let zones: BTreeSet<_> =
            groups.into_iter().filter_map(|group| Some(self.owner(group)?.0.as_str())).collect();
        let shared = zones.into_iter().filter_map(|zone| self.zones.get(zone));
        shared.flat_map(|shared| shared.aliases.keys().map(TopicName::to_string)).collect()
    }
}

/// What is known of the zones of one cluster, of which the ends of topics come first.
pub(super) struct Figures<'s> {
    sharing: &'s Sharing,
    ends: &'s Answers,
    /// What is asked about each group of a zone.
    partitions: BTreeMap<&'s ZoneName, Partitions>,
    /// How many partitions may still be asked for.
    left: BTreeMap<&'s ZoneName, usize>,
    lags: BTreeMap<&'s ZoneName, Vec<GroupLag>>,
    partial: BTreeSet<&'s ZoneName>,
}

impl<'s> Figures<'s> {
    pub(super) fn new(sharing: &'s Sharing, ends: &'s Answers) -> Self {
        let mut figures = Self {
            sharing,
            ends,
            partitions: BTreeMap::new(),
            left: BTreeMap::new(),
            lags: BTreeMap::new(),
            partial: BTreeSet::new(),
        };
        for (zone, shared) in &sharing.zones {
            let mut partitions = Partitions::new();
            for backing in shared.aliases.keys() {
                match ends.get(backing.as_str()) {
                    Some(Answer::Known(offsets)) => {
                        let count = i32::try_from(offsets.partitions).unwrap_or(i32::MAX);
                        partitions.insert(backing.to_string(), count);
                    }
                    Some(Answer::Failed(_)) => drop(figures.partial.insert(zone)),
                    // It has no records, or no group of the zone's asks for it.
                    Some(Answer::Missing) | None => {}
                }
            }
            figures.partitions.insert(zone, partitions);
        }
        figures
    }

    /// What to ask the broker that keeps these groups, in requests of a bounded size.
    pub(super) fn questions<'g>(&mut self, groups: &'g [String]) -> Vec<Vec<&'g str>> {
        let (mut requests, mut request, mut size) = (Vec::new(), Vec::new(), 0);
        for group in groups {
            let Some((zone, _)) = self.sharing.owner(group) else { continue };
            let count = self.asked_of(zone);
            let left = self.left.entry(zone).or_insert(OF_A_ZONE);
            if count == 0 {
                continue;
            }
            if *left < count {
                self.partial.insert(zone);
                continue;
            }
            *left -= count;
            if size + count > OF_A_REQUEST && !request.is_empty() {
                requests.push(std::mem::take(&mut request));
                size = 0;
            }
            request.push(group.as_str());
            size += count;
        }
        requests.extend(Some(request).filter(|request| !request.is_empty()));
        requests
    }

    fn asked_of(&self, zone: &ZoneName) -> usize {
        let partitions = self.partitions.get(zone).into_iter().flat_map(BTreeMap::values);
        partitions.map(|&count| usize::try_from(count).unwrap_or(0)).sum()
    }

    /// The partitions that groups like this one are asked about.
    pub(super) fn partitions(&self, group: &str) -> Option<&Partitions> {
        self.partitions.get(self.sharing.owner(group)?.0)
    }

    /// Takes what a group has committed; `None` if nobody says it.
    pub(super) fn take(&mut self, group: &str, committed: Option<&Committed>) {
        let Some((zone, name)) = self.sharing.owner(group) else { return };
        let (offsets, is_partial) = match committed {
            Some(Committed::Known { offsets, is_partial }) => (offsets, *is_partial),
            Some(Committed::Gone) => return,
            Some(Committed::Forbidden | Committed::Failed(_)) | None => {
                self.partial.insert(zone);
                return;
            }
        };
        let mut is_whole = !is_partial;
        let mut topics: BTreeMap<&str, (u64, u32)> = BTreeMap::new();
        for ((backing, partition), &offset) in offsets {
            let Some(alias) = self.alias(zone, backing) else { continue };
            let Some(Answer::Known(ends)) = self.ends.get(backing) else { continue };
            let Some(&end) = ends.of.get(partition) else {
                is_whole = false;
                continue;
            };
            let (lag, partitions) = topics.entry(alias.as_str()).or_default();
            *lag = lag.saturating_add(u64::try_from(end.saturating_sub(offset)).unwrap_or(0));
            *partitions += 1;
        }
        let lags = topics.into_iter().map(|(topic, (lag, partitions))| GroupLag {
            group: name.to_owned(),
            topic: topic.to_owned(),
            lag,
            partitions,
        });
        self.lags.entry(zone).or_default().extend(lags);
        if !is_whole {
            self.partial.insert(zone);
        }
    }

    fn alias(&self, zone: &ZoneName, backing: &str) -> Option<&'s TopicName> {
        self.sharing.zones.get(zone)?.aliases.get(backing)
    }

    /// Of every zone of the cluster. `is_partial`: groups are missing, and nobody knows whose.
    pub(super) fn of_zones(mut self, is_partial: bool) -> BTreeMap<ZoneName, ZoneLag> {
        let of_zone = |zone: &'s ZoneName| {
            let lags = self.lags.remove(zone).unwrap_or_default();
            (zone.clone(), ZoneLag::new(lags, is_partial || self.partial.contains(zone)))
        };
        self.sharing.zones.keys().map(of_zone).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::offsets::Offsets;
    use crate::zone::Permission::{Produce, Read, Write};
    use crate::zone::sample;

    fn zone(name: &str, topics: &[(&str, &str)], groups: &[(&str, &str)]) -> Arc<PartnerZone> {
        let topics = topics.iter().map(|&(alias, backing)| sample::topic(alias, backing, Read)).collect();
        let group = |&(name, backing): &(&str, &str)| ConsumerGroup {
            name: name.try_into().unwrap(),
            backing_group: backing.try_into().unwrap(),
        };
        let consumer_groups = groups.iter().map(group).collect();
        Arc::new(PartnerZone { consumer_groups, ..sample::zone(name, topics) })
    }

    fn known(partitions: usize, of: &[(i32, i64)]) -> Answer {
        Answer::Known(Offsets { topic_id: None, partitions, of: of.iter().copied().collect() })
    }

    fn ends(of: &[(&str, Answer)]) -> Answers {
        of.iter().map(|(topic, answer)| ((*topic).to_owned(), answer.clone())).collect()
    }

    fn committed(of: &[(&str, i32, i64)]) -> Committed {
        let offsets =
            of.iter().map(|&(topic, partition, offset)| ((topic.to_owned(), partition), offset)).collect();
        Committed::Known { offsets, is_partial: false }
    }

    /// (group, topic, lag, partitions) of a zone, and whether that is not all.
    fn shown<'l>(
        lags: &'l BTreeMap<ZoneName, ZoneLag>,
        zone: &str,
    ) -> (Vec<(&'l str, &'l str, u64, u32)>, bool) {
        let lag = &lags[zone];
        let groups = lag.groups.iter();
        let groups = groups.map(|it| (it.group.as_str(), it.topic.as_str(), it.lag, it.partitions));
        (groups.collect(), lag.is_partial)
    }

    #[test]
    fn a_group_belongs_to_one_zone_by_its_prefix_or_because_it_is_shared_as_it_is() {
        let zones = [
            zone("acme", &[("a", "t")], &[("billing", "partner.billing"), ("x", "globex:old")]),
            zone("globex", &[("a", "t")], &[]),
        ];
        let sharing = Sharing::new(zones);
        let owner = |id| sharing.owner(id).map(|(zone, name)| (zone.as_str(), name));
        assert_eq!(owner("acme:readers"), Some(("acme", "readers")));
        assert_eq!(owner("globex:readers"), Some(("globex", "readers")));
        assert_eq!(owner("globex:a:b"), Some(("globex", "a:b")));
        assert_eq!(owner("partner.billing"), Some(("acme", "billing")));
        assert_eq!(owner("acme:billing"), None, "no name leads there");
        for nobodys in ["readers", "acm:readers", ":readers", "acme", "other:readers", "billing"] {
            assert_eq!(owner(nobodys), None, "{nobodys}");
        }
    }

    #[test]
    fn lag_is_what_lies_behind_the_commits_of_each_group_and_alias() {
        let zones = [
            zone("acme", &[("orders", "t"), ("bills", "u")], &[("old", "outside")]),
            zone("globex", &[("sales", "t")], &[]),
            zone("quiet", &[("sales", "t")], &[]),
        ];
        let sharing = Sharing::new(zones);
        let ends = ends(&[("t", known(3, &[(0, 10), (1, 20), (2, 30)])), ("u", known(1, &[(0, 5)]))]);
        let mut figures = Figures::new(&sharing, &ends);
        let of_acme = committed(&[("t", 0, 4), ("t", 1, 20), ("u", 0, 9)]);
        figures.take("acme:g", Some(&of_acme));
        figures.take("globex:g", Some(&committed(&[("t", 2, 0), ("u", 0, 0), ("secret", 0, 0)])));
        figures.take("outside", Some(&committed(&[("t", 0, 10), ("secret", 0, 1)])));
        figures.take("nobodys", Some(&of_acme));
        figures.take("acme:gone", Some(&Committed::Gone));
        let lags = figures.of_zones(false);
        let acme = vec![("g", "orders", 6, 2), ("g", "bills", 0, 1), ("old", "orders", 0, 1)];
        assert_eq!(shown(&lags, "acme"), (acme, false));
        assert_eq!(shown(&lags, "globex"), (vec![("g", "sales", 30, 1)], false));
        assert_eq!(shown(&lags, "quiet"), (vec![], false));
    }

    #[test]
    fn a_topic_under_two_aliases_counts_once_as_the_first_that_may_be_read() {
        let topics = vec![
            sample::topic("in", "t", Produce),
            sample::topic("out", "t", Write),
            sample::topic("again", "t", Read),
            sample::topic("only-in", "u", Produce),
        ];
        let sharing = Sharing::new([Arc::new(sample::zone("acme", topics))]);
        assert_eq!(sharing.topics(&["acme:g".to_owned()]), BTreeSet::from(["t".to_owned()]));
        let ends = ends(&[("t", known(1, &[(0, 10)])), ("u", known(1, &[(0, 10)]))]);
        let mut figures = Figures::new(&sharing, &ends);
        figures.take("acme:g", Some(&committed(&[("t", 0, 3), ("u", 0, 3)])));
        assert_eq!(shown(&figures.of_zones(false), "acme"), (vec![("g", "out", 7, 1)], false));
    }

    #[test]
    fn what_is_not_told_is_said_of_the_zones_that_it_is_about() {
        let topics = [("a", "t"), ("b", "secret"), ("c", "absent")];
        let names = ["leaderless", "refused", "silent", "forbidden", "gone", "whole"];
        let of = |name: &&str| zone(name, if *name == "refused" { &topics } else { &topics[..1] }, &[]);
        let sharing = Sharing::new(names.iter().map(of));
        let ends =
            ends(&[("t", known(2, &[(0, 10)])), ("secret", Answer::Failed(29)), ("absent", Answer::Missing)]);
        let mut figures = Figures::new(&sharing, &ends);
        figures.take("leaderless:g", Some(&committed(&[("t", 0, 1), ("t", 1, 1)])));
        figures.take("silent:g", None);
        figures.take("forbidden:g", Some(&Committed::Forbidden));
        figures.take("gone:g", Some(&Committed::Gone));
        figures.take("whole:g", Some(&committed(&[("t", 0, 1)])));
        let lags = figures.of_zones(false);
        assert_eq!(shown(&lags, "leaderless"), (vec![("g", "a", 9, 1)], true));
        let partial: Vec<_> =
            lags.iter().filter(|(_, lag)| lag.is_partial).map(|(zone, _)| zone.as_str()).collect();
        assert_eq!(partial, ["forbidden", "leaderless", "refused", "silent"]);
        let lags = Figures::new(&sharing, &Answers::new()).of_zones(true);
        assert!(lags.values().all(|lag| lag.is_partial && lag.groups.is_empty()));
    }

    #[test]
    fn thousands_of_zones_are_few_requests_and_no_zone_takes_more_than_its_share() {
        let topic = known(4, &[]);
        let zones = (0..10_000).map(|n| zone(&format!("z{n}"), &[("a", "t")], &[]));
        let (sharing, ends) = (Sharing::new(zones), ends(&[("t", topic)]));
        let groups: Vec<_> = (0..10_000).map(|n| format!("z{n}:g")).collect();
        let mut figures = Figures::new(&sharing, &ends);
        let requests = figures.questions(&groups);
        assert_eq!(requests.iter().map(Vec::len).collect::<Vec<_>>(), [2_500; 4]);
        assert_eq!(figures.partitions("z7:g"), Some(&Partitions::from([("t".to_owned(), 4)])));

        let many: Vec<_> = (0..20_000).map(|n| format!("z0:g{n}")).chain(["z1:g".to_owned()]).collect();
        let mut figures = Figures::new(&sharing, &ends);
        let requests = figures.questions(&many);
        assert_eq!(requests.concat().len(), OF_A_ZONE / 4 + 1);
        assert_eq!(requests.last().unwrap(), &["z1:g"]);
        let lags = figures.of_zones(false);
        assert_eq!((shown(&lags, "z0").1, shown(&lags, "z1").1), (true, false));
    }

    #[test]
    fn a_group_larger_than_a_request_is_asked_for_alone_and_one_without_topics_not_at_all() {
        let zones = [zone("big", &[("a", "t")], &[]), zone("none", &[("a", "absent")], &[])];
        let (sharing, ends) = (Sharing::new(zones), ends(&[("t", known(OF_A_REQUEST + 1, &[]))]));
        let mut figures = Figures::new(&sharing, &ends);
        let groups = ["big:a", "none:a", "big:b"].map(str::to_owned);
        assert_eq!(figures.questions(&groups), [["big:a"], ["big:b"]]);
    }
}
