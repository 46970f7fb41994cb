//! The command line, one file per command. Data goes to stdout; progress and errors go to stderr.

pub mod api_key;
pub mod apply;
pub mod client;
pub mod completions;
pub mod controls;
pub mod credentials;
mod exit_code;
pub mod explain;
pub mod export;
mod failure;
pub mod get;
pub mod output;
pub mod plan;
pub mod policy;
mod progress;
pub mod quickstart;
pub mod report;
pub mod run;
pub mod schema;
pub mod state;
pub mod validate;
pub mod write;
pub mod zone_test;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};

pub use exit_code::ExitCode;
pub use failure::Failure;

use crate::app::config::{self, Config, Environment};

/// For blocking calls that are still under way when a command has ended.
const BLOCKING_CALLS_DEADLINE: Duration = Duration::from_secs(2);

/// Share Kafka topics with outside partners from a Git repository.
///
/// Without a command it is `run`; with `--dry-run` it is `plan`, whose flags then apply.
#[derive(Debug, Parser)]
#[command(name = "reconciler", version, disable_help_subcommand = true)]
struct Cli {
    /// Configuration file [env: RECONCILER_CONFIG] [default: reconciler.yaml in the working directory]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Args),
    Plan(plan::Args),
    Apply(apply::Args),
    Validate(validate::Args),
    Explain(explain::Args),
    Schema(schema::Args),
    Quickstart(quickstart::Args),
    Get(get::Args),
    Diff(write::diff::Args),
    Edit(write::edit::Args),
    Delete(write::delete::Args),
    Export(export::Args),
    Credentials(credentials::Args),
    ApiKey(api_key::Args),
    Suspend(controls::Suspend),
    Resume(controls::Resume),
    Rollback(controls::RollBack),
    Source(controls::Source),
    State(state::Args),
    Policy(policy::Args),
    Zone(zone_test::Args),
    Completions(completions::Args),
}

/// What every command is given: the process's surroundings, as values.
#[derive(Debug)]
pub struct Context {
    config_file: Option<PathBuf>,
    environment: Environment,
}

impl Context {
    /// The configuration, wherever it is; all its problems at once.
    pub fn config(&self) -> Result<Config, Failure> {
        config::load(self.config_file.as_deref(), &self.environment).map_err(Failure::usage)
    }

    pub fn environment(&self) -> &Environment {
        &self.environment
    }
}

/// Runs the command that the process's arguments ask for.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse_from(dry_run_is_plan(std::env::args_os().collect())) {
        Ok(cli) => cli,
        Err(asked) => {
            // Help and version are answers; the rest is wrong usage. A closed pipe is nobody's concern here.
            let _ = asked.print();
            return if asked.use_stderr() { ExitCode::Usage } else { ExitCode::Fine };
        }
    };
    match start(cli) {
        Ok(code) => code,
        Err(failure) => {
            output::note(&failure.to_string());
            failure.exit_code
        }
    }
}

fn start(cli: Cli) -> Result<ExitCode, Failure> {
    // reqwest is built without a default TLS provider, so that there is one in the process.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        return Err(Failure::internal("a TLS provider was installed twice"));
    }
    let Cli { config, dry_run, command } = cli;
    let command = asked(command, dry_run)?;
    let context = Context { config_file: config, environment: Environment::of_process() };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::internal(format!("cannot start the runtime: {error}")))?;
    let outcome = runtime.block_on(dispatch(command, &context));
    // A blocking call, such as a fetch from a Git server that is silent, must not hold the exit up.
    runtime.shutdown_timeout(BLOCKING_CALLS_DEADLINE);
    outcome
}

/// The command that is to be run. A dry run that is asked for in front of it is its own; one that has none is not run at all.
fn asked(command: Option<Command>, dry_run: bool) -> Result<Command, Failure> {
    let command = command.unwrap_or(Command::Run(run::Args::default()));
    if !dry_run {
        return Ok(command);
    }
    match command {
        plan @ Command::Plan(_) => Ok(plan),
        Command::Apply(args) => args.into_dry_run().map(Command::Apply),
        Command::Edit(args) => Ok(Command::Edit(args.into_dry_run())),
        Command::Delete(args) => Ok(Command::Delete(args.into_dry_run())),
        _ => Err(Failure::usage("this command has no --dry-run, so nothing was done").next(
            "`reconciler plan` shows what a run would change; `apply -f`, `edit` and `delete` have a dry run",
        )),
    }
}

async fn dispatch(command: Command, context: &Context) -> Result<ExitCode, Failure> {
    match command {
        Command::Run(args) => run::run(args, context).await,
        Command::Plan(args) => plan::run(args, context).await,
        Command::Apply(args) => apply::run(args, context).await,
        Command::Validate(args) => validate::run(args, context),
        Command::Explain(args) => explain::run(&args),
        Command::Schema(args) => schema::run(&args),
        Command::Quickstart(args) => quickstart::run(args).await,
        Command::Get(args) => get::run(args, context).await,
        Command::Diff(args) => write::diff::run(args, context).await,
        Command::Edit(args) => write::edit::run(args, context).await,
        Command::Delete(args) => write::delete::run(args, context).await,
        Command::Export(args) => export::run(args, context).await,
        Command::Credentials(args) => credentials::run(args, context).await,
        Command::ApiKey(args) => api_key::run(args, context).await,
        Command::Suspend(args) => controls::suspend(args, context).await,
        Command::Resume(args) => controls::resume(args, context).await,
        Command::Rollback(args) => controls::roll_back(args, context).await,
        Command::Source(args) => controls::source(args, context).await,
        Command::State(args) => state::run(args, context).await,
        Command::Policy(args) => policy::run(&args, context),
        Command::Zone(args) => zone_test::run(args, context).await,
        Command::Completions(args) => completions::run(&args),
    }
}

