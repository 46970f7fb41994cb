//! What the zones' principals that are made here may really do. Their ACLs are read and put right in each run; what a cluster allows
//! beside those (`allow.everyone.if.no.acl.found`, `super.users`, an authorizer that asks somebody else) only its brokers know. So each
//! principal logs in on every broker that lives, now and then, and asks. It stops nothing: what is found is the zone's second lock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::clusters::credentials;
use super::compare::troubles;
use super::logins::{self, Logins};
use super::{Clusters, Seen, Setup, Target, View};
use crate::kafka::admin::{Admin, AdminError, Operation, ResourceKind};
use crate::kafka::client::{ClientError, Connection, UpstreamSecurity};
use crate::kafka::rights::{self, Rights};
use crate::kafka::sasl::Credentials;
use crate::kafka::topics;
use crate::manifest::quote;
use crate::policy::principal;
use crate::reconcile::state_access::{self, StateAccess};
use crate::store::{State, ZoneRecord};
use crate::zone::{
    ClusterName, Condition, ConditionKind, ConditionStatus, LoginLock, Principal, Slots, ZoneName,
};

/// How long it is good for that a principal reaches nothing else: somebody may change the brokers' settings at any time.
const GOOD: Duration = Duration::from_mins(10);
/// The same where it reaches more: somebody is about to mend it.
const NOT_GOOD: Duration = Duration::from_secs(10);
/// The same where it could not be asked, which may take long each time.
const NOT_ASKED: Duration = Duration::from_mins(1);
/// Principals that ask in one run, so that thousands of them do not hold it up.
const AT_A_TIME: usize = 20;

/// What no principal may do to a topic that is not its zone's. That it may know of one is no harm.
const BEYOND: [Operation; 5] =
    [Operation::Read, Operation::Write, Operation::Delete, Operation::Alter, Operation::AlterConfigs];
/// Topics of the brokers' own, which are no zone's.
const OF_BROKERS: [&str; 2] = ["__consumer_offsets", "__transaction_state"];
/// What the principals of one cluster have for it in one run, which waits for them.
const LOOK: Duration = Duration::from_secs(10);
/// Topics of one kind that each principal asks about.
const SAMPLE: usize = 20;
/// Principals of which one has to find out what a cluster leaves open.
const WITNESSES: usize = 5;
/// Topics that it looks at for that, and in one question.
const LOOKED_AT: usize = 10_000;
const AT_ONCE: usize = 500;

/// What a principal may do beyond its zone. Of two the graver is the lesser.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Beyond {
    whose: Whose,
    topic: String,
    operations: Vec<Operation>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Whose {
    /// Of the product itself, on the home cluster.
    State,
    Others,
}

/// What a principal may do beyond its zone; the error is why it could not be asked.
type Outcome = Result<Option<Beyond>, String>;

/// What came of it when a principal asked.
#[derive(Debug, Clone)]
struct Answer {
    cluster: ClusterName,
    slots: Slots,
    /// It has salted the password, which the next time need not.
    login: Credentials,
    at: Instant,
    outcome: Outcome,
}

impl Answer {
    fn is_good(&self) -> bool {
        let age = match self.outcome {
            Ok(None) => GOOD,
            Ok(Some(_)) => NOT_GOOD,
            Err(_) => NOT_ASKED,
        };
        self.at.elapsed() < age
    }
}

/// A principal that gateways log in as.
#[derive(Debug, Clone, Copy)]
struct InForce<'a> {
    cluster: &'a ClusterName,
    record: &'a ZoneRecord,
    slots: &'a Slots,
}

type AllInForce<'a> = BTreeMap<&'a ZoneName, InForce<'a>>;

fn in_force<'a>(setup: &Setup, state: &'a State) -> AllInForce<'a> {
    let of_zone = |((cluster, zone), principal): (&'a (ClusterName, ZoneName), &'a Principal)| {
        let (record, slots) = (state.zones.get(zone)?, principal.slots.as_ref()?);
        // Without the key that its password is made of nobody here can log in as it.
        setup.keys.get(cluster)?.get(slots.key_in_force())?;
        (setup.cluster_of(&record.zone) == cluster).then_some((zone, InForce { cluster, record, slots }))
    };
    state.principals.iter().filter_map(of_zone).collect()
}

