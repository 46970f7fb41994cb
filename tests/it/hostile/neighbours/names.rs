//! Everything that a zone's things can be called by, in its own words and in the broker's.

use kafka_protocol::messages::{GroupId, ProducerId, TopicName, TransactionalId};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

/// What the gateway puts in front of the names of whoever attacks.
const OTHER: &str = "other:";

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
    /// Topics of the cluster's that are in no zone at all, and what it calls them by.
    pub(super) internal: Vec<String>,
    pub(super) internal_ids: Vec<Uuid>,
    /// What its partner logs in as; the zone itself is called so too.
    pub(super) account: String,
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
            ids: self.ids.map(nowhere),
            internal: self.internal.iter().map(|name| elsewhere(name)).collect(),
            internal_ids: self.internal_ids.iter().copied().map(nowhere).collect(),
            account: elsewhere(&self.account),
            fetch_session: self.fetch_session ^ 0x5555,
        }
    }

    /// How the groups may be asked for.
    pub(super) fn groups(&self) -> Vec<GroupId> {
        let Self { prefix, classic, .. } = self;
        let prefixed = [&self.classic, &self.modern].map(|name| format!("{prefix}{name}"));
        let odd = [
            prefix.clone(),
            format!(":{prefix}{classic}"),
            format!("{prefix}{prefix}{classic}"),
            format!("{OTHER}{prefix}{classic}"),
            format!("{prefix}{classic}").to_uppercase(),
            format!("{prefix}{classic}\0"),
            format!("{prefix}{classic}{}", " ".repeat(30_000)),
        ];
        let all = [&self.classic, &self.modern].into_iter().chain(&self.kept).chain(&prefixed).chain(&odd);
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
        let words = [&self.prefix, &self.classic, &self.modern, &self.transaction, &self.account];
        let loud = [&self.prefix, &self.classic].map(|word| word.to_uppercase());
        let words = words.into_iter().chain(&self.kept).chain(&self.topics).chain(&self.internal);
        let words =
            words.chain(members).chain(&loud).map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>();
        let words = words.into_iter();
        let all_ids = || self.ids.iter().chain(&self.internal_ids);
        let ids = all_ids().map(|id| id.as_bytes().to_vec());
        let printed = all_ids().map(|id| id.to_string().into_bytes());
        words.chain(ids).chain(printed).chain([self.fetch_session.to_be_bytes().to_vec()]).collect()
    }
}

fn nowhere(id: Uuid) -> Uuid {
    Uuid::from_u128(!id.as_u128())
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
