//! `--output FORMAT[=FILE]`: what a check has to say, in a form and at a place of the caller's choice.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::str::FromStr;

use super::{Failure, output};
use crate::app::config::Environment;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportFormat {
    Text,
    Json,
}

/// One report: standard output, or a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportTo {
    pub format: ReportFormat,
    file: Option<PathBuf>,
}

impl FromStr for ReportTo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (format, file) = text.split_once('=').map_or((text, None), |(format, file)| (format, Some(file)));
        let format = match format {
            "text" => ReportFormat::Text,
            "json" => ReportFormat::Json,
            _ => return Err("the formats are text and json".to_owned()),
        };
        match file {
            Some("") => Err("a file name is missing after `=`".to_owned()),
            file => Ok(Self { format, file: file.map(PathBuf::from) }),
        }
    }
}

impl ReportTo {
    /// Text on standard output: what is wanted when nothing is asked for.
    pub fn or_default(asked: Vec<Self>) -> Vec<Self> {
        if asked.is_empty() { vec![Self { format: ReportFormat::Text, file: None }] } else { asked }
    }

    /// Colours are for a person at a terminal who has not said no (<https://no-color.org>).
    pub fn wants_colour(&self, environment: &Environment) -> bool {
        let refused = environment.get("NO_COLOR").is_some_and(|value| !value.is_empty());
        self.format == ReportFormat::Text
            && self.file.is_none()
            && !refused
            && std::io::stdout().is_terminal()
    }

    pub fn write(&self, text: &str) -> Result<(), Failure> {
        match &self.file {
            None => output::data(text),
            Some(file) => std::fs::write(file, text).map_err(|error| {
                Failure::usage(format!("cannot write {}: {error}", file.display()))
                    .next("name a file in a folder that exists and can be written to")
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_a_format_and_perhaps_a_file() {
        assert_eq!("json".parse(), Ok(ReportTo { format: ReportFormat::Json, file: None }));
        assert_eq!("text=a=b".parse(), Ok(ReportTo { format: ReportFormat::Text, file: Some("a=b".into()) }));
        for bad in ["", "yaml", "json="] {
            assert!(bad.parse::<ReportTo>().is_err(), "{bad}");
        }
    }
}
