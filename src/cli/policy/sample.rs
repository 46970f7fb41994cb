//! Records to try a policy on: of a file, or made up to suit the policy.

use std::path::Path;

use serde::Deserialize;

use super::super::Failure;
use crate::kafka::records::NewRecord;
use crate::manifest::load::FileProblem;
use crate::reconcile::source::read_file;
use crate::zone::Headers;

/// The largest file of records, in bytes.
const LARGEST: u64 = 16 << 20;

/// Where a record goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Way {
    Produce,
    Consume,
}

impl Way {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Produce => "produce",
            Self::Consume => "consume",
        }
    }
}

/// One record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Sample {
    /// Which one of them it is, from 1.
    #[serde(skip)]
    pub(super) number: usize,
    pub(super) key: Option<String>,
    pub(super) value: Option<String>,
    pub(super) headers: Vec<(String, Option<String>)>,
    /// None: both ways.
    way: Option<Way>,
}

impl Sample {
    pub(super) fn goes(&self, way: Way) -> bool {
        self.way.is_none_or(|only| only == way)
    }

    pub(super) fn record(&self) -> NewRecord {
        let bytes = |text: &String| text.clone().into();
        NewRecord {
            key: self.key.as_ref().map(bytes),
            value: self.value.as_ref().map(bytes),
            headers: self
                .headers
                .iter()
                .map(|(key, value)| (bytes(key), value.as_ref().map(bytes)))
                .collect(),
        }
    }
}

/// The records of a file, one JSON object a line.
pub(super) fn read(path: &Path) -> Result<Vec<Sample>, Failure> {
    let shown = path.display();
    let content = read_file(path, LARGEST).map_err(|problem| {
        let cause = match problem {
            FileProblem::TooLarge { size } => format!("it has {size} bytes, the limit is {LARGEST}"),
            FileProblem::Unreadable(cause) => cause,
            FileProblem::Symlink | FileProblem::Submodule => "it is no regular file".to_owned(),
        };
        Failure::usage(format!("cannot read {shown}: {cause}"))
    })?;
    let text = String::from_utf8(content).map_err(|_| Failure::usage(format!("{shown} is not UTF-8")))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let samples = lines.map(|(at, line)| {
        serde_json::from_str::<Sample>(line).map_err(|error| {
            Failure::usage(format!("{shown}, line {}: {error}", at + 1)).next(
                "write a record as {\"key\": \"k\", \"value\": \"v\", \"headers\": [[\"name\", \"value\"]]}",
            )
        })
    });
    let samples = numbered(samples.collect::<Result<_, _>>()?);
    if samples.is_empty() {
        Err(Failure::usage(format!("there is no record in {shown}")))
    } else {
        Ok(samples)
    }
}

/// A record without headers, and one with those that the policy is about.
pub(super) fn of(policy: &Headers) -> Vec<Sample> {
    let theirs = |key: &str| (key.to_owned(), Some("of the sender".to_owned()));
    let mut headers = vec![theirs("trace-id")];
    headers.extend(policy.add_on_produce.iter().map(|header| theirs(&header.key)));
    // Many patterns match themselves as they are written.
    let patterns =
        policy.remove_on_consume.iter().filter(|pattern| pattern.matches(pattern.as_str().as_bytes()));
    headers.extend(patterns.map(|pattern| theirs(pattern.as_str())));
    let sample = |key: &str, headers| Sample {
        key: Some(key.to_owned()),
        value: Some("value".to_owned()),
        headers,
        ..Sample::default()
    };
    numbered(vec![sample("without-headers", Vec::new()), sample("with-headers", headers)])
}

fn numbered(mut samples: Vec<Sample>) -> Vec<Sample> {
    for (sample, number) in samples.iter_mut().zip(1..) {
        sample.number = number;
    }
    samples
}
