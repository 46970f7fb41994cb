//! `reconciler suspend`, `resume`, `rollback` and `source`: what an operator asks of the leading controller.

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::client::{Client, Server};
use super::{Context, ExitCode, Failure, output};
use crate::zone::{Scope, ZoneName, is_commit_id, parse_duration};

/// What others read where nobody said why.
const NO_REASON: &str = "no reason given";

/// Stop applying: everything, one zone, or only what is new in the source
///
/// Partners go on being served as they are. What is held up is shown in plans, in the status and in the metrics.
#[derive(Debug, clap::Args)]
pub struct Suspend {
    #[command(flatten)]
    what: What,

    /// Why, for those who find it suspended
    #[arg(long, value_name = "TEXT", default_value = NO_REASON)]
    reason: String,

    #[command(flatten)]
    server: Server,
}

/// Take a suspension back
#[derive(Debug, clap::Args)]
pub struct Resume {
    #[command(flatten)]
    what: What,

    /// Why, for the audit log
    #[arg(long, value_name = "TEXT", default_value = NO_REASON)]
    reason: String,

    #[command(flatten)]
    server: Server,
}

/// Everything, unless one of these is given.
#[derive(Debug, clap::Args)]
struct What {
    /// Only this zone
    #[arg(conflicts_with = "source")]
    zone: Option<String>,

    /// Only what is new in the source; what is in force is still kept as it is
    #[arg(long)]
    source: bool,
}

impl What {
    fn scope(&self) -> Result<Scope, Failure> {
        match &self.zone {
            None if self.source => Ok(Scope::Source),
            None => Ok(Scope::All),
            Some(name) => ZoneName::try_from(name.as_str())
                .map(Scope::Zone)
                .map_err(|error| Failure::usage(format!("the zone name `{name}` {error}"))),
        }
    }
}

pub async fn suspend(args: Suspend, context: &Context) -> Result<ExitCode, Failure> {
    let scope = args.what.scope()?;
    let body = json!({ "scope": scope.key(), "reason": args.reason });
    Client::new(&args.server, context)?.post(&["controller", "suspend"], &body).await?;
    output::note(&format!("{scope} is suspended; `reconciler resume` with the same arguments takes it back"));
    Ok(ExitCode::Fine)
}

pub async fn resume(args: Resume, context: &Context) -> Result<ExitCode, Failure> {
    let scope = args.what.scope()?;
    let body = json!({ "scope": scope.key(), "reason": args.reason });
    Client::new(&args.server, context)?.post(&["controller", "resume"], &body).await?;
    output::note(&format!("{scope} is resumed"));
    Ok(ExitCode::Fine)
}

/// Apply an earlier commit instead of the branch's head, for a limited time
///
/// Guards hold for it as for any other commit. At its end, or with --end, the branch is followed again: what is to stay
/// belongs into the repository (`git revert`).
#[derive(Debug, clap::Args)]
#[group(id = "rollback")]
pub struct RollBack {
    /// The commit's full id; it must be part of the branch
    #[arg(long, value_name = "SHA", required_unless_present = "end", conflicts_with = "end")]
    to: Option<String>,

    /// How long, for example 2h
    #[arg(
        long,
        value_name = "DURATION",
        value_parser = parse_duration,
        required_unless_present = "end",
        conflicts_with = "end"
    )]
    ttl: Option<std::time::Duration>,

    /// End it now
    #[arg(long)]
    end: bool,

    /// Why, for those who wonder
    #[arg(long, value_name = "TEXT", default_value = NO_REASON)]
    reason: String,

    #[command(flatten)]
    server: Server,
}

pub async fn roll_back(args: RollBack, context: &Context) -> Result<ExitCode, Failure> {
    let client = Client::new(&args.server, context)?;
    let (Some(commit), Some(ttl)) = (&args.to, args.ttl) else {
        client.delete_with(&["controller", "rollback"], &json!({ "reason": args.reason })).await?;
        output::note("the rollback has ended; the branch is followed again");
        return Ok(ExitCode::Fine);
    };
    full_id(commit)?;
    let until = time::Duration::try_from(ttl)
        .ok()
        .and_then(|ttl| OffsetDateTime::now_utc().checked_add(ttl))
        .and_then(|until| until.format(&Rfc3339).ok())
        .ok_or_else(|| Failure::usage("--ttl lies beyond all calendars").next("choose a shorter duration"))?;
    let body = json!({ "commit": commit, "until": until, "reason": args.reason });
    client.post(&["controller", "rollback"], &body).await?;
    output::note(&format!(
        "{commit} is to be applied until {until}; `reconciler get controller` shows how it goes"
    ));
    Ok(ExitCode::Fine)
}

/// Decide about the source
#[derive(Debug, clap::Args)]
pub struct Source {
    #[command(subcommand)]
    action: SourceAction,

    #[command(flatten)]
    server: Server,
}

#[derive(Debug, clap::Subcommand)]
enum SourceAction {
    /// Take a rewritten history: this commit may be applied although it does not follow the one in force
    Accept {
        /// The commit's full id, as the refusal names it
        #[arg(value_name = "SHA")]
        commit: String,

        /// Why, for the audit log
        #[arg(long, value_name = "TEXT", default_value = NO_REASON)]
        reason: String,
    },
}

pub async fn source(args: Source, context: &Context) -> Result<ExitCode, Failure> {
    let SourceAction::Accept { commit, reason } = args.action;
    full_id(&commit)?;
    let body: Value = json!({ "commit": commit, "reason": reason });
    Client::new(&args.server, context)?.post(&["controller", "accept"], &body).await?;
    output::note(&format!("{commit} is accepted; it is applied when the source is read next"));
    Ok(ExitCode::Fine)
}

fn full_id(commit: &str) -> Result<(), Failure> {
    if is_commit_id(commit) {
        return Ok(());
    }
    Err(Failure::usage(format!("`{commit}` is not a commit's full id"))
        .next("`git rev-parse` gives the 40 digits"))
}
