//! One rule of a cluster's authorizer, as it travels. What this version has no word for keeps its number.

use std::fmt;
use std::sync::Arc;

macro_rules! codes {
    ($(#[$doc:meta])* $name:ident: $($variant:ident = $code:literal $text:literal,)+) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $($variant,)+
            /// Of a later Kafka.
            Other(i8),
        }

        impl $name {
            pub fn code(self) -> i8 {
                match self {
                    $(Self::$variant => $code,)+
                    Self::Other(code) => code,
                }
            }

            pub fn of(code: i8) -> Self {
                match code {
                    $($code => Self::$variant,)+
                    code => Self::Other(code),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$variant => f.write_str($text),)+
                    Self::Other(code) => write!(f, "{code}"),
                }
            }
        }
    };
}

codes! {
    /// What kind of thing a rule is about (`org.apache.kafka.common.resource.ResourceType`).
    ResourceKind:
    Topic = 2 "topic",
    Group = 3 "group",
    Cluster = 4 "cluster",
    TransactionalId = 5 "transactional-id",
    DelegationToken = 6 "delegation-token",
    User = 7 "user",
}

codes! {
    /// How a rule's name is compared (`PatternType`).
    Pattern:
    Literal = 3 "literal",
    Prefixed = 4 "prefixed",
}

codes! {
    /// What is done (`AclOperation`).
    Operation:
    All = 2 "ALL",
    Read = 3 "READ",
    Write = 4 "WRITE",
    Create = 5 "CREATE",
    Delete = 6 "DELETE",
    Alter = 7 "ALTER",
    Describe = 8 "DESCRIBE",
    ClusterAction = 9 "CLUSTER_ACTION",
    DescribeConfigs = 10 "DESCRIBE_CONFIGS",
    AlterConfigs = 11 "ALTER_CONFIGS",
    IdempotentWrite = 12 "IDEMPOTENT_WRITE",
    CreateTokens = 13 "CREATE_TOKENS",
    DescribeTokens = 14 "DESCRIBE_TOKENS",
    TwoPhaseCommit = 15 "TWO_PHASE_COMMIT",
}

codes! {
    /// Which way a rule goes (`AclPermissionType`). A denial wins over whatever is allowed.
    Effect:
    Deny = 2 "DENY",
    Allow = 3 "ALLOW",
}

/// What a rule is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Resource {
    pub kind: ResourceKind,
    pub pattern: Pattern,
    /// As a literal, `*` is every name.
    pub name: Arc<str>,
}

/// One rule. Its place in the order groups rules by whom they are for, then by what they are about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Acl {
    /// `User:<name>`; `User:*` is everybody.
    pub principal: Arc<str>,
    pub resource: Resource,
    pub operation: Operation,
    pub effect: Effect,
    /// An address, or `*`.
    pub host: Arc<str>,
}

/// The end of an address: `topic/literal/orders`.
impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.kind, self.pattern, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_stays_what_it_was() {
        for code in i8::MIN..=i8::MAX {
            assert_eq!(ResourceKind::of(code).code(), code);
            assert_eq!(Pattern::of(code).code(), code);
            assert_eq!(Operation::of(code).code(), code);
            assert_eq!(Effect::of(code).code(), code);
        }
        assert_eq!(Operation::of(10), Operation::DescribeConfigs);
        assert_eq!(Operation::of(99).to_string(), "99");
    }
}
