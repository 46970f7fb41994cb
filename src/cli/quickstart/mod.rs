//! `reconciler quickstart`: the whole product in this process, on an embedded demo Kafka, tried as the partner.

mod demo_kafka;
mod examples;
mod folder;
mod follow;
mod partner;
mod report;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use self::demo_kafka::DemoKafka;
use self::folder::{BRANCH, Folder, ZONES_PATH};
use self::partner::Partner;
use self::report::Shown;
use super::client::{Client, Server, written_form};
use super::{Context, ExitCode, Failure, get, output};
use crate::app::config::{self, Config, Environment};
use crate::app::wiring::{self, Running};
use crate::client_files::{ClientFile, ClientSetup, Proof};
use crate::manifest::{Known, Loaded, load};
use crate::reconcile::source::{GitConfig, History, OnHistoryRewrite, Source};
use crate::sasl::Mechanism;
use crate::secret::Secret;
use crate::zone::{Operation, PartnerZone, TopicName};

/// A zone is READY a heartbeat or two after its commit; the rest is a slow machine.
const READY_DEADLINE: Duration = Duration::from_mins(1);
const READY_POLL: Duration = Duration::from_millis(250);
/// Records that the self-check reads.
const RECORDS: usize = 3;
/// Between the bootstrap port and the first broker's, as in the configuration's defaults.
const BROKER_PORT_OFFSET: u16 = 8;
/// What stands for the cluster id of the demo, whose own changes with every start.
const CLUSTER_ID: &str = "quickstart-demo-kafka";

/// Try the product on an embedded demo Kafka
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder for the demo's Git repository, configuration and partners' files
    #[arg(long, value_name = "DIR", default_value = "./quickstart-data")]
    dir: PathBuf,

    /// Port that partners connect to first; broker n is 8 + n above it
    #[arg(long, value_name = "PORT", default_value_t = 19092)]
    port: u16,

    /// Port of the admin API
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    http_port: u16,

    /// Stop after the self-check, for scripts
    #[arg(long)]
    exit_after_check: bool,
}

pub async fn run(args: Args) -> Result<ExitCode, Failure> {
    let folder = Folder::prepare(&args.dir, &examples::FILES).map_err(Failure::usage)?;
    let topics = demo_topics(&folder).await?;
    output::note("starting the demo Kafka (in memory, gone when this ends)");
    let kafka = DemoKafka::start(topics.clone()).map_err(Failure::internal)?;
    kafka.seed(&topics).map_err(Failure::internal)?;

    let config = write_config(&folder, &args, &kafka)?;
    output::note("starting reconciler and gateway");
    let product = wiring::start(config, wiring::Role::All, Some(CLUSTER_ID.to_owned()))
        .await
        .map_err(|failure| Failure::usage(failure).next("choose other ports with --port and --http-port"))?;
    let outcome = tokio::select! {
        shown = async {
            await_first_key(&product).await?;
            check(&folder, &args, &topics).await
        } => shown,
        () = wiring::stop_asked() => return finish(product).await,
    };
    let shown = match outcome {
        Ok(shown) => shown,
        Err(failure) => {
            product.stop().await;
            return Err(failure);
        }
    };
    output::data(&report::seen(&shown, &folder))?;
    if args.exit_after_check {
        product.stop().await;
        output::data("quickstart: ok\n")?;
        return Ok(ExitCode::Fine);
    }
    output::data(&report::next(&shown, &folder))?;
    let client = admin(&folder, &args)?;
    tokio::select! {
        () = follow::tell_changes(&client) => {}
        () = wiring::stop_asked() => {}
    }
    finish(product).await
}

async fn finish(product: Running) -> Result<ExitCode, Failure> {
    output::note("stopping");
    product.stop().await;
    Ok(ExitCode::Fine)
}

/// Every backing topic of the examples and of what the user has made of them, and a spare one for the exercise.
async fn demo_topics(folder: &Folder) -> Result<Vec<TopicName>, Failure> {
    let source = Source::git(GitConfig {
        on_history_rewrite: OnHistoryRewrite::Accept,
        ..GitConfig::open(
            &folder.bare().to_string_lossy(),
            &format!("refs/heads/{BRANCH}"),
            ZONES_PATH,
            folder.data_dir().join("mirrors"),
        )
    })
    .map_err(Failure::internal)?;
    let snapshot = source.read(History::default()).await.map_err(Failure::unreachable)?;
    let shared = load(snapshot.files, &Known::default());
    let examples = load(examples::zone_files(), &Known::default());
    let mut topics: BTreeSet<TopicName> = backing(&shared).chain(backing(&examples)).collect();
    topics.insert(spare_topic()?);
    Ok(topics.into_iter().collect())
}

fn backing(loaded: &Loaded) -> impl Iterator<Item = TopicName> {
    loaded.zones.values().flat_map(|loaded| &loaded.zone.topics).map(|topic| topic.backing.clone())
}

fn spare_topic() -> Result<TopicName, Failure> {
    TopicName::try_from(examples::SPARE_TOPIC).map_err(Failure::internal)
}

