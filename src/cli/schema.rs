//! `reconciler schema`: what others read our files and answers by, for editors and other tools.

use clap::ValueEnum;

use super::{ExitCode, Failure, output};
use crate::api::openapi;
use crate::manifest::schema::schema_text;

/// Prints the JSON Schema of a PartnerZone, or the OpenAPI document of the admin API
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to print
    #[arg(value_enum, default_value_t = What::Zone)]
    what: What,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum What {
    /// The JSON Schema of a PartnerZone
    Zone,
    /// The OpenAPI 3.1 document of the admin API
    Openapi,
}

pub fn run(args: &Args) -> Result<ExitCode, Failure> {
    output::data(&match args.what {
        What::Zone => schema_text(),
        What::Openapi => openapi::text(),
    })?;
    Ok(ExitCode::Fine)
}