/// A principal that is to ask.
#[derive(Debug)]
struct Asker {
    zone: ZoneName,
    slots: Slots,
    login: Credentials,
    /// The zone's own.
    topics: BTreeSet<String>,
}

/// What the principals were told last.
#[derive(Debug, Default)]
pub(super) struct Reach {
    answers: Mutex<BTreeMap<ZoneName, Answer>>,
}

impl Reach {
    /// Has those ask who have waited longest, and says what is known of all of them. One that has not asked yet is left out.
    pub(super) async fn look(
        &self,
        clusters: &Clusters,
        view: &View,
        state: &State,
    ) -> BTreeMap<ZoneName, LoginLock> {
        let in_force = in_force(&clusters.setup, state);
        let is_there = |zone: &ZoneName, cluster: &ClusterName| {
            in_force.get(zone).is_some_and(|it| it.cluster == cluster)
        };
        self.answers().retain(|zone, answer| is_there(zone, &answer.cluster));
        // On a cluster that cannot be judged, or is another one by now, nobody asks.
        let troubles = troubles(&clusters.setup, view, &state.principals);
        let mut due: BTreeMap<&ClusterName, Vec<Asker>> = BTreeMap::new();
        for (zone, it) in self.due(&in_force, |cluster| troubles.contains_key(cluster)) {
            let Some(mut asker) = self.asker(zone, it, &clusters.setup) else { continue };
            // What is yet to be taken from it, or was just given, is the zone's as well.
            if let Some(Ok(seen)) = view.clusters.get(it.cluster) {
                asker.topics.extend(topics_of(seen, zone));
            }
            due.entry(it.cluster).or_default().push(asker);
        }
        for (cluster, askers) in due {
            let Some(target) = clusters.targets.get(cluster) else { continue };
            let is_home = *cluster == clusters.setup.home;
            let round = Round { target, is_home, others: others(cluster, &in_force) };
            let outcomes = timeout(LOOK, round.of(&askers)).await.unwrap_or_else(|_| {
                let late = || Err(format!("the brokers have not answered within {} s", LOOK.as_secs()));
                askers.iter().map(|asker| (asker.zone.clone(), late())).collect()
            });
            self.remember(cluster, askers, outcomes);
        }
        let answers = self.answers();
        let told = |(zone, it): (&&ZoneName, &InForce<'_>)| {
            let outcome = match troubles.get(it.cluster) {
                Some(trouble) => Err(trouble.message.clone()),
                None => answers.get(*zone)?.outcome.clone(),
            };
            Some(((*zone).clone(), lock(zone, &outcome)))
        };
        in_force.iter().filter_map(told).collect()
    }

    fn answers(&self) -> MutexGuard<'_, BTreeMap<ZoneName, Answer>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn due<'a>(
        &self,
        in_force: &AllInForce<'a>,
        is_out: impl Fn(&ClusterName) -> bool,
    ) -> Vec<(&'a ZoneName, InForce<'a>)> {
        let answers = self.answers();
        let waiting = |(zone, it): (&&'a ZoneName, &InForce<'a>)| {
            let answer = answers.get(*zone);
            let is_due = answer.is_none_or(|answer| !answer.is_good()) && !is_out(it.cluster);
            is_due.then_some((answer.map(|answer| answer.at), *zone, *it))
        };
        let mut due: Vec<_> = in_force.iter().filter_map(waiting).collect();
        // Who has never asked comes before everybody else.
        due.sort_by_key(|(at, zone, _)| (*at, *zone));
        due.truncate(AT_A_TIME);
        due.into_iter().map(|(_, zone, it)| (zone, it)).collect()
    }

    fn asker(&self, zone: &ZoneName, it: InForce<'_>, setup: &Setup) -> Option<Asker> {
        let known = self.answers().get(zone).filter(|answer| answer.slots == *it.slots).cloned();
        let made = || {
            let password = (it.slots.in_force, it.slots.key_in_force());
            credentials(zone, it.record.id, password, setup.keys.get(it.cluster)?)
        };
        let login = known.map(|answer| answer.login).or_else(made)?;
        let topics = it.record.zone.topics.iter().map(|topic| topic.backing.as_str().to_owned());
        Some(Asker { zone: zone.clone(), slots: it.slots.clone(), login, topics: topics.collect() })
    }

