//! Comments that silence findings: `# reconciler-ignore: PZ0203 the reason`, on the finding's line or on a line of its own
//! above it. One code, and a reason that is not optional; nothing is silenced that [`Code::is_suppressible`] does not allow.

use std::ops::Range;
use std::sync::Arc;

use serde::Serialize;

use super::bytes::lines;
use super::code::Code;
use super::fault::Fault;
use super::finding::{Finding, Location, printable, quote};
use super::tree::{Content, Node};

/// What such a comment begins with.
const MARK: &str = "reconciler-ignore";
/// Longest reason that is kept, in characters.
const MAX_REASON: usize = 300;

/// A comment that can be followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppression {
    pub code: Code,
    /// Safe to print.
    pub reason: Arc<str>,
    pub comment: Location,
    /// The line it speaks of.
    line: usize,
}

/// A finding that a comment silenced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Suppressed {
    #[serde(flatten)]
    pub finding: Finding,
    #[serde(rename = "suppression")]
    pub by: By,
}

/// Why a finding is silent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct By {
    pub reason: Arc<str>,
    /// The comment.
    pub source: Location,
}

/// Findings after the comments.
#[derive(Debug, Default)]
pub struct Silenced {
    pub kept: Vec<Finding>,
    pub suppressed: Vec<Suppressed>,
    /// One for each comment that silenced nothing.
    pub unused: Vec<Finding>,
}

/// Takes out what the comments speak of.
pub fn silence(suppressions: &[Suppression], findings: Vec<Finding>) -> Silenced {
    let mut silenced = Silenced::default();
    let mut used = vec![false; suppressions.len()];
    for finding in findings {
        let mut candidates = suppressions.iter().zip(&mut used);
        match candidates.find(|(suppression, _)| suppression.covers(&finding)) {
            Some((suppression, used)) => {
                *used = true;
                let by = By { reason: suppression.reason.clone(), source: suppression.comment.clone() };
                silenced.suppressed.push(Suppressed { finding, by });
            }
            None => silenced.kept.push(finding),
        }
    }
    let unused = suppressions.iter().zip(used).filter(|(_, used)| !used);
    silenced.unused = unused.map(|(suppression, _)| suppression.unused()).collect();
    silenced
}

impl Suppression {
    fn covers(&self, finding: &Finding) -> bool {
        let here = |at: &Location| at.file == self.comment.file && at.line == self.line;
        finding.code == self.code && self.code.is_suppressible() && finding.source.as_ref().is_some_and(here)
    }

    fn unused(&self) -> Finding {
        let message = format!("there is no {} here to suppress", self.code.as_str());
        Finding::new(Code::UnusedSuppression, message).help("remove the comment").at(self.comment.clone())
    }
}

/// A comment as it was found.
#[derive(Debug)]
pub(super) struct Comment {
    pub(super) span: Range<usize>,
    code: Code,
    reason: Arc<str>,
    /// The first byte of the line it speaks of.
    about: usize,
}

impl Comment {
    /// `locate` knows where bytes of the file are.
    pub(super) fn placed(self, locate: impl Fn(&Range<usize>) -> Location) -> Suppression {
        let line = locate(&(self.about..self.about)).line;
        Suppression { code: self.code, reason: self.reason, comment: locate(&self.span), line }
    }
}

/// Whether there is anything to look for: almost no file has one.
pub(super) fn is_asked_for(text: &str) -> bool {
    text.contains(MARK)
}

/// The comments of a text that parsed into `documents`, and what is wrong with them. A `#` within a value begins none.
pub(super) fn find(text: &str, documents: &[Node]) -> (Vec<Comment>, Vec<Fault>) {
    let (mut comments, mut faults) = (Vec::new(), Vec::new());
    let values = scalars(documents);
    for (start, line) in lines(text) {
        let Some(at) = comment_start(start, line, &values) else { continue };
        let said = line.get(at + 1..).unwrap_or_default().trim();
        let Some(rest) = said.strip_prefix(MARK) else { continue };
        let span = start + at..start + line.trim_end().len();
        let is_alone = line.get(..at).is_some_and(|before| before.trim().is_empty());
        let about = if is_alone { next_content(text, start + line.len()) } else { start };
        match parse(rest) {
            Ok((code, reason)) => comments.push(Comment { span, code, reason, about }),
            Err((message, help)) => {
                faults.push(Fault::new(Code::InvalidSuppression, span, message).help(help));
            }
        }
    }
    (comments, faults)
}

