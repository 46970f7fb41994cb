//! Who did what, for the audit log.

use serde_json::Value;
use time::OffsetDateTime;

use super::Api;
use super::auth::Caller;
use crate::store::{self, Change};

/// An event about `subject`, as part of the commit that it tells of.
pub(super) fn change(api: &Api, caller: &Caller, kind: &str, subject: &str, data: Value) -> Change {
    Change::Audit(event(api, caller, kind, subject, data))
}

/// Writes an event that no commit goes with. A failure is logged and not the caller's: what they asked for has been done.
pub(super) async fn write(api: &Api, caller: &Caller, kind: &str, subject: &str, data: Value) {
    if let Err(error) = api.config.store.audit(event(api, caller, kind, subject, data)).await {
        tracing::error!(%error, kind, subject, "an audit event could not be written; what it tells was done");
    }
}

fn event(api: &Api, caller: &Caller, kind: &str, subject: &str, data: Value) -> Value {
    let mut data = data;
    if let Value::Object(object) = &mut data {
        store::name_asker(object, &caller.asker());
    }
    store::event(&api.config.node, kind, subject, OffsetDateTime::now_utc(), &data)
}