    fn remember(&self, cluster: &ClusterName, askers: Vec<Asker>, mut outcomes: BTreeMap<ZoneName, Outcome>) {
        let mut answers = self.answers();
        for Asker { zone, slots, login, .. } in askers {
            let Some(outcome) = outcomes.remove(&zone) else { continue };
            let answer = Answer { cluster: cluster.clone(), slots, login, at: Instant::now(), outcome };
            answers.insert(zone, answer);
        }
    }
}

/// Topics that the ACLs of a zone's principal are about.
fn topics_of(seen: &Seen, zone: &ZoneName) -> impl Iterator<Item = String> {
    let acls = seen.allowed(zone).into_iter().map(|acl| acl.resource);
    acls.filter(|resource| resource.kind == ResourceKind::Topic).map(|resource| resource.name.to_string())
}

/// Topics that are not everybody's: one of each of some zones on this cluster, and those of its brokers.
fn others<'a>(cluster: &ClusterName, in_force: &AllInForce<'a>) -> BTreeSet<&'a str> {
    let here = in_force.values().filter(|it| it.cluster == cluster);
    let first = here.filter_map(|it| it.record.zone.topics.first());
    let of_zones: BTreeSet<&str> = first.map(|topic| topic.backing.as_str()).collect();
    OF_BROKERS.into_iter().chain(of_zones.into_iter().take(SAMPLE)).collect()
}

/// Questions on one cluster.
struct Round<'a> {
    target: &'a Target,
    is_home: bool,
    /// Topics that everybody asks about whose zone does not share them.
    others: BTreeSet<&'a str>,
}

impl Round<'_> {
    async fn of(&self, askers: &[Asker]) -> BTreeMap<ZoneName, Outcome> {
        self.ask(askers).await.unwrap_or_else(|error| {
            askers.iter().map(|asker| (asker.zone.clone(), Err(error.to_string()))).collect()
        })
    }

    async fn ask(&self, askers: &[Asker]) -> Result<BTreeMap<ZoneName, Outcome>, AdminError> {
        // It tells which brokers live, and does nothing else.
        let mut admin = Admin::connect(&self.target.bootstrap, &self.target.security, logins::LOGIN).await?;
        // Whoever is refused is so below; and those who are not ask about the other topics at least.
        let open = self.open(askers).await.unwrap_or_default();
        let about = |asker: &Asker| {
            let all = open.iter().map(String::as_str).chain(self.others.iter().copied());
            let others: BTreeSet<&str> = all.filter(|topic| !asker.topics.contains(*topic)).collect();
            let others: Vec<String> = others.into_iter().map(str::to_owned).collect();
            (asker.login.username.clone(), others)
        };
        let about: Arc<BTreeMap<String, Vec<String>>> = Arc::new(askers.iter().map(about).collect());
        let found: Arc<Mutex<BTreeMap<String, Beyond>>> = Arc::default();
        let login = |broker: String, credentials: Credentials| {
            let (about, found, user) = (Arc::clone(&about), Arc::clone(&found), credentials.username.clone());
            let (security, is_home) = (self.security(credentials), self.is_home);
            async move {
                let mut connection =
                    Connection::connect(&broker, &security, logins::CLIENT_ID, logins::LOGIN).await?;
                let others = about.get(&user).map(Vec::as_slice).unwrap_or_default();
                if let Some(more) = beyond(&mut connection, others, is_home).await? {
                    let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                    let gravest = found.entry(user).or_insert_with(|| more.clone());
                    if more < *gravest {
                        *gravest = more;
                    }
                }
                Ok(())
            }
        };
        let principals: BTreeMap<ZoneName, Credentials> =
            askers.iter().map(|asker| (asker.zone.clone(), asker.login.clone())).collect();
        // Whoever is refused twice asks again at a later look.
        let refused = Logins { login, within: Duration::ZERO, pause: logins::PAUSE }
            .of(&mut admin, &principals)
            .await?;
        let found = std::mem::take(&mut *found.lock().unwrap_or_else(PoisonError::into_inner));
        let outcome = |asker: &Asker| match (found.get(&asker.login.username), refused.get(&asker.zone)) {
            (Some(more), _) => Ok(Some(more.clone())),
            (None, Some(cause)) => Err(cause.clone()),
            (None, None) => Ok(None),
        };
        Ok(askers.iter().map(|asker| (asker.zone.clone(), outcome(asker))).collect())
    }

    /// Topics that the cluster leaves open, as one principal finds them. Each asks about these then; only one looks for them, since
    /// whoever may know of all topics gets a long answer.
    async fn open(&self, askers: &[Asker]) -> Result<Vec<String>, ClientError> {
        let mut open = Ok(Vec::new());
        for asker in askers.iter().take(WITNESSES) {
            open = self.open_to(asker).await;
            if open.is_ok() {
                break;
            }
        }
        open
    }

    async fn open_to(&self, asker: &Asker) -> Result<Vec<String>, ClientError> {
        let (bootstrap, security) = (&self.target.bootstrap, self.security(asker.login.clone()));
        let seen = topics::partitions(bootstrap, &security, logins::LOGIN).await?;
        let seen = seen.keys().map(String::as_str).filter(|topic| !asker.topics.contains(*topic));
        let seen: Vec<&str> = seen.take(LOOKED_AT).collect();
        let mut open = Vec::new();
        if seen.is_empty() {
            return Ok(open);
        }
        let servers = bootstrap.split(',').map(str::trim);
        let mut connection =
            Connection::connect_any(servers, &security, logins::CLIENT_ID, logins::LOGIN).await?;
        for some in seen.chunks(AT_ONCE) {
            let rights = rights::on_topics(&mut connection, some).await?;
            open.extend(rights.into_iter().filter(|(_, it)| !excess(it).is_empty()).map(|(topic, _)| topic));
            if open.len() >= SAMPLE {
                break;
            }
        }
        open.truncate(SAMPLE);
        Ok(open)
    }

    fn security(&self, login: Credentials) -> UpstreamSecurity {
        UpstreamSecurity { tls: self.target.security.tls.clone(), sasl: Some(login) }
    }
}

