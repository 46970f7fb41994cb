//! Zones, brokers and one-shot calls for the handlers' tests.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "for tests and fuzzing only"
)]

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use kafka_protocol::protocol::{Decodable, Encodable};
use uuid::Uuid;

use super::{Exchange, Outcome, REGISTRY, Respond, entry};
use crate::gateway::addresses::{Brokers, Form};
use crate::gateway::fixture::KEY_ID;
use crate::gateway::headers::Adding;
use crate::gateway::memory::Memory;
use crate::gateway::offer::Offer;
use crate::gateway::replay::Starts;
use crate::gateway::traffic::Quota;
use crate::gateway::usage::Usage;
use crate::gateway::view::{Login, Proof};
use crate::kafka::codec;
use crate::policy::headers::Produced;
use crate::policy::{ServedZone, ZoneView};
use crate::sasl::Mechanism;
use crate::zone::{
    self, ClusterName, ConsumerGroup, GroupName, Headers, PartnerZone, Permission, ReplayStarts, Sequence,
    TopicName, ZoneId, sample,
};

pub(super) use crate::zone::Permission::{Produce, Read, Write};

/// Where zones lie.
pub(super) const CLUSTER: &str = "default";

/// A deterministic id for a backing topic's name.
pub(super) fn real_id(backing: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, backing.as_bytes())
}

/// Zone `acme` with these (alias, backing, permission), every backing topic known to the cluster but those named `missing…`.
pub(super) fn view(topics: &[(&str, &str, Permission)]) -> Arc<ZoneView> {
    view_with_groups(topics, &[])
}

/// As [`view`], with these (name, backing group).
pub(super) fn view_with_groups(
    topics: &[(&str, &str, Permission)],
    groups: &[(&str, &str)],
) -> Arc<ZoneView> {
    let shared = topics.iter().map(|&(alias, backing, permission)| sample::topic(alias, backing, permission));
    let group = |text: &str| GroupName::try_from(text).unwrap();
    let groups = groups
        .iter()
        .map(|&(name, backing)| ConsumerGroup { name: group(name), backing_group: group(backing) });
    view_of(PartnerZone { consumer_groups: groups.collect(), ..sample::zone("acme", shared.collect()) }, None)
}

/// A zone on the cluster [`CLUSTER`], which knows its backing topics but those named `missing…`.
pub(super) fn view_of(zone: PartnerZone, starts: Option<Arc<ReplayStarts>>) -> Arc<ZoneView> {
    let backing = zone.topics.iter().map(|topic| topic.backing.clone());
    let ids: HashMap<TopicName, Uuid> = backing
        .filter(|backing| !backing.as_str().starts_with("missing"))
        .map(|backing| (backing.clone(), real_id(backing.as_str())))
        .collect();
    let served = ServedZone {
        id: ZoneId(Uuid::from_u128(0xacce)),
        zone: Arc::new(zone),
        cluster: ClusterName::try_from(CLUSTER).unwrap(),
        changed: Sequence(1),
        open: true,
        slots: None,
        starts,
        credentials: Vec::new(),
    };
    Arc::new(ZoneView::new(&served, &ids))
}

/// Brokers 1, 2 and 3 of a cluster at `gw.example.com:19100+`.
pub(super) fn brokers() -> Arc<Brokers> {
    let form = Form::Ports { host: "gw.example.com".into(), base: 19_100 };
    let versions = REGISTRY.iter().map(|entry| (entry.key(), entry.versions)).collect();
    let offer = Arc::new(Offer { versions, ..Offer::default() });
    Arc::new(Brokers { form, live: Arc::new([1, 2, 3].into()), offer })
}

/// One partner's connection.
pub(super) struct Partner {
    pub(super) view: Arc<ZoneView>,
    pub(super) brokers: Arc<Brokers>,
    pub(super) memory: Mutex<Memory>,
    pub(super) starts: Starts,
    pub(super) quota: Quota,
}

impl Partner {
    pub(super) fn of(topics: &[(&str, &str, Permission)]) -> Self {
        Self::in_zone(view(topics))
    }

    pub(super) fn in_zone(view: Arc<ZoneView>) -> Self {
        let key_id = KEY_ID.try_into().unwrap();
        let login = Login {
            user: "acme".to_owned(),
            zone: Arc::clone(&view),
            proof: Proof::Credential { key_id, mechanism: Mechanism::Plain },
            beside: None,
            address: [192, 0, 2, 7].into(),
            expires_at: None,
        };
        let connected = Usage::default();
        let memory = Memory::of(connected.enter(&login, login.address, connected.meter(&login)));
        Self {
            view,
            brokers: brokers(),
            memory: Mutex::new(memory),
            starts: Starts::default(),
            quota: Quota::UNLIMITED,
        }
    }

    /// What was counted of it since this was asked last.
    pub(super) fn usage(&self) -> zone::Usage {
        let mut all = BTreeMap::new();
        Memory::lock(&self.memory).meter().unwrap().take_into(&mut all);
        all.into_values().next().unwrap_or_default()
    }

