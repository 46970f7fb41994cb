//! The bytes that consumers of a classic group hand each other through JoinGroup and SyncGroup: subscriptions and
//! assignments, versions 0 to 3.
//!
//! A broker reads them too (as version 0), so the names in them have to be real ones. Everything else stays as it came:
//! user data belongs to the partition assignor, and what a newer version put at the end is kept. A version above 3 is
//! read as 3, as Kafka does; `None` means that the bytes do not parse and are the caller's to pass on unchanged.

use std::collections::{HashMap, HashSet};

use bytes::{BufMut, Bytes};

use super::primitive::{read_i16, read_i32};

/// Rewrites the topic names of a subscription. `rename` drops a name by answering `None`; names that become equal are
/// merged, in the member's order.
pub fn map_subscription(bytes: &[u8], mut rename: impl FnMut(&str) -> Option<String>) -> Option<Bytes> {
    let subscription = Subscription::read(bytes)?;
    let mut seen = HashSet::new();
    let topics: Vec<String> = subscription
        .topics
        .iter()
        .filter_map(|topic| rename(topic))
        .filter(|topic| seen.insert(topic.clone()))
        .collect();
    let mut out = Vec::with_capacity(bytes.len());
    out.put_i16(subscription.version);
    put_len(&mut out, topics.len())?;
    for topic in &topics {
        put_string(&mut out, topic)?;
    }
    out.put_slice(subscription.user_data);
    if let Some(owned) = subscription.owned {
        put_partitions(&mut out, &merge(&owned, rename))?;
    }
    out.put_slice(subscription.rest);
    Some(out.into())
}

/// Rewrites the topic names of an assignment, as [`map_subscription`] does; partitions of merged topics are united.
pub fn map_assignment(bytes: &[u8], rename: impl FnMut(&str) -> Option<String>) -> Option<Bytes> {
    let mut reader = Reader(bytes);
    let version = reader.version()?;
    let assigned = reader.topic_partitions()?;
    let mut out = Vec::with_capacity(bytes.len());
    out.put_i16(version);
    put_partitions(&mut out, &merge(&assigned, rename))?;
    out.put_slice(reader.0);
    Some(out.into())
}

/// The topics of a subscription, in the member's order.
pub fn names_in_subscription(bytes: &[u8]) -> Option<Vec<String>> {
    let subscription = Subscription::read(bytes)?;
    Some(subscription.topics.into_iter().map(str::to_owned).collect())
}

/// The topics of an assignment, as it has them.
pub fn names_in_assignment(bytes: &[u8]) -> Option<Vec<&str>> {
    let mut reader = Reader(bytes);
    reader.version()?;
    Some(reader.topic_partitions()?.into_iter().map(|(name, _)| name).collect())
}

/// Partitions of one topic.
type Partitions<Name> = (Name, Vec<i32>);

struct Subscription<'a> {
    version: i16,
    topics: Vec<&'a str>,
    /// With its length, as it came.
    user_data: &'a [u8],
    owned: Option<Vec<Partitions<&'a str>>>,
    /// Generation, rack, and whatever a newer version adds.
    rest: &'a [u8],
}

impl<'a> Subscription<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let version = reader.version()?;
        let topics = reader.array(2, Reader::string)?;
        let user_data = reader.bytes()?;
        // Some clients say version 1 and write version 0; a broker does not mind, so neither do we.
        let owned = if version > 0 && !reader.0.is_empty() { Some(reader.topic_partitions()?) } else { None };
        Some(Self { version, topics, user_data, owned, rest: reader.0 })
    }
}

fn merge(
    topics: &[Partitions<&str>],
    mut rename: impl FnMut(&str) -> Option<String>,
) -> Vec<Partitions<String>> {
    let mut merged: Vec<Partitions<String>> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut seen = HashSet::new();
    for (topic, partitions) in topics {
        let Some(name) = rename(topic) else { continue };
        let place = *places.entry(name.clone()).or_insert_with(|| {
            merged.push((name, Vec::new()));
            merged.len() - 1
        });
        let fresh = partitions.iter().copied().filter(|partition| seen.insert((place, *partition)));
        if let Some((_, united)) = merged.get_mut(place) {
            united.extend(fresh);
        }
    }
    merged
}

fn put_partitions(out: &mut Vec<u8>, topics: &[Partitions<String>]) -> Option<()> {
    put_len(out, topics.len())?;
    for (topic, partitions) in topics {
        put_string(out, topic)?;
        put_len(out, partitions.len())?;
        for &partition in partitions {
            out.put_i32(partition);
        }
    }
    Some(())
}

fn put_len(out: &mut Vec<u8>, len: usize) -> Option<()> {
    out.put_i32(i32::try_from(len).ok()?);
    Some(())
}

fn put_string(out: &mut Vec<u8>, text: &str) -> Option<()> {
    out.put_i16(i16::try_from(text.len()).ok()?);
    out.put_slice(text.as_bytes());
    Some(())
}

/// What is left to read. `None` wherever it does not hold what it should.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (front, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(front)
    }

    fn version(&mut self) -> Option<i16> {
        self.take(2).and_then(read_i16).filter(|version| *version >= 0)
    }

    fn i32(&mut self) -> Option<i32> {
        self.take(4).and_then(read_i32)
    }

    fn string(&mut self) -> Option<&'a str> {
        let len = self.take(2).and_then(read_i16)?;
        std::str::from_utf8(self.take(usize::try_from(len).ok()?)?).ok()
    }

    /// Nullable bytes, with their length in front.
    fn bytes(&mut self) -> Option<&'a [u8]> {
        let start = self.0;
        let len = match self.i32()? {
            -1 => 0,
            len => usize::try_from(len).ok()?,
        };
        self.take(len)?;
        start.get(..4 + len)
    }

    /// An array of elements that take at least `smallest` bytes each: nothing is allocated for more than can be there.
    fn array<T>(
        &mut self,
        smallest: usize,
        mut element: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        let count = usize::try_from(self.i32()?).ok()?;
        if count > self.0.len() / smallest {
            return None;
        }
        (0..count).map(|_| element(self)).collect()
    }

    fn topic_partitions(&mut self) -> Option<Vec<Partitions<&'a str>>> {
        self.array(6, |reader| Some((reader.string()?, reader.array(4, Self::i32)?)))
    }
}

#[cfg(test)]
mod tests;
