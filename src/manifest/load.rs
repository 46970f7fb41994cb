//! All files of a source → zones and findings. Never stops at the first fault.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::zone::{ClusterName, PartnerZone, TopicName, ZoneName};

use super::finding::{Finding, Location};

/// Largest number of manifest files in a source.
pub const MAX_FILES: usize = 50_000;

/// One file as a source reader found it.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// Relative to the root of the repository or folder, with `/`.
    pub path: String,
    pub content: Result<Vec<u8>, FileProblem>,
}

/// Why an entry of the source has no content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileProblem {
    /// Symbolic links are never followed: they could lead out of the repository.
    Symlink,
    Submodule,
    /// Over the limit for one file; the size in bytes.
    TooLarge {
        size: u64,
    },
    /// The cause, for an operator.
    Unreadable(String),
}

/// What is known of the configuration; what is not known is not checked.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// `gateway.name`.
    pub gateway: Option<String>,
    /// Keys of `clusters`.
    pub clusters: Option<BTreeSet<ClusterName>>,
}

/// A zone and where it was written.
#[derive(Debug, Clone)]
pub struct LoadedZone {
    pub zone: Arc<PartnerZone>,
    /// Where its name stands.
    pub source: Location,
    /// Where each alias stands.
    pub topics: BTreeMap<TopicName, Location>,
}

/// Zones that some file speaks of, but not in a form that can be used: they stay as they were last applied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unreadable {
    pub zones: BTreeSet<ZoneName>,
    /// Files that hold a zone whose name could not be found out: any zone could be theirs.
    pub nameless_files: BTreeSet<Arc<str>>,
}

impl Unreadable {
    pub fn is_empty(&self) -> bool {
        self.zones.is_empty() && self.nameless_files.is_empty()
    }
}

/// Everything that the files say.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    pub zones: BTreeMap<ZoneName, LoadedZone>,
    /// Sorted by place.
    pub findings: Vec<Finding>,
    pub unreadable: Unreadable,
    /// Texts of the files that findings point into, secrets masked, by [`Location::file`].
    pub texts: BTreeMap<Arc<str>, Arc<str>>,
}