/// Writes the configuration, and reads it back as any daemon would.
fn write_config(folder: &Folder, args: &Args, kafka: &DemoKafka) -> Result<Config, Failure> {
    let base = args.port.checked_add(BROKER_PORT_OFFSET).ok_or_else(|| {
        Failure::usage(format!("--port {} leaves no room for the brokers' ports", args.port))
    })?;
    let path = folder.config_file();
    let text = report::configuration(folder, args.port, base, args.http_port, &kafka.bootstrap_servers)?;
    Folder::write_private(&path, &text).map_err(Failure::usage)?;
    config::load(Some(&path), &Environment::default()).map_err(Failure::internal)
}

/// Waits until every zone is READY, gives each partner its files and tries the first one's.
async fn check(folder: &Folder, args: &Args, topics: &[TopicName]) -> Result<Shown, Failure> {
    let client = admin(folder, args)?;
    let zones = ready(&client).await?;
    let mut shown: Option<(Shown, Partner)> = None;
    for zone in &zones {
        let login = issue(&client, zone).await?;
        let mechanism = zone.authentication.mode.mechanisms().first().copied();
        let setup = ClientSetup {
            bootstrap_servers: &login.0,
            security_protocol: "SASL_PLAINTEXT",
            proof: Proof::Secret {
                mechanism: mechanism.unwrap_or(Mechanism::Plain),
                username: &login.1,
                secret: login.2.expose(),
            },
        };
        let partner_dir = folder.partner_dir(zone.name.as_str());
        let write =
            |name, text: &str| Folder::write_private(&partner_dir.join(name), text).map_err(Failure::usage);
        write("client.properties", &ClientFile::Properties.of(setup))?;
        write("kcat.conf", &ClientFile::Kcat.of(setup))?;
        let readable = zone.topics.iter().find(|topic| topic.permission.allows(Operation::Read));
        if let (None, Some(topic)) = (&shown, readable) {
            let partner = Partner::new(ClientFile::Kcat.of(setup));
            shown = Some((Shown::new(zone, topic, args.http_port, setup.bootstrap_servers), partner));
        }
    }
    let Some((mut shown, partner)) = shown else {
        return Err(Failure::usage("no zone of the repository has a topic that its partner may read").next(
            format!("share one in {} with permission READ, commit and push", folder.clone_dir().display()),
        ));
    };
    output::note("connecting as the partner");
    let outside = topics.iter().find(|topic| !shown.shares(topic)).cloned().map_or_else(spare_topic, Ok)?;
    let alias = shown.alias.clone();
    let tried = tokio::task::spawn_blocking(move || {
        Ok::<_, partner::CheckError>((
            partner.list()?,
            partner.read(&alias, RECORDS)?,
            partner.refusal(outside.as_str())?,
            outside,
        ))
    });
    let (listed, records, refusal, outside) = tried
        .await
        .map_err(Failure::internal)?
        .map_err(|error| Failure::internal(error).next("see the log above"))?;
    shown.tried(listed, records, (outside, refusal));
    Ok(shown)
}

/// Waits until the admin key is in the store: its file is written before it is good for anything.
async fn await_first_key(product: &Running) -> Result<(), Failure> {
    let mut state = product.store().state();
    let known = state.wait_for(|state| state.as_ref().is_some_and(|state| !state.api_keys.is_empty()));
    match tokio::time::timeout(READY_DEADLINE, known).await {
        Ok(Ok(_)) => Ok(()),
        _ => Err(Failure::internal("no admin key was made; the log says why")),
    }
}

fn admin(folder: &Folder, args: &Args) -> Result<Client, Failure> {
    let key = std::fs::read_to_string(folder.api_key_file()).map_err(|error| {
        Failure::internal(format!("cannot read {}: {error}", folder.api_key_file().display()))
    })?;
    let server = Server {
        url: Some(format!("http://127.0.0.1:{}", args.http_port)),
        api_key: Some(Secret::new(key.trim().to_owned())),
        profile: None,
    };
    Client::new(&server, &Context { config_file: None, environment: Environment::default() })
}

/// All zones, once every one of them is READY; the reasons, when that takes too long.
async fn ready(client: &Client) -> Result<Vec<PartnerZone>, Failure> {
    let started = Instant::now();
    loop {
        let answer = client.get(&["zones"]).await?;
        let items = answer.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
        let waiting: Vec<&Value> = items
            .iter()
            .filter(|zone| zone.pointer("/status/phase").is_none_or(|phase| phase != "READY"))
            .collect();
        if !items.is_empty() && waiting.is_empty() {
            return items.into_iter().map(written_form).collect();
        }
        if started.elapsed() > READY_DEADLINE {
            let zones = waiting.iter().map(|zone| report::why_waiting(zone));
            let reasons: Vec<String> = zones.chain(get::source_trouble(&answer)).collect();
            return Err(Failure::internal(format!(
                "not READY after {} s: {}",
                READY_DEADLINE.as_secs(),
                reasons.join("; ")
            ))
            .next("correct the zone's file, commit and push, and start again"));
        }
        tokio::time::sleep(READY_POLL).await;
    }
}

/// A new credential: bootstrap servers, user name, secret.
async fn issue(client: &Client, zone: &PartnerZone) -> Result<(String, String, Secret<String>), Failure> {
    let issued = client.post(&["zones", zone.name.as_str(), "credentials"], &json!({})).await?;
    let text = |field: &str| {
        issued
            .get(field)
            .and_then(Value::as_str)
            .map(str::to_owned)
            .ok_or_else(|| Failure::internal(format!("the answer holds no {field}")))
    };
    Ok((text("bootstrapServers")?, text("username")?, Secret::new(text("secret")?)))
}
