//! Everything that a zone's things can be called by, in its own words and in the broker's.

use kafka_protocol::messages::{GroupId, ProducerId, TopicName, TransactionalId};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

/// A member of a group: its id, and the generation or epoch it is in.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) id: String,
    pub(super) epoch: i32,
}

#[derive(Debug, Clone)]
pub(super) struct Names {
    /// What the gateway puts in front of the zone's own names.
    pub(super) prefix: String,
    /// With a member of the classic protocol.
    pub(super) classic: String,
    /// With a member of the new one.
    pub(super) modern: String,
    /// A group that was there before the zone, as the zone calls it and as the broker does.
    pub(super) kept: [String; 2],
    /// One of each group that has members.
    pub(super) members: [Member; 2],
    pub(super) transaction: String,
    pub(super) producer: i64,
    pub(super) producer_epoch: i16,
    /// Its alias and the backing topic.
    pub(super) topics: [String; 2],
    /// Synthetic and real.
    pub(super) ids: [Uuid; 2],
    pub(super) fetch_session: i32,
}

impl Names {
    /// Names of the same lengths for things that are nowhere.
    pub(super) fn of_nothing(&self) -> Self {
        let member = |member: &Member| Member { id: elsewhere(&member.id), epoch: member.epoch };
        Self {
            prefix: elsewhere(&self.prefix),
            classic: elsewhere(&self.classic),
            modern: elsewhere(&self.modern),
            kept: self.kept.each_ref().map(|name| elsewhere(name)),
            members: self.members.each_ref().map(member),
            transaction: elsewhere(&self.transaction),
            producer: self.producer + 1_000_000,
            producer_epoch: self.producer_epoch,
            topics: self.topics.each_ref().map(|name| elsewhere(name)),
            ids: self.ids.map(|id| Uuid::from_u128(!id.as_u128())),
            fetch_session: self.fetch_session ^ 0x5555,
        }
    }

    /// How the groups may be asked for.
    pub(super) fn groups(&self) -> Vec<GroupId> {
        let prefixed = [&self.classic, &self.modern].map(|name| format!("{}{name}", self.prefix));
        let all = [&self.classic, &self.modern].into_iter().chain(&self.kept).chain(&prefixed);
        all.map(|name| GroupId(text(name))).collect()
    }

    pub(super) fn transactional_ids(&self) -> [TransactionalId; 2] {
        let prefixed = format!("{}{}", self.prefix, self.transaction);
        [&self.transaction, &prefixed].map(|id| TransactionalId(text(id)))
    }

    pub(super) fn producer(&self) -> ProducerId {
        ProducerId(self.producer)
    }

    /// The topics, and one that whoever asks may well use.
    pub(super) fn topics_and(&self, own: &str) -> Vec<TopicName> {
        self.topics.iter().map(String::as_str).chain([own]).map(topic).collect()
    }

    /// Each as it would stand in an answer. A producer's id and epoch are small numbers, which stand anywhere.
    pub(super) fn as_written(&self) -> Vec<Vec<u8>> {
        let members = self.members.iter().map(|member| &member.id);
        let words = [&self.prefix, &self.classic, &self.modern, &self.transaction];
        let words = words.into_iter().chain(&self.kept).chain(&self.topics).chain(members);
        let words = words.map(|word| word.as_bytes().to_vec());
        let ids = self.ids.iter().map(|id| id.as_bytes().to_vec());
        let printed = self.ids.iter().map(|id| id.to_string().into_bytes());
        words.chain(ids).chain(printed).chain([self.fetch_session.to_be_bytes().to_vec()]).collect()
    }
}

/// Letter by letter, so that a name within a name becomes what it becomes alone.
fn elsewhere(name: &str) -> String {
    let next = |c: char| match c {
        'z' => 'a',
        'Z' => 'A',
        '9' => '0',
        c if c.is_ascii_alphanumeric() => char::from(u8::try_from(c).unwrap() + 1),
        c => c,
    };
    name.chars().map(next).collect()
}

pub(super) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

pub(super) fn topic(name: &str) -> TopicName {
    TopicName(text(name))
}
