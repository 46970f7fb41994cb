//! `reconciler zone test`: connects as the partner, by the address that partners are given, and says step by step what works.
//!
//! Nothing is written: what can be known of an alias to write to is known from what the gateway allows.

mod client_config;
mod connect;
mod login;
mod report;
mod topics;
mod words;

use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use self::login::{Asked, Setup, Zone};
use self::report::{Report, What};
use self::words::Trouble;
use super::client::{Client, Server};
use super::{Context, ExitCode, Failure, credentials, output};
use crate::app::wiring;
use crate::zone::parse_duration;

/// How long a credential is good for that is issued for a test, and revoked behind it.
const CREDENTIAL: Duration = Duration::from_mins(5);

/// Try a zone as its partner
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,

    #[command(flatten)]
    server: Server,
}

#[derive(Debug, Subcommand)]
enum Action {
    Test(Test),
}

/// Connect as the partner, and say step by step what works
///
/// Without a credential, one is issued for five minutes (a key of the role `admin`) and revoked at the end. With one, such as that of
/// --command-config, the partner's own key is enough. Nothing is written to any topic.
#[derive(Debug, Default, clap::Args)]
struct Test {
    zone: String,

    /// Another address than the one that partners are given; several with commas between them
    #[arg(long, value_name = "HOST:PORT")]
    bootstrap: Option<String>,

    /// Who has signed the gateway's certificate, PEM [default: the system's authorities]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,

    /// The key id of a credential, or the zone's service account
    #[arg(long, value_name = "NAME", requires = "password_file")]
    username: Option<String>,

    /// Its secret
    #[arg(long, value_name = "FILE", requires = "username")]
    password_file: Option<PathBuf>,

    /// The partner's own file: a client.properties, or one for `kcat -F`
    #[arg(long, value_name = "FILE", conflicts_with_all = ["username", "password_file"])]
    command_config: Option<PathBuf>,

    /// A certificate of the partner, PEM
    #[arg(long, value_name = "FILE", requires = "key")]
    certificate: Option<PathBuf>,

    /// Its key, PEM
    #[arg(long, value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,

    /// A token of the zone's issuer
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,

    /// For each step
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse_duration)]
    timeout: Duration,

    /// How to print it
    #[arg(short, long, value_enum, default_value = "text")]
    output: Form,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Form {
    /// A line for each step, as it is done
    #[default]
    Text,
    Json,
}

pub async fn run(args: Args, context: &Context) -> Result<ExitCode, Failure> {
    let Action::Test(test) = args.action;
    let client = Client::new(&args.server, context)?;
    let zone = Zone::of(client.get(&["zones", &test.zone]).await?)?;
    match login::asked(&test, &zone)? {
        Asked::Setup(setup) => tried(&test, &zone, &setup).await,
        Asked::Issue(settings) => {
            // From here on Ctrl-C ends the test and not the process: the credential has to go.
            let mut stop = pin!(wiring::stop_asked());
            tokio::select! {
                biased;
                () = &mut stop => return Err(interrupted()),
                () = std::future::ready(()) => {}
            }
            let wanted = json!({ "expiresAt": credentials::expiry(CREDENTIAL)? });
            let issued = client.post(&["zones", &test.zone, "credentials"], &wanted).await?;
            let key_id = credentials::field(&issued, "keyId")?;
            let tested = tokio::select! {
                biased;
                () = &mut stop => Err(interrupted()),
                tested = with_issued(&test, &zone, settings, &issued) => tested,
            };
            revoked(&client, key_id, tested).await
        }
    }
}

async fn with_issued(
    test: &Test,
    zone: &Zone,
    settings: login::Settings,
    issued: &Value,
) -> Result<ExitCode, Failure> {
    if issued.get("served") != Some(&Value::Bool(true)) {
        credentials::note_served(issued);
    }
    tried(test, zone, &login::issued(test, zone, settings, issued)?).await
}

/// Takes the test's credential back, whatever has come of the test.
async fn revoked(
    client: &Client,
    key_id: &str,
    tested: Result<ExitCode, Failure>,
) -> Result<ExitCode, Failure> {
    let Err(failure) = client.delete(&["credentials", key_id]).await else {
        output::note(&format!("{key_id}, which was issued for this test, is revoked"));
        return tested;
    };
    let minutes = CREDENTIAL.as_secs() / 60;
    output::note(&format!(
        "{failure}\n  {key_id}, which was issued for this test, is not revoked; it ends by itself within {minutes} minutes, or by \
         `credentials revoke {key_id}`"
    ));
    tested.map(|code| ExitCode::of(&[code, failure.exit_code]))
}

fn interrupted() -> Failure {
    Failure::new(ExitCode::Findings, "the test was interrupted")
}

/// Every step, with the exit code that speaks for all of them.
async fn tried(test: &Test, zone: &Zone, setup: &Setup) -> Result<ExitCode, Failure> {
    let mut report = Report::new(test.output);
    report
        .step(What::Zone, &test.zone, async {
            zone.standing().map(|seen| ((), seen)).map_err(Trouble::of_zone)
        })
        .await?;
    let mut connected = None;
    for address in &setup.addresses {
        let connection = connect::reach(&mut report, setup, address, test.timeout).await?;
        connected = connected.or(connection);
    }
    topics::try_all(&mut report, zone, setup, connected, test.timeout).await?;
    report.end(&test.zone, setup)
}
