//! `reconciler apply`: one reconcile now, by the leading controller, and what came of it.
//!
//! Only the leader writes the store, and it reads the source itself: this shows the plan, as `plan` makes it, asks the leader, and
//! waits.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::client::{Client, Server};
use super::plan::expected::Expected;
use super::plan::{self, Follow};
use super::progress::Progress;
use super::report::{Outputs, Pending, Report, run};
use super::write::{How, files};
use super::{Context, ExitCode, Failure, output};
use crate::reconcile::guard::{Allowance, Allowed, AllowedBy};
use crate::reconcile::plan::{Desired, Plan};
use crate::zone::ZoneName;

/// Time for the run to end: a source may be large and far away.
const PATIENCE: Duration = Duration::from_mins(12);
/// Between two looks at how it goes.
const LOOK: Duration = Duration::from_millis(250);

/// Reconciles once, now, and says what came of it
///
/// The leading controller reads the source, plans and applies, as it does by itself every `source.pollInterval`; guards and
/// suspensions hold as always. The plan is shown as `plan --url` makes it here; --expect-plan binds the controller to it. Exit
/// codes: 0 applied or nothing to do, 1 files have errors, 4 refused or suspended, 5 the source or the store cannot be used, 6
/// some zones could not be brought to what their files ask.
///
/// With -f it does something else: it writes the zones of these files to the source through the server, one commit each. All of
/// them are tried; exit code 6 says that some were written and others refused.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Write the zones of these files or folders to the source
    #[arg(short = 'f', long = "filename", value_name = "PATH", conflicts_with_all = ["expect_plan", "only", "asked"])]
    files: Vec<PathBuf>,

    /// With -f: find out what would happen, and commit nothing
    #[arg(long, requires = "files")]
    dry_run: bool,

    /// Apply nothing but this plan: its digest, or a file written with --output json=FILE. A digest binds the files, the names of the
    /// zones in force and the changes; which of them guards and suspensions hold back is judged by the controller when it applies
    #[arg(long, value_name = "sha256:…|FILE", value_parser = Expected::parse)]
    expect_plan: Option<Expected>,

    /// Let that plan delete this many zones and topics although a guard would refuse it
    #[arg(long, value_name = "N", requires = "expect_plan", requires = "reason")]
    allow_deletes: Option<usize>,

    /// Let that plan update this many zones although a guard would refuse it
    #[arg(long, value_name = "N", requires = "expect_plan", requires = "reason")]
    allow_updates: Option<usize>,

    /// Why, for the audit log, or with -f for the commits' messages
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,

    /// Leave all zones but this one as they are
    #[arg(long, value_name = "ZONE", value_parser = plan::zone_name)]
    only: Option<ZoneName>,

    #[command(flatten)]
    outputs: Outputs,

    #[command(flatten)]
    server: Server,
}

impl Args {
    /// The same, with nothing committed. A run has no dry run: it is what `plan` shows.
    pub(super) fn into_dry_run(mut self) -> Result<Self, Failure> {
        if self.files.is_empty() {
            return Err(Failure::usage("`apply` has a dry run with -f alone, so nothing was done")
                .next("`reconciler plan` shows what a run now would change"));
        }
        self.dry_run = true;
        Ok(self)
    }

    /// What the flags let pass, for the plan that they name.
    fn allowances(&self) -> Vec<Allowance> {
        let Some(expected) = &self.expect_plan else { return Vec::new() };
        let numbers = [(Allowed::Deletes, self.allow_deletes), (Allowed::Updates, self.allow_updates)];
        let allowance = |(what, count): (Allowed, Option<usize>)| {
            let by = AllowedBy::Flag { plan: expected.digest().to_owned() };
            Some(Allowance { what, count: count?, reason: self.reason.clone().unwrap_or_default(), by })
        };
        numbers.into_iter().filter_map(allowance).collect()
    }
}

pub async fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    let client = Client::new(&args.server, context)?;
    if !args.files.is_empty() {
        let how = How { dry_run: args.dry_run, reason: args.reason };
        return files::apply(&client, &args.files, &how, &files::known(&args.server, context)?).await;
    }
    let shown = shown(&args, &client, context).await?;
    let body = json!({
        "expectPlan": args.expect_plan.as_ref().map(Expected::digest), "allowDeletes": args.allow_deletes,
        "allowUpdates": args.allow_updates, "reason": args.reason, "only": args.only.as_ref().map(ZoneName::as_str),
    });
    let asked = client.post(&["controller", "apply"], &body).await?;
    let run = ended(&client, &asked).await?;
    let Some((plan, desired)) = shown else {
        output::data(&(run::lines(&run).join("\n") + "\n"))?;
        return Ok(run::exit_code(&run));
    };
    let report = Report { run: Some(&run), ..Report::of_plan(&plan, &desired.loaded) };
    args.outputs.write(&report, context.environment())?;
    let is_another = |expected: &Expected| run.get("plan").and_then(Value::as_str) != Some(expected.digest());
    let unexpected = args.expect_plan.filter(is_another);
    if let Some(difference) = unexpected.and_then(|expected| expected.difference(&plan)) {
        output::note(&format!("error: {difference}"));
    }
    Ok(ExitCode::of(&report.exit_codes(Pending::IsFine)))
}

/// The plan, as far as it can be made here. Where it cannot, for want of the source, the controller is asked all the same, unless
/// a report of it is wanted.
async fn shown(args: &Args, client: &Client, context: &Context) -> Result<Option<(Plan, Desired)>, Failure> {
    let progress = Progress::start(context.environment(), "reading the zones");
    let wanted = plan::Args::to_apply(args.only.clone(), args.allowances(), client.server());
    let made =
        async { plan::live(&wanted, Follow::WhatIsApplied, context, &context.config()?, &progress).await };
    match made.await {
        Ok(made) => Ok(Some(made)),
        Err(failure) if args.outputs.are_asked() => Err(failure),
        Err(failure) => {
            drop(progress);
            output::note(&format!("the plan cannot be shown from here: {}", failure.cause));
            Ok(None)
        }
    }
}

/// Waits for the run that was asked for.
async fn ended(client: &Client, asked: &Value) -> Result<Value, Failure> {
    let lost = |why: &str| {
        Failure::unreachable(format!("what came of the run is not known: {why}"))
            .next("`reconciler get controller` shows the last runs; asking again does no harm")
    };
    let (Some(request), Some(node)) = (asked.get("request"), asked.get("node")) else {
        return Err(lost("the server's answer names no run"));
    };
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let seen = client.get(&["controller"]).await?;
        let runs = seen.get("runs").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        if let Some(run) = runs.iter().find(|run| run.get("request") == Some(request)) {
            return Ok(run.clone());
        }
        if seen.get("node") != Some(node) {
            return Err(lost("another node leads by now"));
        }
        sleep(LOOK).await;
    }
    Err(lost("it has not ended yet"))
}
