//! One file → its zones, and all that is wrong with it, in place.

mod salvage;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use crate::zone::{Claim, PartnerZone, SharedTopic, ZoneName};

use super::bytes::{self, Lines};
use super::code::{Code, Layer};
use super::fault::{DocumentFault, Fault, Part};
use super::finding::{Finding, Location, quote};
use super::load::{AliasPlaces, Known};
use super::read::read;
use super::scalar::Kind;
use super::schema::closest;
use super::secret::{self, Secrets};
use super::set;
use super::suppress::{self, Silenced, Suppressed, Suppression, silence};
use super::text::Text;
use super::tree::{self, Content, Node};

/// Findings shown for one file; a file that is wrong throughout has one cause.
const MAX_FINDINGS: usize = 200;

/// A zone of the file that has no errors of its own.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) zone: Arc<PartnerZone>,
    pub(super) name: Location,
    /// What it wants for itself, each with its place.
    pub(super) claims: Vec<(Claim, Location)>,
    pub(super) topics: AliasPlaces,
    /// It names a gateway or a cluster that this installation does not have.
    pub(super) misplaced: bool,
}

/// Everything that one file says.
#[derive(Debug, Default)]
pub(super) struct FileReading {
    pub(super) candidates: Vec<Candidate>,
    pub(super) findings: Vec<Finding>,
    pub(super) suppressed: Vec<Suppressed>,
    /// Comments about what only live state can tell.
    pub(super) suppressions: Vec<Suppression>,
    /// Zones that it speaks of in a form that cannot be used.
    pub(super) unreadable: BTreeMap<ZoneName, Location>,
    /// It holds a document whose zone is not known.
    pub(super) nameless: bool,
    /// To show snippets of, secrets masked.
    pub(super) text: Text,
}

pub(super) fn read_file(file: &Arc<str>, content: &Arc<[u8]>, known: &Known) -> FileReading {
    let places = Places { file: file.clone(), lines: Lines::new(content) };
    let lossy = String::from_utf8_lossy(content.get(..bytes::MAX_FILE_BYTES).unwrap_or(content));
    let mut reading = FileReading::default();
    let mut faults = Vec::new();
    let (mut suppressions, mut comment_faults) = (Vec::<Suppression>::new(), Vec::new());
    let secrets = match bytes::text(content) {
        Ok(text) => {
            let (documents, mut yaml) = tree::parse(text);
            let secrets = secret::find(text, &documents);
            // Without all of its values nobody knows what is a comment.
            if yaml.is_empty() && suppress::is_asked_for(text) {
                let (comments, wrong) = suppress::find(&secrets.mask(text), &documents);
                suppressions = comments.into_iter().map(|it| it.placed(|span| places.at(span))).collect();
                comment_faults = wrong;
            }
            yaml.retain(|fault| !secrets.hides(&fault.span));
            faults.extend(secrets.faults.iter().cloned());
            faults.extend(yaml);
            let file_is_sound = faults.is_empty();
            for document in &documents {
                let sound = read_document(document, &places, &secrets, known, &mut faults);
                if let Some(candidate) = sound.filter(|_| file_is_sound) {
                    reading.candidates.push(candidate);
                } else {
                    reading.keep_as_it_was(document, &places);
                }
            }
            secrets
        }
        Err(found) => {
            faults.extend(found);
            secret::find(&lossy, &[])
        }
    };
    // Readings are kept as long as their files.
    reading.candidates.shrink_to_fit();
    if reading.candidates.is_empty() && reading.unreadable.is_empty() && !reading.nameless {
        reading.salvage(&lossy, file);
    }
    faults.extend(comment_faults);
    let (live, of_file): (Vec<_>, Vec<_>) =
        suppressions.into_iter().partition(|it| it.code.layer() == Layer::Live);
    let Silenced { mut kept, suppressed, unused } = silence(&of_file, placed(faults, &places));
    kept.extend(unused);
    reading.findings = listed(kept);
    reading.suppressed = suppressed;
    reading.suppressions = live;
    reading.text = Text::of(content, &secrets);
    reading
}

