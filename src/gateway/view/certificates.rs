//! What clients' certificates are held against: those that are a zone's login, and those that stand beside a login by SASL.

use std::sync::Arc;

use super::super::config::GatewayConfig;
use super::super::tls::Rules;
use super::login::Entrance;
use crate::policy::ServedZone;
use crate::zone::{AuthenticationMode, Certificates};

/// What the zone's certificates are held against; none where nobody logs in by one. The error is why the zone cannot be served.
pub(super) fn rules(
    config: &GatewayConfig,
    served: &ServedZone,
    before: Option<&Arc<Entrance>>,
) -> Result<Option<Arc<Rules>>, String> {
    let authentication = &served.zone.authentication;
    if authentication.mode != AuthenticationMode::Mtls {
        return Ok(None);
    }
    let Some(tls) = &config.tls else {
        return Err("spec.authenticationMode.type MTLS needs TLS, and this gateway has none; set gateway.tls.certificateFile and \
                    gateway.tls.keyFile"
            .to_owned());
    };
    let before = before.and_then(|it| Some((&it.authentication.certificates, it.rules.as_ref()?)));
    tls.rules(&authentication.certificates, before).map(Some)
}

/// What certificates beside a login by SASL are held against; none if the gateway has no authorities. They stay the same until its
/// files are read again, so that open connections are not verified anew with every view.
pub(super) fn beside(config: &GatewayConfig, before: Option<&Arc<Rules>>) -> Option<Arc<Rules>> {
    // As of a zone that names no authorities: the gateway's own, and its list of what is revoked.
    let none = Certificates::default();
    config.tls.as_ref()?.rules(&none, before.map(|rules| (&none, rules))).ok()
}