/// What whoever is logged in on this connection may do to the state, if it is here, or to one of these topics.
async fn beyond(
    connection: &mut Connection,
    others: &[String],
    is_home: bool,
) -> Result<Option<Beyond>, ClientError> {
    if is_home && let StateAccess::Allowed { topic, operations } = state_access::ask(connection).await? {
        return Ok(Some(Beyond { whose: Whose::State, topic, operations }));
    }
    let others: Vec<&str> = others.iter().map(String::as_str).collect();
    let rights = rights::on_topics(connection, &others).await?;
    let all = rights.into_iter().map(|(topic, rights)| (topic, excess(&rights)));
    let mut more = all.filter(|(_, operations)| !operations.is_empty());
    Ok(more.next().map(|(topic, operations)| Beyond { whose: Whose::Others, topic, operations }))
}

/// What of these rights nobody needs who has no share in the topic.
fn excess(rights: &Rights) -> Vec<Operation> {
    match rights {
        Rights::NoSuchTopic => Vec::new(),
        Rights::May(operations) => operations.iter().copied().filter(|it| BEYOND.contains(it)).collect(),
    }
}

/// The second lock of a zone whose principal has asked.
fn lock(zone: &ZoneName, outcome: &Outcome) -> LoginLock {
    let user = quote(&principal::user(zone));
    let (status, reason, message) = match outcome {
        Ok(None) => {
            let message = format!(
                "the gateway logs in to its cluster as {user}, whose ACLs are the zone's, and every broker says that nothing beside \
                 them is open to it that was asked about"
            );
            (ConditionStatus::True, "OwnPrincipal", message)
        }
        Ok(Some(Beyond { whose, topic, operations })) => {
            let operations: Vec<String> = operations.iter().map(ToString::to_string).collect();
            let message = format!(
                "{user}, as whom the gateway logs in to its cluster, may {} {topic}, and no ACL of the zone allows that: look at \
                 allow.everyone.if.no.acl.found and super.users of the brokers, and at ACLs of User:*",
                operations.join(", ")
            );
            let reason = match whose {
                Whose::State => "ReachesState",
                Whose::Others => "ReachesOthers",
            };
            (ConditionStatus::False, reason, message)
        }
        Err(cause) => {
            let message = format!(
                "the gateway logs in to its cluster as {user}, and what else that may do there could not be asked: {cause}"
            );
            (ConditionStatus::Unknown, "NotAsked", message)
        }
    };
    LoginLock {
        condition: Condition::new(ConditionKind::SecondLock, status, reason, message),
        is_let_in: true,
    }
}

#[cfg(test)]
mod tests;
