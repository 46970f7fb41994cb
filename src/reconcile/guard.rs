//! What is refused although the files ask for it. Pure.
//!
//! A guard refuses all deletions of a run, or all updates, never a part of them: an arbitrary part would be a state that
//! nobody asked for. Creations go ahead. What was refused is asked for again in every later run, and is refused again,
//! until the files change, the limits do, or somebody allows it.
//!
//! | guard | holds back | an allowance lifts it |
//! |---|---|---|
//! | a cluster is not the one it was | everything | no |
//! | a file has an error | deletions of zones | no |
//! | every zone would be deleted | deletions of zones | yes |
//! | `guards.maxDeletePercent` of the zones | deletions of zones | yes |
//! | every topic would be taken out of the zones that stay | updates that take topics away | yes |
//! | `guards.maxDeletePercent` of the topics of zones that stay | updates that take topics away | yes |
//! | `guards.maxUpdatePercent` of the zones, or of their topics | updates | yes |
//!
//! Without live state there is no plan at all, so there is no guard for it.

mod allowance;

pub use allowance::{Allowance, Allowed, AllowedBy};

/// `guards` of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The largest part of the existing zones, or of their topics, that one run may delete, in percent.
    pub max_delete_percent: u8,
    /// The same for updates.
    pub max_update_percent: u8,
    /// Percentages count from this many existing ones on.
    pub floor: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_delete_percent: 30, max_update_percent: 30, floor: 10 }
    }
}

/// What one run would do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    pub zones: Count,
    /// Topics of the zones that exist and are to stay.
    pub topics: Count,
    /// Errors in files: a zone that is missing may be in one of them.
    pub errors: usize,
    /// Clusters that are not the ones they were, each in one sentence.
    pub strange_clusters: Vec<String>,
}

/// How many there are, and how many a run would touch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// In force now.
    pub existing: usize,
    pub creations: usize,
    /// Moves too: whoever used the old name notices.
    pub updates: usize,
    pub deletions: usize,
}

impl Tally {
    /// The number that an allowance has to cover.
    pub fn number(&self, what: Allowed) -> usize {
        match what {
            Allowed::Deletes => self.zones.deletions.saturating_add(self.topics.deletions),
            Allowed::Updates => self.zones.updates.max(self.topics.updates),
        }
    }
}

/// What a run does to a zone, as far as guards tell it apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Deed {
    /// The zone itself stays as it is; something on its backing cluster may be put right.
    Keep,
    Create,
    Update,
    /// An update that takes topics away.
    Narrow,
    Delete,
}

/// Why something is held back.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Refusal {
    holds: Held,
    reason: String,
    /// What would lift it, if anything can.
    lifted_by: Option<Allowed>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    Everything,
    Deletions,
    /// Updates that take topics away.
    Narrowing,
    Updates,
}

impl Held {
    fn includes(self, deed: Deed) -> bool {
        match self {
            Self::Everything => true,
            Self::Deletions => deed == Deed::Delete,
            Self::Narrowing => deed == Deed::Narrow,
            Self::Updates => matches!(deed, Deed::Update | Deed::Narrow),
        }
    }
}

/// An allowance that lifted something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lifted {
    pub allowance: Allowance,
    /// What would have been refused without it.
    pub refusals: Vec<String>,
}

/// The guards' verdict on one run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Guard {
    refusals: Vec<Refusal>,
    lifted: Vec<Lifted>,
    ways_out: Vec<String>,
}

impl Guard {
    /// Judges the plan with this digest. An allowance lifts the guards that count, if it is for at least as many deletions
    /// or updates as the run has: never for a part of them. It lifts nothing that comes from not knowing: a file that
    /// cannot be used, a cluster that is another one.
    pub fn judge(tally: &Tally, limits: Limits, allowances: &[Allowance], digest: &str) -> Self {
        let mut guard = Self::default();
        for refusal in refusals(tally, limits) {
            let covering = refusal
                .lifted_by
                .and_then(|what| allowances.iter().find(|it| it.covers(what, tally.number(what), digest)));
            match covering {
                Some(allowance) => guard.lift(allowance, refusal.reason),
                None => guard.refusals.push(refusal),
            }
        }
        for what in [Allowed::Deletes, Allowed::Updates] {
            if guard.refusals.iter().any(|refusal| refusal.lifted_by == Some(what)) {
                guard.ways_out.push(way_out(what, tally.number(what), digest));
            }
        }
        guard
    }

    fn lift(&mut self, allowance: &Allowance, refusal: String) {
        match self.lifted.iter_mut().find(|it| it.allowance == *allowance) {
            Some(lifted) => lifted.refusals.push(refusal),
            None => {
                self.lifted.push(Lifted { allowance: allowance.clone(), refusals: vec![refusal] });
            }
        }
    }

