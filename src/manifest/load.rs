//! All files of a source → zones and findings. Never stops at the first fault.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::zone::{ClusterName, IssuerName, PartnerZone, SniDomain, TopicName, ZoneName};

use super::bytes;
use super::code::Code;
use super::file::{FileReading, read_file};
use super::finding::{Finding, Location, printable};
use super::parts::in_parts;
use super::set::between_zones;
use super::suppress::{Suppressed, Suppression};
use super::text::Text;

/// Largest number of manifest files in a source.
pub const MAX_FILES: usize = 50_000;

/// Fewer are read faster than a thread is started.
const FILES_WORTH_A_THREAD: usize = 64;

/// One file as a source reader found it.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// Relative to the root of the repository or folder, with `/`.
    pub path: String,
    pub content: Result<Arc<[u8]>, FileProblem>,
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
    /// Keys of `oauth.issuers`.
    pub issuers: Option<BTreeSet<IssuerName>>,
    /// `gateway.sni.domain`: every zone is to have host names of its own.
    pub sni: Option<SniDomain>,
}

/// A zone and where it was written.
#[derive(Debug, Clone)]
pub struct LoadedZone {
    pub zone: Arc<PartnerZone>,
    /// Where its name stands.
    pub source: Location,
    /// Where each alias stands.
    pub topics: AliasPlaces,
}

/// Where each alias of a zone stands. A map of so few would take twice the room.
#[derive(Debug, Clone, Default)]
pub struct AliasPlaces(Arc<[(TopicName, Location)]>);

impl AliasPlaces {
    pub fn get(&self, alias: &TopicName) -> Option<&Location> {
        let at = self.0.binary_search_by(|(known, _)| known.cmp(alias)).ok()?;
        self.0.get(at).map(|(_, place)| place)
    }
}

impl FromIterator<(TopicName, Location)> for AliasPlaces {
    fn from_iter<I: IntoIterator<Item = (TopicName, Location)>>(places: I) -> Self {
        let mut places: Vec<_> = places.into_iter().collect();
        places.sort_by(|a, b| a.0.cmp(&b.0));
        Self(places.into())
    }
}

/// Zones that some file speaks of, but not in a form that can be used: they stay as they were last applied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unreadable {
    /// Each with a place that speaks of it.
    pub zones: BTreeMap<ZoneName, Location>,
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
    /// Zones that are right in themselves, but name a gateway or a cluster that this installation does not have. Each is
    /// [unreadable](Unreadable) too, so that one in force stays as it was.
    pub misplaced: BTreeMap<ZoneName, LoadedZone>,
    /// How many files were looked at.
    pub files: usize,
    /// Sorted by place.
    pub findings: Vec<Finding>,
    pub unreadable: Unreadable,
    /// What comments in the files silenced, by file.
    pub suppressed: Vec<Suppressed>,
    /// Comments about what only live state can tell.
    pub suppressions: Vec<Suppression>,
    /// Texts of the files, secrets masked, by [`Location::file`]: for snippets.
    pub texts: BTreeMap<Arc<str>, Text>,
}

impl Loaded {
    /// The form that a zone is to have. A misplaced one is wanted only while nothing of it is in force: kept, it is seen as
    /// FAILED by those who wait for it, and no gateway serves it.
    pub fn wanted(&self, name: &ZoneName, in_force: Option<&PartnerZone>) -> Option<&LoadedZone> {
        self.zones.get(name).or_else(|| self.misplaced.get(name).filter(|_| in_force.is_none()))
    }
}

/// Whether a file of this name is a manifest. Source readers ask; what they hand over is loaded, whatever its path.
pub fn is_manifest(name: &str) -> bool {
    name.rsplit_once('.')
        .is_some_and(|(stem, ending)| !stem.is_empty() && (ending == "yaml" || ending == "yml"))
}

/// Reads all files of a source, once.
pub fn load(files: impl IntoIterator<Item = SourceFile>, known: &Known) -> Loaded {
    Loader::new(known.clone()).load(files, &BTreeMap::new())
}

/// Reads a source again and again. What it was given before, in a file of the same name, it does not parse again.
#[derive(Debug)]
pub struct Loader {
    known: Known,
    /// The files of the last time, by name.
    held: HashMap<Arc<str>, Held>,
}

/// What was in a file, and what it says.
type Held = (Arc<[u8]>, Arc<FileReading>);

impl Loader {
    pub fn new(known: Known) -> Self {
        Self { known, held: HashMap::new() }
    }

