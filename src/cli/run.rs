//! `reconciler run`: the daemon.

use super::{Context, ExitCode, Failure};
use crate::app::storage::OpenError;
use crate::app::telemetry;
use crate::app::wiring::{self, Role, StartError};
use crate::gateway;
use crate::store::StoreError;

/// Run the daemon until it is told to stop
#[derive(Debug, Default, clap::Args)]
pub struct Args {
    /// What this process does
    #[arg(long, value_enum, default_value_t)]
    role: Role,
}

pub async fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    let config = context.config()?;
    telemetry::start(context.environment()).map_err(|error| {
        Failure::usage(format!("RUST_LOG is not a log filter: {error}")).next("try RUST_LOG=info")
    })?;
    let running = tokio::select! {
        started = wiring::start(config, args.role, None) => started.map_err(|error| failure(&error))?,
        () = wiring::stop_asked() => return Ok(ExitCode::Fine),
    };
    tokio::select! {
        () = wiring::stop_asked() => {}
        () = running.failed() => {}
        () = wiring::reload_asked(|| running.reload()) => {}
    }
    // Who asks twice does not want to wait for anybody.
    let stopped = tokio::select! {
        stopped = running.stop() => stopped,
        () = wiring::stop_asked() => false,
    };
    Ok(if stopped { ExitCode::Fine } else { ExitCode::Internal })
}

fn failure(error: &StartError) -> Failure {
    match error {
        StartError::Store(OpenError::Store(StoreError::Unreachable(_))) => Failure::unreachable(error),
        StartError::Admin { .. } | StartError::Gateway(gateway::StartError::Listen(_)) => {
            Failure::usage(error).next("stop the program that has this port, or choose another one")
        }
        StartError::Http(_) | StartError::Gateway(gateway::StartError::Workers(_)) => {
            Failure::internal(error)
        }
        StartError::Config(_)
        | StartError::Store(_)
        | StartError::Source(_)
        | StartError::Webhook(_)
        | StartError::Forge(_)
        | StartError::Tls(_) => Failure::usage(error),
    }
}
