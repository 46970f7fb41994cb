//! How a message lies on the wire, as data: what Kafka's own message definitions say, for the versions we serve.
//!
//! A shape is declared once per API key and direction (`gateway/api/<key>.rs`), read by the [walker](super), and proven
//! against `kafka-protocol`'s encoder for every version.

/// A run of versions; empty when `first > last`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versions {
    pub first: i16,
    pub last: i16,
}

impl Versions {
    pub const ALL: Self = Self { first: 0, last: i16::MAX };
    pub const NONE: Self = Self { first: 1, last: 0 };

    pub const fn new(first: i16, last: i16) -> Self {
        Self { first, last }
    }

    pub const fn since(first: i16) -> Self {
        Self { first, last: i16::MAX }
    }

    pub const fn contains(self, version: i16) -> bool {
        self.first <= version && version <= self.last
    }

    /// The versions that are in both runs, if any.
    pub fn common(self, other: Self) -> Option<Self> {
        let both = Self::new(self.first.max(other.first), self.last.min(other.last));
        (both.first <= both.last).then_some(both)
    }
}

/// The type of a field. Lengths are compact (unsigned varint of length + 1) in flexible versions (KIP-482).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    Bool,
    Int8,
    Int16,
    Int32,
    Int64,
    Uuid,
    String,
    Bytes,
    /// Record batches; like `Bytes` on the wire, but never held in memory as a whole.
    Records,
    Array(&'static Type),
    Struct(&'static [Field]),
}

/// What a value names, where that matters to a gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entity {
    TopicName,
    TopicId,
    GroupId,
    TransactionalId,
    Host,
    Port,
    /// Free text of a broker, which may hold backing names.
    ErrorMessage,
    /// Subscription or assignment of the classic group protocol.
    GroupProtocol,
    /// Of a Produce request: 0 means that no response will come.
    Acks,
    /// The number of a partition, where it is needed while a message is still arriving.
    PartitionIndex,
}

/// One field of a message or of a nested struct, in wire order. Tagged fields stand at the end, by tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    pub name: &'static str,
    pub kind: Type,
    pub versions: Versions,
    pub nullable: Versions,
    /// Its tag, when it travels among the tagged fields (KIP-482).
    pub tag: Option<u32>,
    pub entity: Option<Entity>,
}

impl Field {
    pub const fn new(name: &'static str, kind: Type) -> Self {
        Self { name, kind, versions: Versions::ALL, nullable: Versions::NONE, tag: None, entity: None }
    }

    /// Exists from this version on.
    #[must_use]
    pub const fn since(mut self, version: i16) -> Self {
        self.versions.first = version;
        self
    }

    /// Exists up to and with this version.
    #[must_use]
    pub const fn until(mut self, version: i16) -> Self {
        self.versions.last = version;
        self
    }

    /// May be null from this version on.
    #[must_use]
    pub const fn nullable_since(mut self, version: i16) -> Self {
        self.nullable = Versions::since(version);
        self
    }

    #[must_use]
    pub const fn tagged(mut self, tag: u32) -> Self {
        self.tag = Some(tag);
        self
    }

    #[must_use]
    pub const fn entity(mut self, entity: Entity) -> Self {
        self.entity = Some(entity);
        self
    }
}

/// The body of a request or response.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub api_key: i16,
    /// The message's name in Kafka's definitions, e.g. `FetchRequest`.
    pub name: &'static str,
    /// The versions this shape is right for.
    pub versions: Versions,
    /// The first version with compact lengths and tagged fields; `i16::MAX` if none.
    pub flexible_since: i16,
    pub fields: &'static [Field],
}

impl Shape {
    pub const fn is_flexible(&self, version: i16) -> bool {
        version >= self.flexible_since
    }
}
