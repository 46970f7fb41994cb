//! `reconciler policy`: what a zone's policies do, tried on records. Nothing is connected to.

mod sample;
mod shown;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Subcommand;
use time::OffsetDateTime;

use self::sample::{Sample, Way};
use self::shown::{Form, Tried};
use super::report::{Colour, Format, Report};
use super::{Context, ExitCode, Failure, output};
use crate::app::control;
use crate::gateway::headers::{Adding, hide, room};
use crate::kafka::records::{Codec, NewRecord, Reader, RecordsError, batches, build};
use crate::manifest::{Finding, SourceFile, load};
use crate::policy::headers::Produced;
use crate::reconcile::source::{Limits, read_file};
use crate::zone::{Headers, PartnerZone};

/// What records are as if they had come in: the newest Produce that is served, from an address for examples (RFC 5737).
const API_KEY: i16 = 0;
const API_VERSION: i16 = 13;
const ADDRESS: [u8; 4] = [192, 0, 2, 1];
const HOST: &str = "gateway.example.com";

/// Try what a zone's policies do
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Test(TestArgs),
}

/// Shows what a zone does to the headers of records, before and after
///
/// The records go through the very code of the gateway, in a batch as a producer makes it. A record file has one JSON object a line:
/// `{"key": "k", "value": "v", "headers": [["name", "value"]], "way": "produce"}`; all fields may be missing, a value may be null, and
/// a record without a way goes both ways. {{user}} is the zone's service account, {{userIp}} an address for examples.
#[derive(Debug, clap::Args)]
struct TestArgs {
    /// The zone's file
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Records to try, one JSON object a line [default: a few that the policy has something to do with]
    #[arg(long, value_name = "FILE")]
    records: Option<PathBuf>,

    /// What {{clientId}} stands for
    #[arg(long, value_name = "ID", default_value = "sample-client")]
    client_id: String,

    /// How the records are compressed
    #[arg(long, value_enum, default_value = "none")]
    compression: Compression,

    /// How to print it
    #[arg(short, long, value_enum, default_value = "table")]
    output: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Compression {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

pub fn run(args: &Args, context: &Context) -> Result<ExitCode, Failure> {
    let What::Test(args) = &args.what;
    let Some(zone) = read(&args.file, context)? else { return Ok(ExitCode::Findings) };
    let policy = Arc::new(zone.headers.clone());
    let samples = match &args.records {
        Some(path) => sample::read(path)?,
        None => sample::of(&policy),
    };
    let config = context.config()?;
    let request = Produced {
        client_id: Some(&args.client_id),
        address: ADDRESS.into(),
        user: zone.authentication.service_account.as_str(),
        api_key: API_KEY,
        api_version: API_VERSION,
        gateway_host: config.advertised_host().unwrap_or(HOST),
        at: i64::try_from(OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX),
    };
    let tried = [Way::Produce, Way::Consume]
        .into_iter()
        .map(|way| try_out(&policy, way, &samples, args.compression.codec(), &request))
        .collect::<Result<Vec<_>, RecordsError>>()
        .map_err(|error| Failure::usage(format!("the records are refused: {error}")))?;
    output::data(&shown::render(&zone, &tried.concat(), args.output))?;
    Ok(ExitCode::Fine)
}

/// The one zone of a file. None: there is none that is right, and why has been said.
fn read(path: &Path, context: &Context) -> Result<Option<Arc<PartnerZone>>, Failure> {
    let content = read_file(path, Limits::default().file_bytes).map(Into::into);
    let file = SourceFile { path: path.display().to_string(), content };
    let loaded = load([file], &control::known(&context.config()?));
    if loaded.findings.iter().any(Finding::is_error) {
        let report = Report::of_files(&loaded, None).render(Format::Text, Colour::Plain);
        output::note(report.trim_end());
        return Ok(None);
    }
    let mut zones = loaded.zones.into_values();
    match (zones.next(), zones.next()) {
        (Some(zone), None) => Ok(Some(zone.zone)),
        (None, _) => Err(Failure::usage(format!("there is no zone in {}", path.display()))),
        (Some(_), Some(_)) => Err(Failure::usage(format!("there are several zones in {}", path.display()))
            .next("name a file with one zone")),
    }
}

/// The records that go this way, as a batch: encoded, edited and decoded again.
fn try_out(
    policy: &Arc<Headers>,
    way: Way,
    samples: &[Sample],
    codec: Codec,
    request: &Produced<'_>,
) -> Result<Vec<Tried>, RecordsError> {
    let going: Vec<_> = samples.iter().filter(|sample| sample.goes(way)).collect();
    let before: Vec<NewRecord> = going.iter().map(|sample| sample.record()).collect();
    if before.is_empty() {
        return Ok(Vec::new());
    }
    let records = build(&before, codec, request.at)?;
    let edited = match way {
        Way::Produce => {
            let adding = Adding::new(policy, request);
            adding.edit(&records, &mut adding.room())?
        }
        Way::Consume => hide(policy, &records, &mut room()).map_err(|unreadable| unreadable.cause)?,
    };
    let mut tried = Vec::new();
    for batch in batches(&edited.records) {
        let batch = batch?;
        let plain = batch.decompressed(&room())?;
        let mut reader = Reader::new(&plain);
        for _ in 0..batch.records() {
            let headers: Result<Vec<_>, _> = reader.record()?.headers().collect();
            let after =
                headers?.into_iter().map(|header| (header.key.to_vec(), header.value.map(<[u8]>::to_vec)));
            tried.push(after.collect());
        }
    }
    Ok(going.into_iter().zip(tried).map(|(sample, after)| Tried::new(sample, way, after)).collect())
}

impl Compression {
    fn codec(self) -> Codec {
        match self {
            Self::None => Codec::None,
            Self::Gzip => Codec::Gzip,
            Self::Snappy => Codec::Snappy,
            Self::Lz4 => Codec::Lz4,
            Self::Zstd => Codec::Zstd,
        }
    }
}
