//! What would be logged again and again is said once in a while.

use std::collections::HashMap;
use std::hash::Hash;
use std::mem::take;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Between two times that the same is said.
const PAUSE: Duration = Duration::from_mins(10);

/// So many things are said in that time, however many there are.
const MOST: usize = 200;

/// What was said lately, by what it was about.
#[derive(Debug)]
pub(crate) struct Seldom<K> {
    said: Mutex<HashMap<K, Said>>,
}

#[derive(Debug)]
struct Said {
    at: Instant,
    /// How often it was not said since.
    unsaid: u64,
}

impl<K> Default for Seldom<K> {
    fn default() -> Self {
        Self { said: Mutex::default() }
    }
}

impl<K: Eq + Hash> Seldom<K> {
    /// Whether to say something about this now; and how often nothing was said since the last time.
    pub(crate) fn is_due(&self, about: K, now: Instant) -> Option<u64> {
        let mut all = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh = |said: &Said| now.saturating_duration_since(said.at) < PAUSE;
        if let Some(said) = all.get_mut(&about) {
            if is_fresh(said) {
                said.unsaid += 1;
                return None;
            }
            said.at = now;
            return Some(take(&mut said.unsaid));
        }
        if all.len() >= MOST {
            all.retain(|_, said| is_fresh(said));
        }
        if all.len() >= MOST {
            return None;
        }
        all.insert(about, Said { at: now, unsaid: 0 });
        Some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_said_again_after_a_while_with_how_often_it_was_not() {
        let (seldom, now) = (Seldom::default(), Instant::now());
        assert_eq!(seldom.is_due("a", now), Some(0));
        assert_eq!(seldom.is_due("b", now), Some(0), "it is about something else");
        for seconds in [0, 1, 599] {
            assert_eq!(seldom.is_due("a", now + Duration::from_secs(seconds)), None);
        }
        assert_eq!(seldom.is_due("a", now + PAUSE), Some(3));
        assert_eq!(seldom.is_due("a", now + PAUSE), None);
    }

    #[test]
    fn whoever_makes_up_ever_new_things_is_not_said_more_about_and_takes_no_more_memory() {
        let (seldom, now) = (Seldom::default(), Instant::now());
        let said = |now| (0..1_000).filter(|about| seldom.is_due(*about, now).is_some()).count();
        assert_eq!(said(now), MOST);
        assert_eq!(said(now + Duration::from_secs(599)), 0);
        assert_eq!(said(now + PAUSE), MOST);
        assert_eq!(seldom.said.lock().unwrap().len(), MOST);
    }
}
