//! What a partner may do with a shared topic.

/// The permission of one alias, in the manifest's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Permission {
    Read,
    /// Includes READ.
    Write,
    /// Write only.
    Produce,
}

/// What a request wants to do with a topic. `Describe` is part of every permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    Describe,
    Read,
    Write,
}

impl Permission {
    pub fn allows(self, operation: Operation) -> bool {
        match operation {
            Operation::Describe => true,
            Operation::Read => self != Self::Produce,
            Operation::Write => self != Self::Read,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "READ",
            Self::Write => "WRITE",
            Self::Produce => "PRODUCE",
        }
    }
}