/// `reconciler --dry-run FLAGS` is spelled `reconciler plan FLAGS` before it is parsed, so that the flags are those of
/// `plan` and are declared once. What is said to another command stays as it is: see [`asked`].
fn dry_run_is_plan(mut arguments: Vec<OsString>) -> Vec<OsString> {
    const FLAG: &str = "--dry-run";
    match named_command(&arguments).map(|command| command == "plan") {
        Some(false) => {}
        Some(true) => arguments.retain(|argument| argument != FLAG),
        None => {
            let given = arguments.len();
            arguments.retain(|argument| argument != FLAG);
            if arguments.len() < given {
                arguments.insert(arguments.len().min(1), "plan".into());
            }
        }
    }
    arguments
}

/// The command, if one is named: the first word behind the flags that stand in front of commands.
fn named_command(arguments: &[OsString]) -> Option<&OsString> {
    let mut words = arguments.iter().skip(1);
    while let Some(word) = words.next() {
        let text = word.to_string_lossy();
        if text == "--config" {
            words.next();
        } else if !text.starts_with('-') {
            return Some(word);
        } else if text != "--dry-run" && !text.starts_with("--config=") {
            // A flag of `plan`: what follows it may be its value.
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn parsed(line: &str) -> Result<Cli, String> {
        let arguments = line.split(' ').map(OsString::from).collect();
        Cli::try_parse_from(dry_run_is_plan(arguments)).map_err(|error| error.to_string())
    }

    /// What would be run.
    fn run_by(line: &str) -> Result<Command, String> {
        let cli = parsed(line)?;
        asked(cli.command, cli.dry_run).map_err(|failure| failure.to_string())
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
        let commands: Vec<_> = Cli::command().get_subcommands().map(|c| c.get_name().to_owned()).collect();
        for wanted in [
            "run",
            "plan",
            "validate",
            "explain",
            "schema",
            "get",
            "credentials",
            "api-key",
            "apply",
            "diff",
            "edit",
            "delete",
            "suspend",
            "resume",
            "rollback",
            "source",
            "state",
            "policy",
            "zone",
            "completions",
        ] {
            assert!(commands.iter().any(|command| command == wanted), "{wanted}");
        }
    }

    #[test]
    fn a_dry_run_is_a_plan_with_its_flags() {
        for line in [
            "reconciler --dry-run",
            "reconciler --dry-run --zones z --fail-on-changes",
            "reconciler --zones z --dry-run",
            "reconciler --dry-run --zones apply",
            "reconciler --config c --dry-run --zones z",
            "reconciler --config=c --dry-run --comment 7",
            "reconciler plan --dry-run",
            "reconciler --dry-run plan --zones z",
            "reconciler --config c plan --zones z --dry-run",
        ] {
            assert!(matches!(run_by(line).unwrap(), Command::Plan(_)), "{line}");
        }
        assert!(
            matches!(run_by("reconciler --config c").unwrap(), Command::Run(_)),
            "without a command it runs"
        );
        assert!(parsed("reconciler --zones z").is_err(), "a flag of plan without --dry-run");
    }

    #[test]
    fn a_dry_run_in_front_of_a_command_that_has_one_is_its_own() {
        for line in ["apply -f z", "edit zone acme", "delete zone acme beta", "delete -f z"] {
            let is_dry = |line: &str| format!("{:?}", run_by(line).unwrap()).contains("dry_run: true");
            assert!(!is_dry(&format!("reconciler {line}")), "{line}");
            for dry in [
                format!("reconciler --dry-run {line}"),
                format!("reconciler --config c --dry-run {line}"),
                format!("reconciler --dry-run --config=c {line}"),
                format!("reconciler {line} --dry-run"),
                format!("reconciler --dry-run {line} --dry-run"),
            ] {
                assert!(is_dry(&dry), "{dry}");
                assert!(!matches!(run_by(&dry), Ok(Command::Plan(_))), "{dry}");
            }
        }
        // A run now would be for all that is in the source.
        for line in ["reconciler --dry-run apply", "reconciler --dry-run apply --only acme"] {
            assert!(run_by(line).unwrap_err().contains("reconciler plan"), "{line}");
        }
        assert!(run_by("reconciler apply --dry-run").is_err());
    }

    #[test]
    fn a_command_without_a_dry_run_is_not_run_where_one_is_asked_for() {
        for line in [
            "run",
            "validate z",
            "explain PZ0012",
            "schema",
            "quickstart",
            "get zones",
            "diff -f z",
            "export --dir d",
            "credentials issue acme",
            "credentials rotate pz1",
            "credentials revoke pz1",
            "api-key create --role viewer",
            "api-key revoke a",
            "suspend",
            "resume",
            "rollback --end",
            "source accept a",
            "state export",
            "state import f",
            "policy test f",
            "zone test acme",
            "completions bash",
        ] {
            assert!(run_by(&format!("reconciler {line}")).is_ok(), "{line}");
            let refused = run_by(&format!("reconciler --dry-run {line}")).unwrap_err();
            assert!(refused.contains("nothing was done"), "{line}: {refused}");
            assert!(run_by(&format!("reconciler {line} --dry-run")).is_err(), "{line}");
        }
    }

    #[test]
    fn an_api_key_does_not_show_in_what_was_parsed() {
        let cli = parsed("reconciler get zones --api-key pzk_a_hunter2").unwrap();
        assert!(!format!("{cli:?}").contains("hunter2"));
    }
}
