//! `reconciler schema`: the JSON Schema of a PartnerZone, for editors and other tools.

use super::{ExitCode, Failure, output};
use crate::manifest::schema::schema_text;

pub fn run() -> Result<ExitCode, Failure> {
    output::data(&schema_text())?;
    Ok(ExitCode::Fine)
}
