//! Zones in their written form, with their status.

mod list;
mod lock;

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State as Shared};
use axum::http::HeaderName;
use axum::http::header::ETAG;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

pub(super) use self::list::{ORDERS, PHASES, list};
use super::access::Seen as SeenZone;
use super::auth::Caller;
use super::body::Name;
use super::credentials::rfc3339;
use super::etag::{self, etag};
use super::problem::Problem;
use super::{Api, usage, view};
use crate::manifest::document;
use crate::store::{Nodes, State, ZoneRecord};
use crate::zone::status::{
    Condition, ControllerStatus, NodeView, Phase, Problem as FileProblem, Seen, ZoneStatus, zone_phase,
    zone_status,
};
use crate::zone::{Authentication, AuthenticationMode, ClusterName, Sequence, SniDomain, ZoneName};

/// Its `ETag` is that of the written form alone: what `If-Match` takes.
pub(super) async fn one(
    Shared(api): Shared<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Name(name): Name,
) -> Result<(Option<[(HeaderName, String); 1]>, Json<Value>), Problem> {
    let state = api.state()?;
    let controller = api.config.controller.borrow().clone();
    let (seen, month) = (caller.find(&state, &name)?, usage::this_month());
    let (ledger, name) = (api.config.store.ledger(), &seen.0.zone.name);
    let usage = ledger.usage(name, month);
    let usage = usage.map(|usage| usage::summary(month, &usage, ledger.lag(name).as_ref(), &seen.1));
    // Whoever sees a part of the form could try by its tag what the rest is.
    let tag = seen.1.is_whole().then(|| [(ETAG, etag(&seen.0.zone))]);
    Ok((tag, Json(api.zone(&seen, &state, &controller, usage.as_ref()))))
}

/// A zone by its name, whoever asks.
pub(super) fn find<'a>(state: &'a State, name: &str) -> Result<&'a Arc<ZoneRecord>, Problem> {
    let record = ZoneName::try_from(name).ok().and_then(|name| state.zones.get(&name));
    record.ok_or_else(not_there)
}

pub(super) fn not_there() -> Problem {
    Problem::not_found("there is no zone of this name")
}

impl Api {
    pub(super) fn state(&self) -> Result<Arc<State>, Problem> {
        let state = self.config.store.state().borrow().clone();
        state.ok_or_else(|| Problem::unavailable("this node has not read its state yet"))
    }

    /// A zone's status as of now.
    pub(super) fn status(
        &self,
        record: &ZoneRecord,
        state: &State,
        nodes: &Nodes,
        controller: &ControllerStatus,
        now: OffsetDateTime,
    ) -> ZoneStatus {
        let name = &record.zone.name;
        let mut report = controller.report_of(name, &state.controls);
        report.lock = self.second_lock(record, state, controller);
        let mut status = zone_status(&record.zone, record.changed, views(name, nodes), &report, now);
        status.conditions = self.transitions.stamped(name, status.conditions, now);
        status
    }

    /// Its phase alone.
    fn phase(
        &self,
        record: &ZoneRecord,
        state: &State,
        nodes: &Nodes,
        controller: &ControllerStatus,
    ) -> Phase {
        let name = &record.zone.name;
        let lock = self.second_lock(record, state, controller);
        zone_phase(record.changed, views(name, nodes), controller.file_problem(name), lock)
    }

    /// What somebody sees of a zone, without its usage.
    pub(super) fn shown(&self, caller: &Caller, name: &str) -> Result<Value, Problem> {
        let state = self.state()?;
        let controller = self.config.controller.borrow().clone();
        Ok(self.zone(&caller.find(&state, name)?, &state, &controller, None))
    }

    /// The backing cluster of a zone.
    pub(super) fn cluster_of<'a>(&'a self, record: &'a ZoneRecord) -> &'a ClusterName {
        record.zone.underlying_cluster.as_ref().unwrap_or(&self.config.default_cluster)
    }

    pub(super) fn zone(
        &self,
        (record, sight): &SeenZone<'_>,
        state: &State,
        controller: &ControllerStatus,
        usage: Option<&Value>,
    ) -> Value {
        let nodes = self.config.store.nodes().borrow().clone();
        let status = self.status(record, state, &nodes, controller, OffsetDateTime::now_utc());
        let attempted = controller.last_attempted.as_ref();
        let mut zone = document::to_document(&record.zone);
        let tag = etag::of_document(&zone);
        if let Value::Object(object) = &mut zone {
            let status = json!({
                "id": record.id.to_string(),
                "phase": status.phase.as_str(),
                "failedReason": status.failed_reason,
                "conditions": status.conditions.iter().map(condition).collect::<Vec<_>>(),
                "observed": seen(controller.last_observed.as_ref()),
                "attempted": seen(attempted),
                "applied": { "revision": record.revision.as_str(), "at": rfc3339(record.updated_at) },
                "planDigest": controller.plan,
                "revision": record.revision.as_str(),
                "updatedAt": record.updated_at.format(&Rfc3339).ok(),
                "bootstrapServers": self.bootstrap_servers(record, &nodes),
                "securityProtocol": security_protocol(record.zone.authentication.mode, &nodes),
                "tokens": self.tokens(&record.zone.authentication),
                "usage": usage,
                "etag": tag,
            });
            object.insert("status".to_owned(), status);
        }
        view::zone(zone, sight)
    }

