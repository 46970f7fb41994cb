//! What partners' clients are set up with in zones that have no credentials: those that take tokens or certificates.

use serde_json::Value;

use super::super::credentials::note_authority;
use super::super::output;
use super::super::{ExitCode, Failure};
use super::{cell, list, text};
use crate::client_files::{ClientFile, ClientSetup, Proof};

/// Prints the file of a zone, as the server shows it.
pub(super) fn print(zone: &Value, file: ClientFile) -> Result<ExitCode, Failure> {
    let [bootstrap_servers, security_protocol] =
        ["/status/bootstrapServers", "/status/securityProtocol"].map(|pointer| cell(zone, pointer));
    let account = cell(zone, "/spec/authenticationMode/serviceAccount");
    if bootstrap_servers.is_empty() || security_protocol.is_empty() {
        return Err(Failure::usage(
            "no gateway serves the zone, so there is no address to give to its partner",
        )
        .next("look at the zone's status with `get zone NAME`"));
    }
    let scopes: Vec<String> = list(zone, "/status/tokens/scopes").iter().map(text).collect();
    let scope = scopes.join(" ");
    let (proof, note) = match cell(zone, "/spec/authenticationMode/type").as_str() {
        "OAUTHBEARER" => (Proof::Token { scope: &scope }, tokens(zone, &account)),
        "MTLS" => (
            Proof::Certificate,
            format!(
                "the certificate's subject has to map to `{account}` (gateway.tls.principalMappingRules)"
            ),
        ),
        _ => {
            let name = cell(zone, "/metadata/name");
            return Err(Failure::usage("the zone takes secrets, which are shown once").next(format!(
                "print the file together with a new secret: `credentials issue {name} -o properties` (or kcat, python, spring)"
            )));
        }
    };
    let setup =
        ClientSetup { bootstrap_servers: &bootstrap_servers, security_protocol: &security_protocol, proof };
    output::data(&file.of(setup))?;
    output::note(&note);
    note_authority(&security_protocol);
    Ok(ExitCode::Fine)
}

/// What the partner's tokens have to be.
fn tokens(zone: &Value, account: &str) -> String {
    let audiences: Vec<String> = list(zone, "/status/tokens/audiences").iter().map(text).collect();
    let issuer = cell(zone, "/status/tokens/issuer");
    let claim = cell(zone, "/status/tokens/subjectClaim");
    if issuer.is_empty() {
        return format!("tokens have to name `{account}`; this server does not know their issuer");
    }
    format!(
        "tokens are those of {issuer}, with `{claim}` {account} and an audience of: {}",
        audiences.join(", ")
    )
}
