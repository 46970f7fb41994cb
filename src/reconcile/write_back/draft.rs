//! One change of one file, from the files as they are to a plan's input. Nothing is written.

use std::collections::BTreeSet;
use std::sync::Arc;

use similar::TextDiff;

use super::{Desired, Observed, Snapshot, Source};
use crate::manifest::finding::printable;
use crate::manifest::{Finding, Known, Loaded, LoadedZone, Loader, SourceFile, document, edit, to_document};
use crate::zone::{
    Effect, PartnerZone, Precondition, WriteFinding, WriteRefusal, WriteRequest, ZoneName, ZoneWrite,
};

/// Lines around each change of a diff.
const CONTEXT: usize = 3;

/// A file that is to be changed.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) effect: Effect,
    /// In the repository.
    pub(super) file: String,
    /// `None`: it is not there.
    before: Option<String>,
    /// `None`: it goes.
    pub(super) after: Option<String>,
    pub(super) version: Option<String>,
    /// What the files want with it.
    pub(super) desired: Desired,
}

impl Draft {
    pub(super) fn diff(&self) -> String {
        let name = |side: &str, text: &Option<String>| match text {
            Some(_) => format!("{side}/{}", self.file),
            None => "/dev/null".to_owned(),
        };
        let (old, new) = (name("a", &self.before), name("b", &self.after));
        let [before, after] = [&self.before, &self.after].map(|text| text.as_deref().unwrap_or_default());
        TextDiff::from_lines(before, after)
            .unified_diff()
            .context_radius(CONTEXT)
            .header(&old, &new)
            .to_string()
    }
}

/// Reads files and edits them. What was parsed once is not parsed again.
#[derive(Debug)]
pub(super) struct Drafts {
    source: Source,
    known: Known,
    /// Away while it works; after a panic there it starts anew.
    loader: Option<Loader>,
}

impl Drafts {
    pub(super) fn new(source: Source, known: Known) -> Self {
        Self { source, known, loader: None }
    }

    /// `snapshot` with the change that is asked for.
    pub(super) async fn draft(
        &mut self,
        snapshot: Snapshot,
        observed: &Observed,
        request: &WriteRequest,
    ) -> Result<Draft, WriteRefusal> {
        let mut loader = self.loader.take().unwrap_or_else(|| Loader::new(self.known.clone()));
        let new_file = self.source.file_for(&request.zone);
        let (zones, request) = (observed.zones.clone(), request.clone());
        let drafting = tokio::task::spawn_blocking(move || {
            let loaded = loader.load(snapshot.files.iter().cloned(), &zones);
            let edited = Edited::of(&loaded, &snapshot.files, new_file, &request);
            let draft = edited.and_then(|edited| {
                let files = edited.applied_to(&snapshot.files);
                let after = loader.load(files, &zones);
                edited.checked(&loaded, after, &snapshot, &request.zone)
            });
            (loader, draft)
        });
        let (loader, draft) = drafting.await.map_err(|_| {
            WriteRefusal::Unreachable("nothing was written: the files could not be read".to_owned())
        })?;
        self.loader = Some(loader);
        draft
    }
}

/// A file's text before and after.
struct Edited {
    effect: Effect,
    file: String,
    before: Option<String>,
    after: Option<String>,
}

impl Edited {
    fn of(
        loaded: &Loaded,
        files: &[SourceFile],
        new_file: Option<String>,
        request: &WriteRequest,
    ) -> Result<Self, WriteRefusal> {
        let name = &request.zone;
        let current = loaded.zones.get(name).or_else(|| loaded.misplaced.get(name));
        if let (None, Some(place)) = (current, loaded.unreadable.zones.get(name)) {
            let why = format!("{place} has zone {name} and is not right as it is; correct the file first");
            return Err(WriteRefusal::File(why));
        }
        check(&request.on, current.map(|current| current.zone.as_ref()))?;
        match (&request.write, current) {
            (ZoneWrite::Put(zone), None) => Self::created(zone, files, new_file),
            (ZoneWrite::Put(zone), Some(current)) => Self::updated(zone, current, files),
            (ZoneWrite::Delete, None) => Err(WriteRefusal::NotFound),
            (ZoneWrite::Delete, Some(current)) => Self::deleted(name, current, files),
        }
    }