/// The bytes of all scalars, keys included, in order.
fn scalars(documents: &[Node]) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let mut open: Vec<&Node> = documents.iter().collect();
    while let Some(node) = open.pop() {
        match &node.content {
            Content::Scalar(_) => spans.push(node.span.clone()),
            Content::Sequence(items) => open.extend(items),
            Content::Mapping(entries) => {
                spans.extend(entries.iter().map(|entry| entry.key_span.clone()));
                open.extend(entries.iter().map(|entry| &entry.value));
            }
        }
    }
    spans.sort_by_key(|span| span.start);
    spans
}

/// Where on a line its comment begins (YAML 1.2.2, section 6.6): at its start or after white space, outside of values.
fn comment_start(start: usize, line: &str, values: &[Range<usize>]) -> Option<usize> {
    line.match_indices('#').map(|(at, _)| at).find(|at| {
        let before = line.get(..*at).and_then(|before| before.chars().next_back());
        let follows_space = before.is_none_or(|c| c.is_whitespace() || c == '\u{feff}');
        let byte = start + at;
        let last = values.partition_point(|span| span.start <= byte).checked_sub(1);
        let inside = last.and_then(|last| values.get(last)).is_some_and(|span| byte < span.end);
        follows_space && !inside
    })
}

/// The first line from `from` on that holds more than a comment.
fn next_content(text: &str, from: usize) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    let mut rest = lines(rest).filter(|(_, line)| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with('#')
    });
    rest.next().map_or(text.len(), |(start, _)| from + start)
}

/// What follows the mark → code and reason, or what is wrong and what to do.
fn parse(rest: &str) -> Result<(Code, Arc<str>), (String, String)> {
    const FORM: &str = "write `# reconciler-ignore: CODE reason`";
    let rest = rest.strip_prefix(':').map(str::trim).filter(|rest| !rest.is_empty());
    let Some(rest) = rest else {
        return Err(("the suppression names no code".to_owned(), FORM.to_owned()));
    };
    let (word, reason) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let Some(code) = Code::find(word) else {
        let help =
            if word.contains(',') { "one comment is for one code: write another above it" } else { FORM };
        return Err((format!("{} is not the code of a finding", quote(word)), help.to_owned()));
    };
    if !code.is_suppressible() {
        let help = match code.severity() {
            super::Severity::Error => "an error keeps its zone as it was: correct it instead",
            _ => "it has to be seen: remove the comment",
        };
        return Err((format!("{} cannot be suppressed", code.as_str()), help.to_owned()));
    }
    let reason = printable(reason.trim());
    if !reason.chars().any(char::is_alphanumeric) {
        let message = format!("the suppression of {} gives no reason", code.as_str());
        return Err((message, format!("{FORM}: who reads it later should know why")));
    }
    Ok((code, reason.chars().take(MAX_REASON).collect::<String>().into()))
}

#[cfg(test)]
mod tests {
    use super::super::tree;
    use super::*;

    /// Line of the comment, code, reason and the line it speaks of.
    type Found = (usize, Code, String, usize);

    fn found(text: &str) -> (Vec<Found>, Vec<String>) {
        let (documents, faults) = tree::parse(text);
        assert!(faults.is_empty(), "{faults:?}");
        let (comments, faults) = find(text, &documents);
        let line = |at: usize| text[..at].matches('\n').count() + 1;
        let comments = comments
            .into_iter()
            .map(|it| (line(it.span.start), it.code, it.reason.to_string(), line(it.about)));
        (comments.collect(), faults.into_iter().map(|fault| fault.finding.message).collect())
    }

