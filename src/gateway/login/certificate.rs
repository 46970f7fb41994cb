//! A login by the certificate that the client has shown in the TLS handshake. The handshake has let it through because some
//! authority vouches for it; here it has to be one of the very zone that it names.

use std::net::IpAddr;
use std::sync::Arc;

use time::OffsetDateTime;
use tokio::time::sleep;

use super::super::close::Close;
use super::super::shared::{Port, Shared};
use super::super::tls::{Chain, ClientAuth, Refused};
use super::super::view::{Beside, Login, Origin, Proof};

/// The zone whose service account is what the certificate's subject maps to, if that zone accepts the certificate. The client
/// is told nothing but the end of the connection.
pub(super) async fn log_in(
    shared: &Shared,
    port: &Port,
    address: IpAddr,
    chain: Arc<Chain>,
) -> Result<Login, Close> {
    if shared.view().sequence.is_none() {
        return Err(Close::NotReady);
    }
    match login(shared, Origin { address, zone: port.zone() }, chain) {
        Ok(login) => {
            shared.metrics.authenticated("success");
            Ok(login)
        }
        Err(why) => {
            shared.metrics.authenticated("failure");
            sleep(shared.config.limits.failed_login_delay).await;
            Err(Close::Certificate(why))
        }
    }
}

fn login(shared: &Shared, origin: Origin<'_>, chain: Arc<Chain>) -> Result<Login, String> {
    let subject = chain.subject().map_err(|error| error.to_string())?;
    let Some(user) = shared.config.tls.as_ref().and_then(|tls| tls.mapping().name(&subject)) else {
        return Err(format!("no rule of gateway.tls.principalMappingRules is for its subject `{subject}`"));
    };
    let view = shared.view();
    let Some((entrance, rules)) = view.certified(&user, origin).and_then(|it| Some((it, it.rules.as_ref()?)))
    else {
        return Err(format!(
            "its subject `{subject}` is `{user}` here, and no zone of type MTLS with that service account is open to this host name \
             and address; see spec.authenticationMode.serviceAccount and gateway.tls.principalMappingRules"
        ));
    };
    let zone = &entrance.zone;
    chain.judge(rules).map_err(|refused| why(&refused, &format!("zone {} (`{subject}`)", zone.name)))?;
    let expires_at = chain.ends(OffsetDateTime::now_utc());
    let (zone, address) = (Arc::clone(zone), origin.address);
    Ok(Login { user, zone, proof: Proof::Certificate(chain), beside: None, address, expires_at })
}

/// What stands beside a login by SASL: where a certificate is required, one of the gateway's own authorities. One that only a zone
/// vouches for is that zone's login and nothing here.
pub(super) fn beside_sasl(shared: &Shared, chain: Option<&Arc<Chain>>) -> Result<Option<Beside>, Close> {
    if shared.config.tls.as_ref().is_none_or(|tls| tls.auth() != ClientAuth::Required) {
        return Ok(None);
    }
    let view = shared.view();
    let (Some(chain), Some(rules)) = (chain, view.own_rules()) else {
        return Err(Close::Certificate(
            "gateway.tls.clientAuth wants one beside SASL, and there is none".to_owned(),
        ));
    };
    chain.judge(rules).map_err(|refused| Close::Certificate(why(&refused, "a login by SASL")))?;
    Ok(Some(Beside { chain: Arc::clone(chain), ends: chain.ends(OffsetDateTime::now_utc()) }))
}

fn why(refused: &Refused, whom: &str) -> String {
    if refused.is_foreign() {
        return format!("none of the authorities that count for {whom} has signed it");
    }
    format!("for {whom} {refused}")
}
