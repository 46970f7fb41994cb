//! `reconciler explain`: what a finding's code means, and what to do.

use super::{ExitCode, Failure, output};
use crate::manifest::Code;

/// The table for people. A test beside the codes keeps the two the same.
const FINDINGS: &str = include_str!("../../docs/findings.md");

/// Explains a finding's code, and lists all of them without one
#[derive(Debug, clap::Args)]
pub struct Args {
    /// As a finding names it, for example PZ0012
    #[arg(value_name = "CODE")]
    code: Option<String>,
}

pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    let text = match &args.code {
        Some(text) => {
            let code = Code::find(&text.to_ascii_uppercase()).ok_or_else(|| {
                Failure::usage(format!("there is no finding `{}`", text.escape_debug()))
                    .next("`reconciler explain` lists all of them")
            })?;
            explained(code)
        }
        None => listed(),
    };
    output::data(&text)?;
    Ok(ExitCode::Fine)
}

fn explained(code: Code) -> String {
    let name = code.as_str();
    let suppressing = if code.is_suppressible() {
        format!("A comment `# reconciler-ignore: {name} REASON` in the file suppresses it for one line.")
    } else {
        "It cannot be suppressed.".to_owned()
    };
    format!(
        "{name}: {}, of the layer `{}`\n\n{}.\n  next: {}.\n\n{suppressing}\n",
        code.severity().as_str(),
        code.layer().as_str(),
        code.meaning(),
        what_to_do(code),
    )
}

/// The fifth column of the code's row.
fn what_to_do(code: Code) -> &'static str {
    let row = FINDINGS.lines().find(|line| line.starts_with(&format!("| {} |", code.as_str())));
    row.and_then(|row| row.split('|').nth(5)).unwrap_or_default().trim()
}

fn listed() -> String {
    let row = |code: &Code| {
        let (severity, layer) = (code.severity().as_str(), code.layer().as_str());
        [code.as_str(), severity, layer, code.meaning()].map(str::to_owned)
    };
    let rows: Vec<[String; 4]> = Code::ALL.iter().map(row).collect();
    output::table(["CODE", "SEVERITY", "LAYER", "MEANING"], &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_listed_and_says_what_to_do() {
        let list = listed();
        for code in Code::ALL {
            assert!(list.contains(code.as_str()));
            let step = what_to_do(*code);
            assert!(!step.is_empty() && !step.contains('|'), "{}: {step}", code.as_str());
            assert!(explained(*code).contains(step));
        }
    }

    #[test]
    fn one_code_reads_like_a_page_of_the_manual() {
        assert_eq!(
            explained(Code::DuplicateKey),
            "PZ0012: error, of the layer `YAML`\n\nA key is in one mapping twice.\n  next: Keep one of the two.\n\n\
             It cannot be suppressed.\n"
        );
        assert!(explained(Code::TwoAliases).contains("`# reconciler-ignore: PZ0203 REASON`"));
    }

    #[test]
    fn a_code_that_is_none_is_wrong_usage() {
        let failure = run(&Args { code: Some("PZ9\u{1b}".to_owned()) }).unwrap_err();
        assert!(failure.exit_code == ExitCode::Usage && !failure.to_string().contains('\u{1b}'), "{failure}");
    }
}
