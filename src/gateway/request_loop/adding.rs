//! What the records of a request get in zones that add headers.

use std::sync::Arc;

use time::OffsetDateTime;
use tokio::io::{AsyncRead, AsyncWrite};

use super::super::api;
use super::super::headers::Adding;
use super::{Incoming, RequestLoop};
use crate::policy::ZoneView;
use crate::policy::headers::Produced;

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> RequestLoop<'_, R, W> {
    /// None: the request has no records, or nothing is done to them.
    pub(super) fn adding(&self, request: &Incoming, zone: &ZoneView) -> Option<Arc<Adding>> {
        if request.entry.key() != api::produce::REQUEST.api_key || zone.headers.add_on_produce.is_empty() {
            return None;
        }
        let login = self.identity.login();
        let now = OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000;
        let produced = Produced {
            client_id: request.header.client_id.as_deref(),
            address: login.address,
            user: &login.user,
            api_key: request.header.api_key,
            api_version: request.header.version,
            gateway_host: &self.shared.config.advertised_host,
            at: i64::try_from(now).unwrap_or(i64::MAX),
        };
        let adding = Adding::new(&zone.headers, &produced);
        Some(Arc::new(if self.seat.edits(request.frame_len) { adding } else { adding.without_room() }))
    }
}
