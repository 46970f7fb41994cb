//! Zones whose partners log in by certificate.

use std::sync::Arc;

use super::super::config::GatewayConfig;
use super::super::tls::Rules;
use super::login::Entrance;
use crate::policy::ServedZone;
use crate::zone::AuthenticationMode;

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
