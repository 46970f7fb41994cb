//! `--output FORMAT[=FILE]`, any number of them: a report in forms and at places of the caller's choice.

use std::fs::OpenOptions;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use uuid::Uuid;

use super::super::{Failure, output};
use super::{Colour, Format, Report};
use crate::app::config::Environment;

/// What GitHub takes as the summary of one step, in bytes.
const STEP_SUMMARY: u64 = 1024 * 1024;

/// One form, on standard output or in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportTo {
    format: Format,
    file: Option<PathBuf>,
}

impl FromStr for ReportTo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, file) = text.split_once('=').map_or((text, None), |(name, file)| (name, Some(file)));
        let Some((_, format)) = Format::ALL.into_iter().find(|(known, _)| *known == name) else {
            return Err(format!("the formats are {}", Format::ALL.map(|(name, _)| name).join(", ")));
        };
        match file {
            Some("") => Err("a file name is missing after `=`".to_owned()),
            file => Ok(Self { format, file: file.map(PathBuf::from) }),
        }
    }
}

/// The reports that were asked for.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Outputs {
    /// text, json, markdown, github, gitlab, sarif or junit, to standard output or to a file; can be repeated
    #[arg(long = "output", value_name = "FORMAT[=FILE]")]
    asked: Vec<ReportTo>,
}

impl Outputs {
    /// Whether any was asked for.
    pub fn are_asked(&self) -> bool {
        !self.asked.is_empty()
    }

    /// Writes all of them, also if one cannot be written: the first failure is the answer. Text on standard output is wanted
    /// when nothing is asked for.
    pub fn write(&self, report: &Report<'_>, environment: &Environment) -> Result<(), Failure> {
        let default = [ReportTo { format: Format::Text, file: None }];
        let wanted = if self.asked.is_empty() { default.as_slice() } else { &self.asked };
        let mut outcome = Ok(());
        for (index, one) in wanted.iter().enumerate() {
            let taken = wanted.iter().take(index).any(|other| one.file.is_some() && other.file == one.file);
            let written = if taken { Err(one.twice()) } else { one.write(report, environment) };
            outcome = outcome.and(written);
        }
        if environment.get("GITHUB_ACTIONS") == Some("true") {
            self.for_github(report, environment);
        }
        outcome
    }

    /// What a job of GitHub Actions shows without being asked: annotations, on standard error, where they are in nobody's way,
    /// and the summary of its step. Neither changes how the command ends.
    fn for_github(&self, report: &Report<'_>, environment: &Environment) {
        if !self.asked.iter().any(|one| one.format == Format::Github) {
            output::note(report.render(Format::Github, Colour::Plain).trim_end());
        }
        let Some(summary) = environment.get("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) else {
            return;
        };
        if let Err(error) = append(Path::new(summary), &report.render(Format::Markdown, Colour::Plain)) {
            output::note(&format!("warning: the step summary was not written: {error}"));
        }
    }
}

impl ReportTo {
    fn write(&self, report: &Report<'_>, environment: &Environment) -> Result<(), Failure> {
        let text = report.render(self.format, self.colour(environment));
        let Some(file) = &self.file else { return output::data(&text) };
        replace(file, &text).map_err(|error| {
            Failure::usage(format!("cannot write {}: {error}", file.display()))
                .next("name a file in a folder that exists and can be written to")
        })
    }

    /// Colours are for a person at a terminal who has not said no (<https://no-color.org>).
    fn colour(&self, environment: &Environment) -> Colour {
        let refused = environment.get("NO_COLOR").is_some_and(|value| !value.is_empty());
        let wanted = self.format == Format::Text && self.file.is_none() && !refused;
        if wanted && io::stdout().is_terminal() { Colour::Ansi } else { Colour::Plain }
    }

    fn twice(&self) -> Failure {
        let file = self.file.as_deref().unwrap_or(Path::new("")).display();
        Failure::usage(format!("two reports are to go into {file}"))
            .next("give each --output a file of its own")
    }
}

/// Puts a whole file in place at once, so that nobody reads half of one. What is no regular file (a pipe, a terminal) is written to.
fn replace(file: &Path, text: &str) -> io::Result<()> {
    // Through a symbolic link: the link stays.
    let file = &std::fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    if std::fs::metadata(file).is_ok_and(|there| !there.is_file()) {
        return OpenOptions::new().write(true).open(file)?.write_all(text.as_bytes());
    }
    let partial = file.with_file_name(format!(".{}.partial", Uuid::new_v4()));
    let mut new = OpenOptions::new().write(true).create_new(true).open(&partial)?;
    let written = new.write_all(text.as_bytes()).and_then(|()| std::fs::rename(&partial, file));
    if written.is_err() {
        // The cause is what matters to the caller.
        let _ = std::fs::remove_file(&partial);
    }
    written
}

/// The summary belongs to the step, and other commands may have written to it.
fn append(file: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).open(file)?;
    let size = file.metadata()?.len().saturating_add(text.len() as u64);
    if size > STEP_SUMMARY {
        return Err(io::Error::other("it would be over GitHub's limit, 1 MiB"));
    }
    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_a_format_and_perhaps_a_file() {
        assert_eq!("json".parse(), Ok(ReportTo { format: Format::Json, file: None }));
        assert_eq!("text=a=b".parse(), Ok(ReportTo { format: Format::Text, file: Some("a=b".into()) }));
        for (name, format) in Format::ALL {
            assert_eq!(name.parse(), Ok(ReportTo { format, file: None }));
        }
        for bad in ["", "yaml", "json=", "JSON"] {
            assert!(bad.parse::<ReportTo>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_file_is_replaced_as_a_whole_and_a_link_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("report.txt"), folder.path().join("link"));
        std::fs::write(&file, "old and longer").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        replace(&link, "new").unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "new");
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left behind");
        assert!(replace(&folder.path().join("none/report.txt"), "x").is_err());
        assert!(replace(folder.path(), "x").is_err());
        replace(Path::new("/dev/null"), "x").unwrap();
    }

    #[test]
    fn a_summary_is_added_to_what_is_there_up_to_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("summary.md");
        append(&file, "one\n").unwrap();
        append(&file, "two\n").unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "one\ntwo\n");
        assert!(append(&file, &"x".repeat(1024 * 1024)).is_err());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "one\ntwo\n");
    }
}