    /// What the tokens have to be that open a zone; null where none do, or where their issuer is not known here.
    fn tokens(&self, authentication: &Authentication) -> Value {
        let name = authentication.issuer.as_ref();
        let mut issuers = self.config.issuers.iter();
        let issuer = issuers.find(|(known, _)| name.is_none_or(|name| name == known));
        match issuer.filter(|_| authentication.mode == AuthenticationMode::OauthBearer) {
            Some((_, rules)) => json!({
                "issuer": rules.issuer,
                "audiences": rules.audiences,
                "subjectClaim": rules.subject_claim,
                "scopes": rules.scopes,
            }),
            None => Value::Null,
        }
    }

    /// Where partners of a zone connect to, as the live nodes say; `None` while no node lives.
    pub(super) fn bootstrap_servers(&self, record: &ZoneRecord, nodes: &Nodes) -> Option<String> {
        let cluster = self.cluster_of(record);
        let name = &record.zone.name;
        let servers: BTreeSet<String> = nodes
            .values()
            .filter(|node| node.tls == is_secured(nodes))
            .filter_map(|node| {
                let by_port = node.bootstrap.get(cluster.as_str())?;
                let own = node.zone_domain.as_deref().and_then(|domain| own_host(name, domain, by_port));
                Some(own.unwrap_or_else(|| by_port.clone()))
            })
            .collect();
        (!servers.is_empty()).then(|| servers.into_iter().collect::<Vec<_>>().join(","))
    }
}

/// What the live nodes say that concerns this zone.
fn views<'a>(name: &'a ZoneName, nodes: &'a Nodes) -> impl Iterator<Item = NodeView<'a>> {
    nodes.values().map(|heartbeat| NodeView {
        node: &heartbeat.node,
        serving: Sequence(heartbeat.serving),
        problem: heartbeat.problems.get(name.as_str()).map(String::as_str),
    })
}

/// What partners' clients call the way they are to connect; `None` while no node lives.
pub(super) fn security_protocol(mode: AuthenticationMode, nodes: &Nodes) -> Option<&'static str> {
    let protocol = match mode {
        // Where there is no TLS, such a zone is not served.
        AuthenticationMode::Mtls => "SSL",
        _ if is_secured(nodes) => "SASL_SSL",
        _ => "SASL_PLAINTEXT",
    };
    (!nodes.is_empty()).then_some(protocol)
}

/// Whether partners are to connect under TLS. While nodes differ, which is while they are restarted one by one, TLS is meant.
fn is_secured(nodes: &Nodes) -> bool {
    nodes.values().any(|node| node.tls)
}

/// The zone's own address in front of `domain` (`domain:port`), if its name can be a host name.
fn own_host(zone: &ZoneName, domain: &str, by_port: &str) -> Option<String> {
    let (domain, port) = domain.rsplit_once(':')?;
    let (advertised_host, _) = by_port.rsplit_once(':')?;
    let domain = SniDomain::new(domain, advertised_host).ok()?;
    domain.check(zone).ok()?;
    Some(format!("{}:{port}", domain.host(zone)))
}

/// How the last look at the source ended; null on a node that has not looked, or never does.
pub(super) fn source(status: &ControllerStatus) -> Value {
    if status.conditions.is_empty() {
        return Value::Null;
    }
    let problem = |problem: &FileProblem| {
        json!({
            "zone": problem.zone.as_ref().map(ZoneName::as_str),
            "code": problem.code,
            "place": problem.place,
            "message": problem.message,
        })
    };
    json!({
        "lastObserved": status.last_observed.as_ref().map(|seen| seen.revision.as_str()),
        "lastAttempted": status.last_attempted.as_ref().map(|seen| seen.revision.as_str()),
        "lastApplied": status.last_applied.as_ref().map(|seen| seen.revision.as_str()),
        "observed": seen(status.last_observed.as_ref()),
        "attempted": seen(status.last_attempted.as_ref()),
        "applied": seen(status.last_applied.as_ref()),
        "planDigest": status.plan,
        "conditions": status.conditions.iter().map(condition).collect::<Vec<_>>(),
        "problems": status.problems.iter().map(problem).collect::<Vec<_>>(),
        "refused": status.refused,
    })
}

fn seen(seen: Option<&Seen>) -> Value {
    seen.map_or(Value::Null, |seen| json!({ "revision": seen.revision.as_str(), "at": rfc3339(seen.at) }))
}

fn condition(condition: &Condition) -> Value {
    json!({
        "type": condition.kind.as_str(),
        "status": condition.status.as_str(),
        "reason": condition.reason,
        "message": condition.message,
        "lastTransitionTime": condition.since.map(rfc3339),
    })
}
