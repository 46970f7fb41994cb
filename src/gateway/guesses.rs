//! Logins that fail. Each refusal of who fails again and again waits longer, and what looks like guessing is told to the control
//! plane.
//!
//! A secret is 32 random bytes, which nobody guesses at any speed; this is for what partners did with theirs, and for the log. So
//! only refusals wait: never an answer to the right secret, whoever else fails from the same address or under the same name. The address may
//! be a balancer's, and the name that of somebody whom the guesser wants locked out. Known and unknown names are counted alike.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use time::OffsetDateTime;

use crate::policy::throttle::{Pace, Throttle};
use crate::zone::{FailedLogins, ZoneName};

/// With the default limits: the sixth failure waits 0.2 s, the ninth and all that follow 1 s.
const FREE: u32 = 5;
const FIRST: Duration = Duration::from_millis(200);
const REMEMBERED: Duration = Duration::from_mins(10);

/// Failures of one address for one zone that are worth telling: more than a person mistypes.
const TOLD_FROM: u64 = 10;
/// Addresses and zones that are told of; beyond that those whose last failure is longest ago are not.
const TOLD: usize = 100;

#[derive(Debug)]
pub(crate) struct Guesses {
    counted: Mutex<Counted>,
    /// Names are remembered as hashes: people paste secrets in the wrong field.
    hasher: RandomState,
}

#[derive(Debug)]
struct Counted {
    addresses: Throttle<IpAddr>,
    names: Throttle<u64>,
    seen: BTreeMap<(IpAddr, Option<ZoneName>), Seen>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    count: u64,
    since: OffsetDateTime,
    at: OffsetDateTime,
}

/// What a login that failed said of itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Failure<'a> {
    /// What counts as one address.
    pub(crate) network: IpAddr,
    /// The name that was to be proved, if one was said.
    pub(crate) user: Option<&'a str>,
    /// Whose name it is.
    pub(crate) zone: Option<&'a ZoneName>,
}

impl Guesses {
    /// `longest` is what a refusal waits at most.
    pub(crate) fn new(longest: Duration) -> Self {
        let pace = Pace { free: FREE, first: FIRST, longest, forget_after: REMEMBERED };
        let counted =
            Counted { addresses: Throttle::new(pace), names: Throttle::new(pace), seen: BTreeMap::new() };
        Self { counted: Mutex::new(counted), hasher: RandomState::new() }
    }

    /// Counts a failure, and says how long its refusal has to wait.
    pub(crate) fn failed(&self, failure: Failure<'_>, now: OffsetDateTime) -> Duration {
        let name = failure.user.map(|user| self.hasher.hash_one(user));
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        counted.see(failure, now);
        counted.addresses.failed(failure.network, now);
        let by_address = counted.addresses.wait(&failure.network, now);
        let by_name = name.and_then(|name| {
            counted.names.failed(name, now);
            counted.names.wait(&name, now)
        });
        by_address.max(by_name).unwrap_or_default()
    }

    /// Who has failed often in the last minutes.
    pub(crate) fn told(&self, now: OffsetDateTime) -> Vec<FailedLogins> {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        counted.seen.retain(|_, seen| now - seen.at <= REMEMBERED);
        let often = counted.seen.iter().filter(|(_, seen)| seen.count >= TOLD_FROM);
        often
            .map(|((address, zone), seen)| FailedLogins {
                address: *address,
                zone: zone.as_ref().map(ToString::to_string),
                count: seen.count,
                since: seen.since,
                at: seen.at,
            })
            .collect()
    }
}

impl Counted {
    fn see(&mut self, failure: Failure<'_>, at: OffsetDateTime) {
        let key = (failure.network, failure.zone.cloned());
        if self.seen.len() >= TOLD && !self.seen.contains_key(&key) {
            let oldest = self.seen.iter().min_by_key(|(_, seen)| seen.at).map(|(key, _)| key.clone());
            oldest.map(|key| self.seen.remove(&key));
        }
        let seen = self.seen.entry(key).or_insert(Seen { count: 0, since: at, at });
        if at - seen.at > REMEMBERED {
            *seen = Seen { count: 0, since: at, at };
        }
        seen.count = seen.count.saturating_add(1);
        seen.at = at;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_secs(1);

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn failure<'a>(last: u8, user: &'a str, zone: Option<&'a ZoneName>) -> Failure<'a> {
        Failure { network: address(last), user: Some(user), zone }
    }

    #[test]
    fn a_refusal_waits_for_its_address_and_for_its_name_and_never_long() {
        let at = OffsetDateTime::UNIX_EPOCH;
        let guesses = Guesses::new(LONGEST);
        let millis = |last, user: &str| guesses.failed(failure(last, user, None), at).as_millis();
        let by_address: Vec<_> = (0..10).map(|n| millis(1, &format!("user-{n}"))).collect();
        assert_eq!(by_address, [0, 0, 0, 0, 0, 200, 400, 800, 1000, 1000]);
        let by_name: Vec<_> = (10..20).map(|last| millis(last, "anna")).collect();
        assert_eq!(by_name, [0, 0, 0, 0, 0, 200, 400, 800, 1000, 1000]);
        assert_eq!(millis(30, "berta"), 0, "nobody else is concerned");
        let nameless = Failure { user: None, ..failure(1, "", None) };
        assert_eq!(guesses.failed(nameless, at), LONGEST);
        assert_eq!(Guesses::new(Duration::ZERO).failed(nameless, at), Duration::ZERO);
    }

    #[test]
    fn who_fails_often_is_told_with_whose_names_it_tried_until_it_stops() {
        let start = OffsetDateTime::UNIX_EPOCH;
        let acme = ZoneName::try_from("acme").unwrap();
        let guesses = Guesses::new(LONGEST);
        let minute = |n| start + time::Duration::minutes(n);
        for n in 0..10 {
            guesses.failed(failure(1, "acme-app", Some(&acme)), minute(n));
            guesses.failed(failure(1, "nobody", None), minute(0));
        }
        for _ in 0..9 {
            guesses.failed(failure(2, "acme-app", Some(&acme)), start);
        }
        let told = |at| -> Vec<_> {
            let told = guesses.told(at);
            told.into_iter().map(|it| (it.address, it.zone, it.count, it.since, it.at)).collect()
        };
        let (nobodys, acmes) = (
            (address(1), None, 10, start, start),
            (address(1), Some("acme".to_owned()), 10, start, minute(9)),
        );
        assert_eq!(told(minute(10)), [nobodys, acmes.clone()]);
        assert_eq!(told(minute(11)), [acmes]);
        assert_eq!(told(minute(20)), []);
    }

    #[test]
    fn what_is_told_is_bounded() {
        let at = OffsetDateTime::UNIX_EPOCH;
        let guesses = Guesses::new(LONGEST);
        for n in 0..=u8::MAX {
            for _ in 0..TOLD_FROM {
                guesses.failed(failure(n, "x", None), at + time::Duration::seconds(n.into()));
            }
        }
        let told = guesses.told(at);
        assert_eq!(told.len(), TOLD);
        assert_eq!(told.last().unwrap().address, address(u8::MAX));
    }
}