    pub(super) fn exchange(&self, version: i16) -> Exchange<'_> {
        let Self { view, brokers, memory, starts, quota } = self;
        Exchange { version, view, brokers, memory, starts, quota: *quota, adding: self.adding() }
    }

    /// The partner of a zone that does something to headers.
    pub(super) fn with_headers(topics: &[(&str, &str, Permission)], headers: Headers) -> Self {
        let mut partner = Self::of(topics);
        Arc::get_mut(&mut partner.view).unwrap().headers = Arc::new(headers);
        partner
    }

    /// What is done to the records of its requests.
    fn adding(&self) -> Option<Arc<Adding>> {
        let produced = Produced {
            client_id: Some("app"),
            address: [192, 0, 2, 7].into(),
            user: "acme",
            api_key: 0,
            api_version: 9,
            gateway_host: "gw.example.com",
            at: 7,
        };
        let adds = !self.view.headers.add_on_produce.is_empty();
        adds.then(|| Arc::new(Adding::new(&self.view.headers, &produced)))
    }

    /// What becomes of a request.
    pub(super) fn send<Q: Encodable>(&self, key: i16, version: i16, request: &Q) -> Sent {
        let exchange = self.exchange(version);
        let body = codec::encode(request, version).unwrap();
        let outcome = done((entry(key).unwrap().handle)(&exchange, body).unwrap());
        Sent { key, version, outcome }
    }

    /// Whether the bytes of a request live on in what is left behind of it once it is on its way.
    pub(super) fn keeps_request<Q: Encodable>(&self, key: i16, version: i16, request: &Q) -> bool {
        let exchange = self.exchange(version);
        let body = codec::encode(request, version).unwrap();
        let Outcome::Forward { respond: _respond, .. } =
            (entry(key).unwrap().handle)(&exchange, body.clone()).unwrap()
        else {
            panic!("not forwarded")
        };
        !body.is_unique()
    }

    /// The response as the partner sees it.
    pub(super) fn receive<A: Decodable, R: Encodable>(&self, sent: Awaited, response: &R) -> A {
        self.receive_each(sent, std::slice::from_ref(response))
    }

    /// The one response that the partner sees for several of the broker's.
    pub(super) fn receive_each<A: Decodable, R: Encodable>(&self, sent: Awaited, responses: &[R]) -> A {
        assert_eq!(responses.len(), sent.respond.parts());
        let mut bodies: Vec<_> =
            responses.iter().map(|response| codec::encode(response, sent.version).unwrap()).collect();
        let first = bodies.remove(0);
        let back = sent.respond.whole(first, bodies, &self.memory).unwrap();
        let back = back.pieces().flatten().collect();
        codec::decode(entry(sent.key).unwrap().response, sent.version, back).unwrap()
    }
}

/// What becomes of a request once its records are edited.
pub(super) fn done(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Edit { work, .. } => work().unwrap().0,
        other => other,
    }
}

/// A request on its way.
pub(super) struct Sent {
    key: i16,
    version: i16,
    pub(super) outcome: Outcome,
}

/// A forwarded request, waiting for the broker.
pub(super) struct Awaited {
    key: i16,
    version: i16,
    pub(super) respond: Respond,
}

impl Sent {
    /// The request as the broker sees it.
    pub(super) fn forwarded<M: Decodable>(self) -> (M, Awaited) {
        let (mut sent, awaited) = self.forwarded_each();
        assert_eq!(sent.len(), 1, "one request");
        (sent.remove(0), awaited)
    }

    /// The requests as the broker sees them.
    pub(super) fn forwarded_each<M: Decodable>(self) -> (Vec<M>, Awaited) {
        let (bodies, respond) = match self.outcome {
            Outcome::Forward { body, respond } => (vec![body.pieces().flatten().collect()], respond),
            Outcome::ForwardEach { bodies, join } => {
                let parts = bodies.len();
                (bodies, Respond::Joined { parts, join })
            }
            Outcome::Answer(_) | Outcome::ForwardUnanswered { .. } | Outcome::Edit { .. } => {
                panic!("not forwarded")
            }
        };
        let Self { key, version, .. } = self;
        let shape = entry(key).unwrap().request;
        let decode = |body| codec::decode(shape, version, body).unwrap();
        (bodies.into_iter().map(decode).collect(), Awaited { key, version, respond })
    }

    /// The answer that was given here.
    pub(super) fn answered<M: Decodable>(self) -> M {
        let Outcome::Answer(body) = self.outcome else { panic!("not answered here") };
        codec::decode(entry(self.key).unwrap().response, self.version, body).unwrap()
    }
}

/// Topic name of the protocol.
pub(super) fn topic(name: &str) -> kafka_protocol::messages::TopicName {
    kafka_protocol::messages::TopicName(name.to_owned().into())
}