    #[test]
    fn a_comment_speaks_of_its_own_line_or_of_the_next_with_content() {
        let text = "# reconciler-ignore: PZ0207 later\n\n# why\n  #reconciler-ignore:PZ0305 by port\na: 1 # reconciler-ignore: PZ0400 soon\nb: 'x' # reconciler-ignore: PZ0400 too\n";
        let (comments, faults) = found(text);
        assert_eq!(faults, Vec::<String>::new());
        assert_eq!(
            comments,
            [
                (1, Code::NothingShared, "later".to_owned(), 5),
                (4, Code::NoHostName, "by port".to_owned(), 5),
                (5, Code::BackingTopicMissing, "soon".to_owned(), 5),
                (6, Code::BackingTopicMissing, "too".to_owned(), 6),
            ]
        );
    }

    #[test]
    fn what_stands_in_a_value_is_no_comment() {
        for text in [
            "a: 'x # reconciler-ignore: PZ0203 no'\n",
            "a: \"x\n  # reconciler-ignore: PZ0203 no\"\n",
            "a: |\n  # reconciler-ignore: PZ0203 no\n  x\nb: 1\n",
            "a: >-\n  x\n\n  # reconciler-ignore: PZ0203 no\n",
            "a: x#reconciler-ignore:PZ0203\n",
            "'# reconciler-ignore: PZ0203 no': 1\n",
        ] {
            assert_eq!(found(text), (vec![], vec![]), "{text}");
        }
    }

    #[test]
    fn a_comment_that_cannot_be_followed_says_why() {
        for (comment, message) in [
            ("reconciler-ignore", "the suppression names no code"),
            ("reconciler-ignore:", "the suppression names no code"),
            ("reconciler-ignore PZ0203 x", "the suppression names no code"),
            ("reconciler-ignore: PZ9999 x", "`PZ9999` is not the code of a finding"),
            ("reconciler-ignore: pz0203 x", "`pz0203` is not the code of a finding"),
            ("reconciler-ignore: PZ0203, PZ0207 x", "`PZ0203,` is not the code of a finding"),
            ("reconciler-ignore: PZ0203", "the suppression of PZ0203 gives no reason"),
            ("reconciler-ignore: PZ0203 --", "the suppression of PZ0203 gives no reason"),
            ("reconciler-ignore: PZ0206 x", "PZ0206 cannot be suppressed"),
        ] {
            assert_eq!(found(&format!("a: 1 # {comment}\n")), (vec![], vec![message.to_owned()]));
        }
    }

    #[test]
    fn only_the_finding_of_that_line_file_and_code_is_silenced() {
        let at = |file: &str, line| Location { file: file.into(), line, column: 1, span: 0..0 };
        let suppression =
            Suppression { code: Code::TwoAliases, reason: "x".into(), comment: at("a.yaml", 1), line: 2 };
        let findings = vec![
            Finding::new(Code::TwoAliases, "here").at(at("a.yaml", 2)),
            Finding::new(Code::TwoAliases, "elsewhere").at(at("a.yaml", 3)),
            Finding::new(Code::TwoAliases, "another file").at(at("b.yaml", 2)),
            Finding::new(Code::NothingShared, "another code").at(at("a.yaml", 2)),
            Finding::new(Code::TwoAliases, "nowhere"),
        ];
        let silenced = silence(std::slice::from_ref(&suppression), findings);
        let messages: Vec<_> = silenced.suppressed.iter().map(|it| it.finding.message.as_str()).collect();
        assert_eq!((messages, silenced.kept.len(), silenced.unused.len()), (vec!["here"], 4, 0));
        assert_eq!(silence(&[suppression], vec![]).unused[0].code, Code::UnusedSuppression);
    }

    #[test]
    fn a_forbidden_code_is_not_silenced_even_if_asked() {
        let at = Location { file: "a.yaml".into(), line: 2, column: 1, span: 0..0 };
        let forged =
            Suppression { code: Code::SecretInFile, reason: "x".into(), comment: at.clone(), line: 2 };
        let silenced = silence(&[forged], vec![Finding::new(Code::SecretInFile, "a secret").at(at)]);
        assert_eq!((silenced.kept.len(), silenced.suppressed.len()), (1, 0));
    }
}
