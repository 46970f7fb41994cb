//! One change of one file, from the files as they are to a plan's input. Nothing is written.

use std::collections::BTreeMap;
use std::sync::Arc;

use similar::TextDiff;

use super::{Desired, Observed, Snapshot, Source};
use crate::manifest::finding::printable;
use crate::manifest::{
    Finding, Known, Loaded, LoadedZone, Loader, SourceFile, document, edit, to_document, to_yaml, tree,
};
use crate::zone::{
    Effect, Excerpt, PartnerZone, Precondition, WriteFinding, WriteRefusal, WriteRequest, ZoneName, ZoneWrite,
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
    /// Where there is more in the file than the zone.
    pub(super) excerpt: Option<Excerpt>,
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
        let names = [name("a", &self.before), name("b", &self.after)];
        unified(&names, [&self.before, &self.after].map(|text| text.as_deref().unwrap_or_default()))
    }
}

/// What `diff -u` would show.
fn unified([old, new]: &[String; 2], [before, after]: [&str; 2]) -> String {
    let diff = TextDiff::from_lines(before, after);
    diff.unified_diff().context_radius(CONTEXT).header(old, new).to_string()
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
                edited.checked(&loaded, after, &snapshot, &request)
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

    /// It may bring no error that was not there before, and what is put has to be read as it is meant.
    fn checked(
        self,
        before: &Loaded,
        after: Loaded,
        snapshot: &Snapshot,
        request: &WriteRequest,
    ) -> Result<Draft, WriteRefusal> {
        let new = self.new_errors(before, &after);
        if !new.is_empty() {
            return Err(WriteRefusal::Invalid(new));
        }
        self.as_meant(&after, request)?;
        let version = after.zones.get(&request.zone).map(|loaded| document::version(&loaded.zone));
        let excerpt = self.excerpt(before, request);
        let Self { effect, file, before, after: text } = self;
        let desired = Desired {
            revision: snapshot.revision.clone(),
            // The files are not those of any commit yet.
            tree: String::new(),
            commit: snapshot.commit.clone(),
            loaded: Arc::new(after),
        };
        Ok(Draft { effect, file, before, after: text, excerpt, version, desired })
    }

    /// Errors that are there more often than before. Other files say what they said, so one too many is in this file, if one is.
    fn new_errors(&self, before: &Loaded, after: &Loaded) -> Vec<WriteFinding> {
        let mut known = BTreeMap::<_, usize>::new();
        for error in errors(before) {
            *known.entry(kind(error)).or_default() += 1;
        }
        let file = printable(&self.file);
        let (here, elsewhere): (Vec<_>, Vec<_>) = errors(after).partition(|error| is_in(error, &file));
        let mut new = Vec::new();
        for error in elsewhere.into_iter().chain(here) {
            match known.get_mut(&kind(error)) {
                Some(left) if *left > 0 => *left -= 1,
                _ => new.push(shown(error)),
            }
        }
        new
    }

    /// An error that was there before can be in the way of what is put: nothing new is wrong, and it is not in force all the same.
    fn as_meant(&self, after: &Loaded, request: &WriteRequest) -> Result<(), WriteRefusal> {
        let ZoneWrite::Put(wanted) = &request.write else { return Ok(()) };
        if after.zones.get(&request.zone).is_some_and(|loaded| *loaded.zone == **wanted) {
            return Ok(());
        }
        let own = self.own_errors(after, &request.zone);
        if own.is_empty() {
            let file = printable(&self.file);
            let why = format!(
                "zone {} would not be read from {file} as it is to be, for what is wrong in the files already; correct that first",
                request.zone
            );
            return Err(WriteRefusal::File(why));
        }
        Err(WriteRefusal::Invalid(own))
    }

    /// Errors in the zone's own document.
    fn own_errors(&self, after: &Loaded, zone: &ZoneName) -> Vec<WriteFinding> {
        let (documents, _) = tree::parse(self.after.as_deref().unwrap_or_default());
        let is_own = |document: &&tree::Node| {
            let name = document.find("/metadata/name").and_then(|found| found.node.scalar());
            name.is_some_and(|name| name.text == zone.as_str())
        };
        let Some(own) = documents.iter().find(is_own) else { return Vec::new() };
        let file = printable(&self.file);
        let is_within = |error: &&Finding| {
            let at = error.source.as_ref().map(|source| source.span.start);
            is_in(error, &file) && at.is_some_and(|at| own.span.contains(&at))
        };
        errors(after).filter(is_within).map(shown).collect()
    }

    /// What of it is the zone's alone.
    fn excerpt(&self, before: &Loaded, request: &WriteRequest) -> Option<Excerpt> {
        self.before.as_deref().filter(|text| holds_more(text))?;
        let known = before.zones.get(&request.zone).or_else(|| before.misplaced.get(&request.zone));
        let wanted = match &request.write {
            ZoneWrite::Put(zone) => Some(&**zone),
            ZoneWrite::Delete => None,
        };
        // As it is written anew: text keys and plain values only, so nothing in it can fail to serialise.
        let [old, new] = [known.map(|loaded| &*loaded.zone), wanted]
            .map(|zone| zone.map(|zone| to_yaml(zone).unwrap_or_default()));
        // The file stays, even if the document goes.
        let names = ["a", "b"].map(|side| format!("{side}/{}", self.file));
        let diff = unified(&names, [&old, &new].map(|text| text.as_deref().unwrap_or_default()));
        Some(Excerpt { document: new, diff })
    }
}

/// Whether there is anything in a file beside one document. What looks like a remark counts as one: a `#` in a value hides no more than
/// how the file is written.
fn holds_more(text: &str) -> bool {
    text.contains('#') || tree::parse(text).0.len() > 1
}

fn errors(loaded: &Loaded) -> impl Iterator<Item = &Finding> {
    loaded.findings.iter().filter(|finding| finding.is_error())
}

/// What an error is, wherever it is: places move when a file is edited.
fn kind(error: &Finding) -> (&'static str, &str) {
    (error.code.as_str(), &error.message)
}

/// `file` is printable.
fn is_in(error: &Finding, file: &str) -> bool {
    error.source.as_ref().is_some_and(|source| *source.file == *file)
}

fn shown(finding: &Finding) -> WriteFinding {
    WriteFinding {
        code: finding.code.as_str(),
        place: finding.source.as_ref().map(ToString::to_string).unwrap_or_default(),
        message: finding.message.clone(),
        help: finding.help.clone(),
    }
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
