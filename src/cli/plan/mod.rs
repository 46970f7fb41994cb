//! `reconciler plan`: what the daemon would do now. Nothing is changed.

mod base;
mod comment;
pub mod expected;
pub(super) mod live;
mod principals;

use std::collections::BTreeMap;
use std::path::PathBuf;

use self::base::OfBase;
use self::expected::Expected;
use self::live::Live;
use super::client::Server;
use super::progress::Progress;
use super::report::{Outputs, Pending, Report};
use super::{Context, ExitCode, Failure, output};
use crate::api::state;
use crate::app::config::Config;
use crate::app::control;
use crate::reconcile::guard::{Allowance, Limits};
use crate::reconcile::identity;
use crate::reconcile::plan::{Desired, Holding, Observed, Plan, SelfHeal, Terms, plan, plan_offline};
use crate::reconcile::reader::Reader;
use crate::reconcile::source::{History, Source, SourceError};
use crate::store::State;
use crate::zone::ZoneName;

/// Shows what would change, and changes nothing
///
/// The files of the configured source, of another ref of it, or of a folder are compared with what is in force: as a
/// running server tells it (--url), else as the state topic holds it.
#[derive(Debug, Default, clap::Args)]
pub struct Args {
    /// Folder of PartnerZone files, instead of the configured source
    #[arg(long, value_name = "DIR", conflicts_with = "reference")]
    zones: Option<PathBuf>,

    /// Full name of a ref of the configured source, instead of `source.ref`
    #[arg(long = "ref", value_name = "REF")]
    reference: Option<String>,

    /// Tells this change from drift: what REF wants as well was there before. A ref of the configured source; with
    /// --zones, any commit of the repository that the folder lies in
    #[arg(long, value_name = "REF")]
    base: Option<String>,

    /// Without live state and network: findings, and what differs from the base. No pass of the live checks
    #[arg(long, requires = "zones", conflicts_with_all = ["url", "expect_plan"])]
    offline: bool,

    /// Plan this zone alone; no other is created, changed or deleted
    #[arg(long, value_name = "ZONE", value_parser = zone_name)]
    only: Option<ZoneName>,

    /// Refuse any other plan than this one: its digest, or a file written with --output json=FILE. A digest binds the files, the
    /// names of the zones in force and the changes; guards, suspensions and --only are no part of it
    #[arg(long, value_name = "sha256:…|FILE", value_parser = Expected::parse)]
    expect_plan: Option<Expected>,

    #[command(flatten)]
    outputs: Outputs,

    /// Write the report as the one comment of this pull request of the configured `forge`, in place of the one before
    #[arg(long, value_name = "PULL", conflicts_with = "offline")]
    comment: Option<u64>,

    /// Exit with 3 if there is anything to change
    #[arg(long)]
    fail_on_changes: bool,

    #[command(flatten)]
    server: Server,

    /// What `apply` may do although a guard would refuse it.
    #[arg(skip)]
    allowances: Vec<Allowance>,
}

/// Which commit of the configured source is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Follow {
    /// The head: a plan is of what comes, also while an earlier commit is pinned.
    Head,
    /// What the daemon reads now.
    WhatIsApplied,
}

impl Args {
    /// Of the configured source, against what this server has in force.
    pub(super) fn to_apply(only: Option<ZoneName>, allowances: Vec<Allowance>, server: Server) -> Self {
        Self { only, server, allowances, ..Self::default() }
    }
}

pub async fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    let config = context.config()?;
    let forge = args.comment.map(|pull| Ok((pull, comment::forge(&config)?))).transpose()?;
    let progress = Progress::start(context.environment(), "reading the zones");
    let (plan, desired) = if args.offline {
        offline(&args, context, &config).await?
    } else {
        live(&args, Follow::Head, context, &config, &progress).await?
    };
    drop(progress);
    let report = Report::of_plan(&plan, &desired.loaded);
    args.outputs.write(&report, context.environment())?;
    if let Some((pull, forge)) = &forge {
        comment::put(forge, *pull, &report).await?;
    }
    let pending = if args.fail_on_changes { Pending::Counts } else { Pending::IsFine };
    let code = ExitCode::of(&report.exit_codes(pending));
    match args.expect_plan.and_then(|expected| expected.difference(&plan)) {
        Some(difference) => {
            output::note(&format!("error: {difference}"));
            Ok(ExitCode::of(&[code, ExitCode::RefusedByGuard]))
        }
        None => Ok(code),
    }
}

pub(super) async fn live(
    args: &Args,
    follow: Follow,
    context: &Context,
    config: &Config,
    progress: &Progress,
) -> Result<(Plan, Desired), Failure> {
    let chosen = Chosen::new(args, config)?;
    progress.step("asking what is in force");
    let live = live::observed(&args.server, context, config).await?;
    let observed = Observed::of(&live.state);
    let mut reader = Reader::new(chosen.source.clone(), control::known(config));
    progress.step("reading the zones");
    let reading = reader.read(history(&live.state, follow), observed.zones.clone());
    let desired = reading.await.map_err(failure)?;
    let base = base::read(args, context, config).await?;
    progress.step("asking the clusters for the backing topics");
    let missing = live::missing_topics(&desired.loaded, config).await;
    let clusters = identity::ask(&control::addresses(config)).await;
    progress.step("asking the clusters for principals and ACLs");
    let principals =
        principals::compared(&live, &desired, base.as_ref().map(|base| &base.desired), config).await;
    let notices = [live.notices.as_slice(), &principals.notices].concat();
    let holding = base.is_none().then(|| holding(&live, config));
    let allowances = [desired.allowances(), &args.allowances].concat();
    let of_files = terms(args, config, &desired, base.as_ref());
    let terms = Terms {
        limits: live.planning.as_ref().map_or(of_files.limits, |server| limits(server.guards)),
        allowances: &allowances,
        topics: missing.as_ref(),
        connected: live.connected.as_ref(),
        clusters: Some(&clusters),
        backing: &principals.changes,
        backing_of_base: &principals.of_base,
        doubts: &principals.doubts,
        holding: holding.as_ref(),
        notices: &notices,
        ..of_files
    };
    if let Some(only) = args.only.as_ref().filter(|only| !observed.zones.contains_key(*only)) {
        known_in_files(only, &desired)?;
    }
    Ok((plan(&desired, &observed, &terms), desired))
}