impl FileReading {
    /// Takes over the zones that are in force in the very form that this file gives them.
    pub(super) fn share(&mut self, in_force: &BTreeMap<ZoneName, Arc<PartnerZone>>) {
        for candidate in &mut self.candidates {
            if let Some(same) = in_force.get(&candidate.zone.name).filter(|zone| **zone == candidate.zone) {
                candidate.zone = Arc::clone(same);
            }
        }
    }

    fn keep_as_it_was(&mut self, document: &Node, places: &Places<'_>) {
        let found = document.find("/metadata/name").and_then(|found| {
            let name = ZoneName::try_from(found.node.scalar()?.text.as_str()).ok()?;
            Some((name, places.at(&found.node.span)))
        });
        match found {
            Some((name, at)) => {
                self.unreadable.insert(name, at);
            }
            None => self.nameless = true,
        }
    }

    /// No document could be read: what do the lines say?
    fn salvage(&mut self, text: &str, file: &Arc<str>) {
        self.unreadable = salvage::zone_names(text)
            .into_iter()
            .map(|name| (name, Location::start_of(file.clone())))
            .collect();
        self.nameless = self.unreadable.is_empty();
    }
}

/// Reads one document; nothing comes back if it has an error of its own.
fn read_document(
    document: &Node,
    places: &Places<'_>,
    secrets: &Secrets,
    known: &Known,
    faults: &mut Vec<Fault>,
) -> Option<Candidate> {
    if let Some(fault) = not_a_zone(document) {
        faults.push(fault);
        return None;
    }
    let reading = read(&document.to_json());
    let mut found = reading.faults;
    let sound = !found.iter().any(|fault| fault.finding.is_error());
    let misplaced =
        reading.zone.as_ref().map(|zone| set::against_configuration(zone, known)).unwrap_or_default();
    let is_misplaced = !misplaced.is_empty();
    found.extend(misplaced);
    found.extend(reading.zone.iter().filter_map(|zone| set::host_name(zone, known)));
    // What an earlier layer has refused is not refused again.
    let earlier: BTreeSet<usize> = faults.iter().map(|fault| fault.span.start).collect();
    faults.extend(
        found
            .into_iter()
            .map(|fault| on_text(fault, document, places))
            .filter(|fault| !earlier.contains(&fault.span.start) && !secrets.hides(&fault.span)),
    );
    let zone = reading.zone.filter(|_| sound)?;
    let place = |pointer: &str| document.find(pointer).map(|found| places.at(&found.node.span));
    Some(Candidate {
        name: place("/metadata/name")?,
        claims: claims(&zone, &place),
        topics: aliases(&zone, document, places),
        misplaced: is_misplaced,
        zone: Arc::new(zone),
    })
}

/// Where each alias stands.
fn aliases(zone: &PartnerZone, document: &Node, places: &Places<'_>) -> AliasPlaces {
    let items = match document.find("/spec/topics").map(|found| &found.node.content) {
        Some(Content::Sequence(items)) => items.as_slice(),
        _ => &[],
    };
    let place = |(topic, item): (&SharedTopic, &Node)| {
        Some((topic.alias.clone(), places.at(&item.get("name")?.value.span)))
    };
    zone.topics.iter().zip(items).filter_map(place).collect()
}

fn claims(zone: &PartnerZone, place: &impl Fn(&str) -> Option<Location>) -> Vec<(Claim, Location)> {
    let account = ["/spec/authenticationMode/serviceAccount", "/spec/serviceAccount"];
    let account = account.into_iter().find_map(place);
    let group = |index| place(&format!("/spec/consumerGroups/{index}/backingGroup"));
    let groups = (0..zone.consumer_groups.len()).map(group);
    let places = std::iter::once(account).chain(groups);
    zone.claims().zip(places).filter_map(|(claim, place)| Some((claim, place?))).collect()
}

