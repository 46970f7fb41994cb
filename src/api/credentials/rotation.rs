//! A credential that takes another one's place.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Extension, State as Shared};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use time::OffsetDateTime;

use super::{Shown, end, find, rfc3339, shown_once};
use crate::api::auth::Caller;
use crate::api::body::{Body, Name};
use crate::api::openapi::words;
use crate::api::problem::Problem;
use crate::api::{Api, audit};
use crate::store::Change;
use crate::zone::{ApiKeyRole, Credential, parse_duration};

/// What is wanted of a credential that takes another one's place.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "RotationWanted")]
pub(in crate::api) struct Rotate {
    /// How long the old one goes on: `24h`, if it is not said; `0s` ends it at once.
    #[schemars(with = "Option<words::DurationText>")]
    overlap: Option<String>,
    /// When the new one is to end; if it is not said, it lasts as long as the old one was to last.
    #[schemars(with = "Option<words::Time>")]
    expires_at: Option<String>,
}

/// Of a rotation that does not say.
const OVERLAP: Duration = Duration::from_hours(24);

impl Rotate {
    fn overlap(&self) -> Result<time::Duration, Problem> {
        let overlap = self.overlap.as_deref().map_or(Ok(OVERLAP), parse_duration);
        let overlap = overlap.ok().and_then(|overlap| time::Duration::try_from(overlap).ok());
        overlap.ok_or_else(|| Problem::bad_request("`overlap` is no duration; write for example `24h`"))
    }
}

/// Makes a credential that takes another one's place, which goes on for a while so that nobody has to change both sides in one
/// moment.
pub(in crate::api) async fn rotate(
    Shared(api): Shared<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Name(key_id): Name,
    Body(wanted): Body<Rotate>,
) -> Result<Shown, Problem> {
    let state = api.state()?;
    let (old, record) = find(&caller, &state, &key_id)?;
    if let Some(successor) = &old.replaced_by {
        let detail = format!("it was replaced by {successor} already; rotate that one, or issue a new one");
        return Err(Problem::conflict(detail));
    }
    let now = OffsetDateTime::now_utc();
    let overlap = wanted.overlap()?;
    let as_long = |end: OffsetDateTime| now.checked_add(end - old.created_at).unwrap_or(end);
    let as_long = old.expires_at.map(as_long);
    let end = end(wanted.expires_at.as_deref(), now)?.or(as_long);
    caller.may_have_until(old, end, as_long, now)?;
    let gone = overlap.is_zero().then_some(&old.key_id);
    let new = api.new_credential(&state, record, (now, end), gone).await?;
    let old_end = now.checked_add(overlap).ok_or_else(too_long)?;
    let old_end = old.expires_at.map_or(old_end, |known| known.min(old_end));
    let of_old = if overlap.is_zero() {
        Change::DeleteCredential(old.key_id.clone())
    } else {
        Change::PutCredential(Credential {
            expires_at: Some(old_end),
            replaced_by: Some(new.credential.key_id.clone()),
            ..Credential::clone(old)
        })
    };
    let replaces = json!({ "keyId": old.key_id.as_str(), "expiresAt": rfc3339(old_end) });
    let data = new.told(Some(&replaces));
    let event = audit::change(&api, &caller, "credential.rotated", &format!("zone/{}", old.zone), data);
    // It may be revoked while the new one is made, and then it must not come back.
    let as_it_was = Change::Expect(Box::new(Credential::clone(old)));
    let changes = vec![as_it_was, Change::PutCredential(new.credential.clone()), of_old, event];
    let commit = api.config.store.commit(changes).await?;
    Ok(shown_once(api.served(&caller, new.shown(Some(&replaces)), commit).await))
}

fn too_long() -> Problem {
    Problem::bad_request("`overlap` lies beyond all calendars")
}

impl Caller {
    /// A partner gets no more time than it was given: what ended stays ended, and what takes its place lasts as long as it did.
    fn may_have_until(
        &self,
        old: &Credential,
        end: Option<OffsetDateTime>,
        as_long: Option<OffsetDateTime>,
        now: OffsetDateTime,
    ) -> Result<(), Problem> {
        if !matches!(self.role(), ApiKeyRole::Partner { .. }) {
            return Ok(());
        }
        if old.is_expired(now) {
            return Err(Problem::conflict("it has ended; whoever runs this service issues a new one"));
        }
        if as_long.is_some_and(|longest| end.is_none_or(|end| end > longest)) {
            return Err(Problem::bad_request(
                "`expiresAt` is later than the credential would last that is replaced",
            ));
        }
        Ok(())
    }
}