    /// A zone that is `in_force` just as its file asks for it is shared from there, so that it is in memory once.
    pub fn load(
        &mut self,
        files: impl IntoIterator<Item = SourceFile>,
        in_force: &BTreeMap<ZoneName, Arc<PartnerZone>>,
    ) -> Loaded {
        let mut loaded = Loaded::default();
        let mut contents = Vec::new();
        for file in files {
            let path: Arc<str> = printable(&file.path).into();
            if loaded.files >= MAX_FILES {
                let message =
                    format!("the source has more than {MAX_FILES} manifest files; the rest is not read");
                let finding =
                    Finding::new(Code::TooManyFiles, message).help("split the source, or set `source.path`");
                loaded.findings.push(finding);
                loaded.unreadable.nameless_files.insert(path);
                break;
            }
            loaded.files += 1;
            match file.content {
                Ok(content) => contents.push((path, content)),
                Err(problem) => {
                    loaded.findings.push(problem.finding().at(Location::start_of(path.clone())));
                    loaded.unreadable.nameless_files.insert(path);
                }
            }
        }
        let readings = self.readings(contents, in_force);
        let mut candidates = Vec::new();
        let mut unreadable = BTreeMap::new();
        for (path, reading) in &readings {
            candidates.extend(reading.candidates.iter());
            unreadable.extend(reading.unreadable.clone());
            if reading.nameless {
                loaded.unreadable.nameless_files.insert(path.clone());
            }
            loaded.findings.extend(reading.findings.iter().cloned());
            loaded.suppressed.extend(reading.suppressed.iter().cloned());
            loaded.suppressions.extend(reading.suppressions.iter().cloned());
            loaded.texts.insert(path.clone(), reading.text.clone());
        }
        for candidate in between_zones(candidates, &mut unreadable, &mut loaded.findings) {
            let name = candidate.zone.name.clone();
            let zone = LoadedZone {
                zone: Arc::clone(&candidate.zone),
                source: candidate.name.clone(),
                topics: candidate.topics.clone(),
            };
            if candidate.misplaced {
                unreadable.insert(name.clone(), zone.source.clone());
                loaded.misplaced.insert(name, zone);
            } else {
                loaded.zones.insert(name, zone);
            }
        }
        loaded.unreadable.zones = unreadable;
        loaded.findings.sort();
        loaded
    }

    /// What each file says, in the order given. Only what is new is parsed, and that on all processors.
    fn readings(
        &mut self,
        contents: Vec<(Arc<str>, Arc<[u8]>)>,
        in_force: &BTreeMap<ZoneName, Arc<PartnerZone>>,
    ) -> Vec<(Arc<str>, Arc<FileReading>)> {
        let held = std::mem::take(&mut self.held);
        let is_held = |path: &Arc<str>, content: &Arc<[u8]>| {
            let (last, reading) = held.get(path)?;
            (Arc::ptr_eq(last, content) || last == content).then(|| Arc::clone(reading))
        };
        let mut readings: Vec<Option<Arc<FileReading>>> =
            contents.iter().map(|(path, content)| is_held(path, content)).collect();
        let new = readings.iter().zip(&contents).filter(|(reading, _)| reading.is_none());
        let new: Vec<_> = new.map(|(_, file)| file).collect();
        let read = |part: &[&(Arc<str>, Arc<[u8]>)]| -> Vec<_> {
            let read = |(path, content): &&(Arc<str>, Arc<[u8]>)| {
                let mut reading = read_file(path, content, &self.known);
                reading.share(in_force);
                Arc::new(reading)
            };
            part.iter().map(read).collect()
        };
        let mut read = in_parts(&new, FILES_WORTH_A_THREAD, read).into_iter().flatten();
        for reading in readings.iter_mut().filter(|reading| reading.is_none()) {
            *reading = read.next();
        }
        let all = contents.into_iter().zip(readings);
        let all: Vec<_> =
            all.filter_map(|((path, content), reading)| Some((path, content, reading?))).collect();
        self.held = all
            .iter()
            .map(|(path, content, reading)| (path.clone(), (content.clone(), reading.clone())))
            .collect();
        all.into_iter().map(|(path, _, reading)| (path, reading)).collect()
    }
}

impl FileProblem {
    fn finding(&self) -> Finding {
        match self {
            Self::Symlink => {
                Finding::new(Code::NotAFile, "the file is a symbolic link, which is never followed")
                    .help("put the content itself here")
            }
            Self::Submodule => Finding::new(Code::NotAFile, "the entry is a submodule, which is never read")
                .help("put the files themselves here"),
            Self::TooLarge { size } => {
                let size = usize::try_from(*size).unwrap_or(usize::MAX);
                bytes::too_large(size).finding
            }
            Self::Unreadable(cause) => {
                let message = format!("the file cannot be read: {}", printable(cause));
                Finding::new(Code::UnreadableFile, message)
            }
        }
    }
}

#[cfg(test)]
mod tests;