    fn created(
        zone: &PartnerZone,
        files: &[SourceFile],
        new_file: Option<String>,
    ) -> Result<Self, WriteRefusal> {
        let no_place = || {
            let why = format!(
                "`source.path` has no folder in which a file {}.yaml would be read; add the zone by hand",
                zone.name
            );
            WriteRefusal::File(why)
        };
        let file = new_file.ok_or_else(no_place)?;
        if files.iter().any(|other| other.path == file) {
            let why = format!("there is a file {} already, which holds something else", printable(&file));
            return Err(WriteRefusal::File(why));
        }
        let after =
            Some(edit::new_file(&to_document(zone)).map_err(|error| WriteRefusal::File(error.to_string()))?);
        Ok(Self { effect: Effect::Created, file, before: None, after })
    }

    fn updated(zone: &PartnerZone, current: &LoadedZone, files: &[SourceFile]) -> Result<Self, WriteRefusal> {
        let (file, before) = text_of(current, files)?;
        if *zone == *current.zone {
            return Ok(Self {
                effect: Effect::Unchanged,
                file,
                after: Some(before.clone()),
                before: Some(before),
            });
        }
        let after = edit::put(&before, &zone.name, &to_document(zone))
            .map_err(|error| WriteRefusal::File(error.to_string()))?;
        Ok(Self { effect: Effect::Updated, file, before: Some(before), after: Some(after) })
    }

    fn deleted(name: &ZoneName, current: &LoadedZone, files: &[SourceFile]) -> Result<Self, WriteRefusal> {
        let (file, before) = text_of(current, files)?;
        let after = edit::remove(&before, name).map_err(|error| WriteRefusal::File(error.to_string()))?;
        Ok(Self { effect: Effect::Deleted, file, before: Some(before), after })
    }

    fn applied_to(&self, files: &[SourceFile]) -> Vec<SourceFile> {
        let mut files: Vec<_> = files.iter().filter(|file| file.path != self.file).cloned().collect();
        if let Some(text) = &self.after {
            let content = Ok(Arc::from(text.as_bytes()));
            files.push(SourceFile { path: self.file.clone(), content });
            files.sort_by(|a, b| a.path.cmp(&b.path));
        }
        files
    }

    /// It may bring no error that was not there before.
    fn checked(
        self,
        before: &Loaded,
        after: Loaded,
        snapshot: &Snapshot,
        zone: &ZoneName,
    ) -> Result<Draft, WriteRefusal> {
        let known: BTreeSet<_> =
            errors(before).map(|finding| (finding.code.as_str(), &finding.message)).collect();
        let new = errors(&after).filter(|it| !known.contains(&(it.code.as_str(), &it.message)));
        let new: Vec<_> = new.map(shown).collect();
        if !new.is_empty() {
            return Err(WriteRefusal::Invalid(new));
        }
        let version = after.zones.get(zone).map(|loaded| document::version(&loaded.zone));
        let Self { effect, file, before, after: text } = self;
        let desired = Desired {
            revision: snapshot.revision.clone(),
            // The files are not those of any commit yet.
            tree: String::new(),
            commit: snapshot.commit.clone(),
            loaded: Arc::new(after),
        };
        Ok(Draft { effect, file, before, after: text, version, desired })
    }
}

fn errors(loaded: &Loaded) -> impl Iterator<Item = &Finding> {
    loaded.findings.iter().filter(|finding| finding.is_error())
}

fn shown(finding: &Finding) -> WriteFinding {
    let place = finding.source.as_ref().map(ToString::to_string).unwrap_or_default();
    let help = finding.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
    WriteFinding { code: finding.code.as_str(), place, message: format!("{}{help}", finding.message) }
}

fn check(on: &Precondition, current: Option<&PartnerZone>) -> Result<(), WriteRefusal> {
    match (on, current) {
        (Precondition::Absent, Some(_)) => Err(WriteRefusal::Exists),
        (Precondition::Version(_), None) => Err(WriteRefusal::NotFound),
        (Precondition::Version(seen), Some(current)) if *seen != document::version(current) => {
            Err(WriteRefusal::Changed)
        }
        _ => Ok(()),
    }
}

/// The file that has the zone, and its text.
fn text_of(zone: &LoadedZone, files: &[SourceFile]) -> Result<(String, String), WriteRefusal> {
    let file = files.iter().find(|file| *printable(&file.path) == *zone.source.file);
    let text = file.and_then(|file| Some((file, file.content.as_ref().ok()?)));
    let text =
        text.and_then(|(file, bytes)| Some((file.path.clone(), String::from_utf8(bytes.to_vec()).ok()?)));
    text.ok_or_else(|| WriteRefusal::File(format!("{} cannot be read again", zone.source)))
}