/// A document of another kind: one fault, instead of one for each field that zones do not have.
fn not_a_zone(document: &Node) -> Option<Fault> {
    if !matches!(document.content, Content::Mapping(_)) {
        let fault = Fault::new(Code::WrongType, document.head(), "the document is not a mapping");
        return Some(fault.help("a zone begins with `apiVersion: v2` and `kind: PartnerZone`"));
    }
    let kind = document.get("kind")?;
    let text = kind.value.scalar().map(|scalar| scalar.text.as_str()).filter(|text| !text.is_empty())?;
    if text == "PartnerZone" {
        return None;
    }
    let fault = Fault::new(
        Code::UnknownKind,
        kind.value.span.clone(),
        format!("{} is not a kind that this system knows", quote(text)),
    );
    Some(match closest(text, ["PartnerZone"].into_iter()) {
        Some(meant) => fault.help(format!("did you mean `{meant}`?")),
        None => fault.help("keep files of other kinds outside `source.path`"),
    })
}

/// A place in the document → bytes of the file.
fn on_text(fault: DocumentFault, document: &Node, places: &Places<'_>) -> Fault {
    let span = |pointer: &str, part: Part| -> Range<usize> {
        let Some(found) = document.find(pointer) else { return document.head() };
        match (part, found.key) {
            (Part::Key, Some(key)) => key.clone(),
            (Part::Key, None) | (Part::Value, _) => found.node.head(),
        }
    };
    let mut at = span(&fault.pointer, fault.part);
    let value = document.find(&fault.pointer).and_then(|found| found.node.scalar());
    at.start +=
        value.and_then(|value| places.lines.into_text(&at, &value.text, fault.within)).unwrap_or_default();
    let related =
        fault.related.iter().map(|(pointer, what)| (span(pointer, Part::Value), what.clone())).collect();
    let mut finding = fault.finding;
    // As it was written: `0123` is the number 123 to a parser, and `.nan` nothing at all, but not to their author.
    if let Some(scalar) = value {
        let text = quote(&scalar.text);
        if finding.code == Code::QuoteNeeded {
            finding.message = format!("{text} is {} in YAML, text is wanted here", scalar.kind().as_str());
            finding.help = Some(format!("quote it: {}", quote(&format!("\"{}\"", scalar.text))));
        } else if finding.code == Code::WrongType
            && scalar.kind() == Kind::Float
            && scalar.to_json().is_null()
        {
            finding.message = format!("{text} is no number that a field can have");
            finding.help = Some("write digits".to_owned());
        }
    }
    Fault { span: at, finding, related }
}

/// Bytes of a named file → places.
struct Places<'a> {
    file: Arc<str>,
    lines: Lines<'a>,
}

impl Places<'_> {
    fn at(&self, span: &Range<usize>) -> Location {
        let (line, column) = self.lines.locate(span.start);
        Location { file: self.file.clone(), line, column, span: span.clone() }
    }
}

fn placed(faults: Vec<Fault>, places: &Places<'_>) -> Vec<Finding> {
    let place = |fault: Fault| {
        let mut finding = fault.finding.at(places.at(&fault.span));
        finding.related = fault.related.into_iter().map(|(span, what)| (places.at(&span), what)).collect();
        finding
    };
    faults.into_iter().map(place).collect()
}

/// As many as a person would read. If some are left out, errors are not: they come first.
fn listed(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort_by_key(|finding| (finding.severity(), finding.source.as_ref().map(|at| at.span.start)));
    let rest = findings.split_off(findings.len().min(MAX_FINDINGS));
    if let Some(at) = rest.first().and_then(|next| next.source.clone()) {
        let message = format!("{} more findings in this file are not listed", rest.len());
        findings.push(Finding::new(Code::MoreFaults, message).at(at));
    }
    findings
}
