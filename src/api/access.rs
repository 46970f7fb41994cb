//! Who may do what. Two closed tables: a path says what it needs ([`super::routes`]), and here a role says what it may. What neither
//! of them says is refused.
//!
//! | needs | admin | viewer | owner | partner |
//! |---|---|---|---|---|
//! | [`Needs::Admin`] | yes | | | |
//! | [`Needs::Service`] | yes | yes | | |
//! | [`Needs::Sight`] | all | all | of zones that share one of its topics | of its zone |
//! | [`Needs::Backing`] | all | all | of its topics | |
//! | [`Needs::Share`] | yes | | of zones that share its topics alone | |
//! | [`Needs::Renewal`] | yes | | of zones that share its topics alone | of its zone |
//!
//! How much of a zone is seen is a [`Sight`]; [`super::view`] makes of an answer what that sight leaves of it. A zone that a key does
//! not see is answered as one that is not there.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Extension, Request, State as Shared};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;

use super::auth::Caller;
use super::problem::Problem;
use super::zones;
use crate::store::{State, ZoneRecord};
use crate::zone::{ApiKeyRole, PartnerZone, SharedTopic, TopicName, ZoneName};

/// What a path asks of whoever calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    /// It runs the service.
    Admin,
    /// It looks at the service as a whole.
    Service,
    /// Any role: each is shown what it sees, and the handler has to see to that.
    Sight,
    /// It looks at topics of the backing clusters: the handler asks [`Caller::sees_topic`].
    Backing,
    /// It gives to a zone, or takes from it: the handler asks [`Caller::to_write`].
    Share,
    /// It replaces or takes back what a zone was given: the handler asks [`Caller::to_renew`].
    Renewal,
}

impl Needs {
    /// The roles that have it, by [`ApiKeyRole::name`].
    pub(super) fn roles(self) -> &'static [&'static str] {
        match self {
            Self::Admin => &["admin"],
            Self::Service => &["admin", "viewer"],
            Self::Backing => &["admin", "viewer", "owner"],
            Self::Sight => &["admin", "viewer", "owner", "partner"],
            Self::Share => &["admin", "owner"],
            Self::Renewal => &["admin", "owner", "partner"],
        }
    }

    fn admits(self, role: &ApiKeyRole) -> bool {
        self.roles().contains(&role.name())
    }
}

/// Lets a request through of whoever has a role that may make it.
pub(super) async fn check(
    Shared(needs): Shared<Needs>,
    Extension(caller): Extension<Caller>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    if !needs.admits(caller.role()) {
        let detail = match caller.role() {
            ApiKeyRole::Viewer if needs != Needs::Admin => "the role `viewer` may only read".to_owned(),
            role => format!("the role `{}` may not do this", role.name()),
        };
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    }
    Ok(next.run(request).await)
}

/// How much of a zone somebody sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sight<'z> {
    /// All of it, and all that is said of it.
    All,
    /// All of it: every topic that it shares is theirs.
    Whole,
    /// Some of its topics, by these aliases.
    Part(BTreeSet<&'z str>),
    /// What its partner may know.
    Partner,
}

impl Sight<'_> {
    /// Whether all that the zone is made of is seen.
    pub(super) fn is_whole(&self) -> bool {
        matches!(self, Self::All | Self::Whole)
    }

    /// Whether a topic of the zone is seen, by its alias.
    pub(super) fn has(&self, topic: &SharedTopic) -> bool {
        match self {
            Self::All | Self::Whole | Self::Partner => true,
            Self::Part(aliases) => aliases.contains(topic.alias.as_str()),
        }
    }
}

/// A zone, and how much of it is seen.
pub(super) type Seen<'s> = (&'s Arc<ZoneRecord>, Sight<'s>);

impl Caller {
    /// Whether it sees every zone and the service itself.
    pub(super) fn sees_all(&self) -> bool {
        matches!(self.role(), ApiKeyRole::Admin | ApiKeyRole::Viewer)
    }

