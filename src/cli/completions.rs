//! `reconciler completions`: what a shell completes this program's words by.

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::{Cli, ExitCode, Failure, output};

/// Print the script by which a shell completes commands and flags
///
/// bash: `source <(reconciler completions bash)` in ~/.bashrc; zsh: into a file `_reconciler` in a folder of `fpath`; fish: into
/// ~/.config/fish/completions/reconciler.fish.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[arg(value_enum)]
    shell: Shell,
}

pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    output::data(&script(args.shell))?;
    Ok(ExitCode::Fine)
}

fn script(shell: Shell) -> String {
    let (mut command, mut script) = (Cli::command(), Vec::new());
    let name = command.get_name().to_owned();
    clap_complete::generate(shell, &mut command, name, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn every_shell_has_a_script_that_knows_commands_and_flags() {
        assert!(Shell::value_variants().len() >= 5);
        for shell in Shell::value_variants() {
            let script = script(*shell);
            for wanted in ["reconciler", "completions", "quickstart", "fail-on-changes", "api-key"] {
                assert!(script.contains(wanted), "{shell}: no {wanted}");
            }
        }
    }
}