fn history(state: &State, follow: Follow) -> History {
    let accepted = state.controls.accepted.as_ref().map(|acceptance| acceptance.commit.clone());
    let pinned = state.controls.rollback.as_ref().map(|rollback| rollback.commit.clone());
    let pinned = pinned.filter(|_| follow == Follow::WhatIsApplied);
    History { applied: state.revision.clone(), accepted, pinned }
}

fn limits(guards: state::Guards) -> Limits {
    let state::Guards { max_delete_percent, max_update_percent, floor } = guards;
    Limits { max_delete_percent, max_update_percent, floor }
}

/// What becomes of drift, where drift is what it is to the daemon: with a base it is also what others have merged.
fn holding(live: &Live, config: &Config) -> Holding {
    let configured = match live.planning.as_ref().map(|server| server.self_heal.as_str()) {
        Some("off") => SelfHeal::Off,
        Some("report") => SelfHeal::Report,
        Some(_) => SelfHeal::Correct,
        None => control::self_heal(config),
    };
    let is_rolled_back = live.state.controls.rollback.is_some();
    let self_heal = if is_rolled_back { SelfHeal::Correct } else { configured };
    Holding { self_heal, ..Holding::default() }
}

/// Reads files, and nothing else: no server, no cluster, no credentials.
async fn offline(args: &Args, context: &Context, config: &Config) -> Result<(Plan, Desired), Failure> {
    let chosen = Chosen::new(args, config)?;
    let mut reader = Reader::new(chosen.source.clone(), control::known(config));
    let desired = reader.read(History::default(), BTreeMap::new()).await.map_err(failure)?;
    let base = base::read(args, context, config).await?;
    if let Some(only) = &args.only
        && base.as_ref().is_none_or(|base| !base.desired.loaded.zones.contains_key(only))
    {
        known_in_files(only, &desired)?;
    }
    Ok((plan_offline(&desired, &terms(args, config, &desired, base.as_ref())), desired))
}

/// The guards are never those of the change that they guard against.
fn terms<'a>(args: &'a Args, config: &Config, desired: &'a Desired, base: Option<&'a OfBase>) -> Terms<'a> {
    let guards = base.and_then(|base| base.guards).unwrap_or(config.guards);
    Terms {
        limits: control::limits(guards),
        allowances: desired.allowances(),
        base: base.map(|base| &base.desired),
        only: args.only.as_ref(),
        ..Terms::default()
    }
}

/// A name that stands nowhere is a mistake, and no plan without changes.
fn known_in_files(only: &ZoneName, desired: &Desired) -> Result<(), Failure> {
    let loaded = &desired.loaded;
    if loaded.zones.contains_key(only) || loaded.unreadable.zones.contains_key(only) {
        return Ok(());
    }
    Err(Failure::usage(format!("there is no zone `{only}`, neither in the files nor in force"))
        .next("name a zone as its metadata.name has it with --only"))
}

pub(super) fn zone_name(text: &str) -> Result<ZoneName, String> {
    ZoneName::try_from(text).map_err(|error| format!("`{text}` {error}"))
}

/// The source that the arguments name, and the folder its mirror may use while the command runs.
struct Chosen {
    source: Source,
    _scratch: Option<Scratch>,
}

impl Chosen {
    fn new(args: &Args, config: &Config) -> Result<Self, Failure> {
        if let Some(folder) = &args.zones {
            if !folder.is_dir() {
                return Err(Failure::usage(format!("there is no folder {}", folder.display()))
                    .next("name the folder that holds the PartnerZone files with --zones"));
            }
            return Ok(Self { source: Source::directory(folder), _scratch: None });
        }
        Self::of_ref(config, args.reference.as_deref())
    }

    /// The configured source, or another ref of it.
    fn of_ref(config: &Config, reference: Option<&str>) -> Result<Self, Failure> {
        let configured =
            config.source().map_err(|error| Failure::usage(error).next("or name a folder with --zones"))?;
        // The daemon's own mirror is the daemon's: it may be running.
        let scratch = Scratch::new()?;
        let mut git = control::git(configured, scratch.0.clone());
        if let Some(reference) = reference {
            reference.clone_into(&mut git.reference);
        }
        let source = Source::git(git).map_err(Failure::usage)?;
        Ok(Self { source, _scratch: Some(scratch) })
    }
}

/// A folder of this process alone, gone when it ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self, Failure> {
        use std::os::unix::fs::DirBuilderExt;
        let folder = std::env::temp_dir().join(format!("partner-zones-plan-{}", uuid::Uuid::new_v4()));
        std::fs::DirBuilder::new().mode(0o700).create(&folder).map_err(|error| {
            Failure::internal(format!("cannot make the folder {}: {error}", folder.display()))
                .next("set TMPDIR to a folder that can be written to")
        })?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Nothing depends on it, and the command has its answer.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn failure(error: SourceError) -> Failure {
    match error {
        SourceError::Location(error) => Failure::usage(error),
        error => Failure::unreachable(error),
    }
}

#[cfg(test)]
pub(super) mod tests;