    /// Whether something is refused.
    pub fn is_refusing(&self) -> bool {
        !self.refusals.is_empty()
    }

    pub fn reasons(&self) -> impl Iterator<Item = &str> {
        self.refusals.iter().map(|refusal| refusal.reason.as_str())
    }

    /// What would have been refused without an allowance.
    pub fn lifted(&self) -> &[Lifted] {
        &self.lifted
    }

    /// The exact trailer and flags that let go ahead what is refused, if it is meant; empty where nothing can.
    pub fn ways_out(&self) -> impl Iterator<Item = &str> {
        self.ways_out.iter().map(String::as_str)
    }

    pub fn allows(&self, deed: Deed) -> bool {
        !self.refusals.iter().any(|refusal| refusal.holds.includes(deed))
    }
}

fn refusals(tally: &Tally, limits: Limits) -> Vec<Refusal> {
    let Tally { zones, topics, errors, strange_clusters } = tally;
    let strange = strange_clusters.iter().map(|cluster| refusal(Held::Everything, cluster.clone(), None));
    let mut refusals: Vec<Refusal> = strange.collect();
    if zones.deletions > 0 && *errors > 0 {
        let (deletions, errors) = (count(zones.deletions, "deletion"), count(*errors, "error"));
        let reason = format!(
            "no zone is deleted while files have errors ({deletions}, {errors} in the files): a missing zone may be in a \
             broken file; correct the files first"
        );
        refusals.push(refusal(Held::Deletions, reason, None));
    }
    if empties(zones) {
        let reason =
            format!("every zone ({}) would be deleted: check source.path and the branch", zones.existing);
        refusals.push(refusal(Held::Deletions, reason, Some(Allowed::Deletes)));
    }
    if empties(topics) {
        let reason = format!("every topic ({}) would be taken out of the zones that stay", topics.existing);
        refusals.push(refusal(Held::Narrowing, reason, Some(Allowed::Deletes)));
    }
    let deletes = Limit { percent: limits.max_delete_percent, key: "maxDeletePercent", floor: limits.floor };
    let updates = Limit { percent: limits.max_update_percent, key: "maxUpdatePercent", floor: limits.floor };
    for (limit, number, existing, what, holds, lifted_by) in [
        (
            &deletes,
            zones.deletions,
            zones.existing,
            "zones would be deleted",
            Held::Deletions,
            Allowed::Deletes,
        ),
        (
            &deletes,
            topics.deletions,
            topics.existing,
            "topics would be taken out of zones",
            Held::Narrowing,
            Allowed::Deletes,
        ),
        (&updates, zones.updates, zones.existing, "zones would be updated", Held::Updates, Allowed::Updates),
        (
            &updates,
            topics.updates,
            topics.existing,
            "topics would be updated",
            Held::Updates,
            Allowed::Updates,
        ),
    ] {
        let exceeded = limit.exceeded(number, existing, what);
        refusals.extend(exceeded.map(|reason| refusal(holds, reason, Some(lifted_by))));
    }
    refusals
}

fn refusal(holds: Held, reason: String, lifted_by: Option<Allowed>) -> Refusal {
    Refusal { holds, reason, lifted_by }
}

/// Whether nothing of what is in force would be left. Something new beside it changes nothing about that, since a wrong
/// path may well hold other zones; but a single one may be replaced by another.
fn empties(count: &Count) -> bool {
    count.deletions > 0 && count.deletions >= count.existing && (count.existing > 1 || count.creations == 0)
}

/// One of the percentages.
struct Limit {
    percent: u8,
    key: &'static str,
    floor: usize,
}

impl Limit {
    /// Why so many are too many. The comparison is exact; the percentage in the text is for people.
    fn exceeded(&self, number: usize, existing: usize, would_be: &str) -> Option<String> {
        let Self { percent, key, floor } = self;
        let is_over =
            existing >= *floor && number.saturating_mul(100) > existing.saturating_mul(usize::from(*percent));
        let shown = number.saturating_mul(100).checked_div(existing).unwrap_or_default();
        is_over.then(|| {
            format!(
                "{number} of {existing} {would_be} ({shown} %), over the limit of {percent} % (guards.{key})"
            )
        })
    }
}

/// What to type, for somebody who wants just that.
fn way_out(what: Allowed, number: usize, digest: &str) -> String {
    format!(
        "if that is meant: put the trailer `{}: {number} REASON` into the commit message, or run `reconciler apply \
         --expect-plan {digest} --allow-{} {number} --reason REASON`",
        what.trailer(),
        what.as_str(),
    )
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

#[cfg(test)]
mod tests;
