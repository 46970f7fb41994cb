//! Why a zone's changes wait although no guard refuses them.

use std::collections::BTreeMap;
use std::fmt;

use super::Origin;
use crate::zone::{Asked, Scope, ZoneName};

/// What is done about a state that is no longer what the revision in force asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SelfHeal {
    /// Nothing, and nothing is said.
    Off,
    /// It is reported.
    Report,
    #[default]
    Correct,
}

/// Why one zone's changes wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hold {
    Suspended(Scope, Asked),
    /// It drifted, and `selfHeal` leaves that as it is.
    DriftIsLeft,
    /// Its last try failed, with this message; the next one is due later, or when the files change.
    Failed(String),
}

impl Hold {
    /// One word for conditions and programs.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Suspended(..) => "Suspended",
            Self::DriftIsLeft => "DriftIsLeft",
            Self::Failed(_) => "Failed",
        }
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Suspended(scope, Asked { by, reason, .. }) => {
                write!(f, "{scope} is suspended by {by}: {reason}")
            }
            Self::DriftIsLeft => f.write_str("it drifted, and selfHeal is not `correct`"),
            Self::Failed(message) => write!(f, "its last try failed: {message}"),
        }
    }
}

/// What holds zones up, beside guards.
#[derive(Debug, Clone, Default)]
pub struct Holding {
    pub self_heal: SelfHeal,
    /// Zones whose next try is not due yet, with what the last one ended with.
    pub failed: BTreeMap<ZoneName, String>,
}

impl Holding {
    /// Why the changes of this origin to a zone wait, if so.
    pub(super) fn of(
        &self,
        suspended: &BTreeMap<Scope, Asked>,
        zone: &ZoneName,
        origin: Origin,
    ) -> Option<Hold> {
        let suspension = |scope: Scope| suspended.get(&scope).map(|asked| (scope, asked.clone()));
        let found = suspension(Scope::All)
            .or_else(|| suspension(Scope::Source).filter(|_| origin == Origin::Change))
            // What the controller suspended itself, since it kept drifting, goes on with the next change of the files.
            .or_else(|| {
                let of_zone = suspension(Scope::Zone(zone.clone()));
                of_zone.filter(|(_, asked)| origin == Origin::Drift || !asked.is_of_controller())
            });
        if let Some((scope, asked)) = found {
            return Some(Hold::Suspended(scope, asked));
        }
        if let Some(message) = self.failed.get(zone) {
            return Some(Hold::Failed(message.clone()));
        }
        (origin == Origin::Drift && self.self_heal != SelfHeal::Correct).then_some(Hold::DriftIsLeft)
    }
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;
    use crate::zone::BY_CONTROLLER;

    fn name(text: &str) -> ZoneName {
        ZoneName::try_from(text).unwrap()
    }

    fn suspended(scope: Scope, by: &str) -> BTreeMap<Scope, Asked> {
        let asked = Asked { by: by.to_owned(), at: OffsetDateTime::UNIX_EPOCH, reason: "why".to_owned() };
        BTreeMap::from([(scope, asked)])
    }

    #[test]
    fn each_scope_holds_what_it_names_and_no_more() {
        let holds = |scope: Scope, by: &str| {
            let suspended = suspended(scope, by);
            let of = |zone: &str, origin| Holding::default().of(&suspended, &name(zone), origin).is_some();
            [
                ("acme", Origin::Change),
                ("acme", Origin::Drift),
                ("beta", Origin::Change),
                ("beta", Origin::Drift),
            ]
            .map(|(zone, origin)| of(zone, origin))
        };
        assert_eq!(holds(Scope::All, "k1"), [true; 4]);
        assert_eq!(holds(Scope::Source, "k1"), [true, false, true, false]);
        assert_eq!(holds(Scope::Zone(name("acme")), "k1"), [true, true, false, false]);
        assert_eq!(
            holds(Scope::Zone(name("acme")), BY_CONTROLLER),
            [false, true, false, false],
            "what kept drifting goes on with new files"
        );
    }

    #[test]
    fn drift_is_corrected_only_where_it_is_to_be_and_changes_always_go_ahead() {
        for (self_heal, held) in [(SelfHeal::Correct, false), (SelfHeal::Report, true), (SelfHeal::Off, true)]
        {
            let holding = Holding { self_heal, ..Holding::default() };
            let of = |origin| holding.of(&BTreeMap::new(), &name("acme"), origin).is_some();
            assert_eq!((of(Origin::Drift), of(Origin::Change)), (held, false), "{self_heal:?}");
        }
    }

    #[test]
    fn what_failed_waits_until_it_is_due() {
        let holding = Holding {
            failed: BTreeMap::from([(name("beta"), "no permission".to_owned())]),
            ..Holding::default()
        };
        let of = |zone: &str| holding.of(&BTreeMap::new(), &name(zone), Origin::Change);
        assert_eq!(of("acme"), None);
        assert_eq!(of("beta"), Some(Hold::Failed("no permission".to_owned())));
    }
}