    /// How much it sees of a zone; `None`: for this key there is no such zone.
    pub(super) fn sight<'z>(&self, zone: &'z PartnerZone) -> Option<Sight<'z>> {
        match self.role() {
            ApiKeyRole::Admin | ApiKeyRole::Viewer => Some(Sight::All),
            ApiKeyRole::Owner { topics: patterns } => {
                let theirs = zone
                    .topics
                    .iter()
                    .filter(|topic| patterns.iter().any(|pattern| pattern.matches(&topic.backing)));
                let aliases: BTreeSet<_> = theirs.map(|topic| topic.alias.as_str()).collect();
                match aliases.len() {
                    0 => None,
                    all if all == zone.topics.len() => Some(Sight::Whole),
                    _ => Some(Sight::Part(aliases)),
                }
            }
            ApiKeyRole::Partner { zone: own } => (*own == zone.name).then_some(Sight::Partner),
        }
    }

    /// Whether it sees a topic of a backing cluster.
    pub(super) fn sees_topic(&self, topic: &str) -> bool {
        match self.role() {
            ApiKeyRole::Admin | ApiKeyRole::Viewer => true,
            ApiKeyRole::Owner { topics } => TopicName::try_from(topic)
                .is_ok_and(|topic| topics.iter().any(|pattern| pattern.matches(&topic))),
            ApiKeyRole::Partner { .. } => false,
        }
    }

    /// Whether it may say what the zone is and who comes in. Of a change both forms count: a zone must not become what it may not write.
    /// A zone without topics is no owner's.
    pub(super) fn may_write(&self, zone: &PartnerZone) -> bool {
        *self.role() == ApiKeyRole::Admin || self.sight(zone) == Some(Sight::Whole)
    }

    /// [`Self::may_write`], for a handler of a path that needs [`Needs::Share`].
    pub(super) fn to_write(&self, zone: &PartnerZone) -> Result<(), Problem> {
        if self.may_write(zone) {
            return Ok(());
        }
        let detail = match self.role() {
            ApiKeyRole::Owner { .. } => {
                "an owner may change only zones whose backing topics are all theirs".to_owned()
            }
            role => format!("the role `{}` may not change this zone", role.name()),
        };
        Err(Problem::new(StatusCode::FORBIDDEN, detail))
    }

    /// Whether it may replace or take back what lets the zone's partner in: the partner may, too.
    pub(super) fn to_renew(&self, zone: &PartnerZone) -> Result<(), Problem> {
        if self.sight(zone) == Some(Sight::Partner) { Ok(()) } else { self.to_write(zone) }
    }

    /// The zone that a path names. One that it does not see is not there.
    pub(super) fn find<'s>(&self, state: &'s State, name: &str) -> Result<Seen<'s>, Problem> {
        let record = zones::find(state, name)?;
        let sight = self.sight(&record.zone).ok_or_else(zones::not_there)?;
        Ok((record, sight))
    }

    /// The zones that it sees.
    pub(super) fn zones<'s>(&self, state: &'s State) -> impl Iterator<Item = Seen<'s>> {
        state.zones.values().filter_map(|record| Some((record, self.sight(&record.zone)?)))
    }

    /// Whether it sees anything of what is said of a zone that may be gone.
    pub(super) fn sees(&self, state: &State, zone: &ZoneName) -> bool {
        self.sees_all() || state.zones.get(zone).is_some_and(|record| self.sight(&record.zone).is_some())
    }
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;
    use crate::api::key;
    use crate::zone::{Permission, TopicPattern, sample};

    fn caller(role: ApiKeyRole) -> Caller {
        Caller::of_key(Arc::new(key::new_api_key(role, OffsetDateTime::UNIX_EPOCH).0))
    }

    fn owner(patterns: &[&str]) -> Caller {
        let topics = patterns.iter().map(|text| TopicPattern::try_from(*text).unwrap());
        caller(ApiKeyRole::Owner { topics: topics.collect() })
    }

    fn zone(backing: &[&str]) -> PartnerZone {
        let topic =
            |(n, backing): (usize, &&str)| sample::topic(&format!("alias-{n}"), backing, Permission::Read);
        sample::zone("acme", backing.iter().enumerate().map(topic).collect())
    }

    #[test]
    fn an_owner_writes_a_zone_only_if_it_shares_something_and_all_of_it_is_theirs() {
        let sales = owner(&["sales.*", "returns"]);
        for (backing, sees, writes) in [
            (&["sales.orders"][..], true, true),
            (&["sales.orders", "returns"], true, true),
            (&["sales.orders", "finance.ledger"], true, false),
            (&["returns-eu", "finance.ledger"], false, false),
            (&[], false, false),
        ] {
            let zone = zone(backing);
            assert_eq!((sales.sight(&zone).is_some(), sales.may_write(&zone)), (sees, writes), "{backing:?}");
            assert_eq!((sales.to_write(&zone).is_ok(), sales.to_renew(&zone).is_ok()), (writes, writes));
            assert!(!owner(&[]).may_write(&zone) && owner(&[]).sight(&zone).is_none());
        }
        let part = zone(&["finance.ledger", "sales.orders"]);
        assert_eq!(sales.sight(&part), Some(Sight::Part(["alias-1"].into())));
    }

    #[test]
    fn of_the_others_an_admin_alone_writes_and_a_partner_renews_what_is_its_own() {
        let [own, other] = ["acme", "other"].map(|zone| ZoneName::try_from(zone).unwrap());
        let zone = zone(&["sales.orders"]);
        for (role, sight, writes, renews) in [
            (ApiKeyRole::Admin, Some(Sight::All), true, true),
            (ApiKeyRole::Viewer, Some(Sight::All), false, false),
            (ApiKeyRole::Partner { zone: own }, Some(Sight::Partner), false, true),
            (ApiKeyRole::Partner { zone: other }, None, false, false),
        ] {
            let caller = caller(role);
            assert_eq!((caller.sight(&zone), caller.may_write(&zone)), (sight, writes));
            assert_eq!((caller.to_write(&zone).is_ok(), caller.to_renew(&zone).is_ok()), (writes, renews));
        }
    }
}
