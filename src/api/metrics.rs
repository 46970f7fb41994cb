//! What is counted of the API itself.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::Api;

#[derive(Debug, Clone, Default)]
pub(super) struct Metrics {
    requests: Family<RequestLabels, Counter>,
    pub(super) refused_keys: Counter,
    pub(super) refused_sign_ins: Counter,
    /// Requests of keys that had sent too many.
    pub(super) limited: Counter,
    /// 1: what this node knows of the state may be out of date.
    pub(super) stale: Gauge,
}

/// A closed set: the route, never the path as it was sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: String,
    method: &'static str,
    status: u16,
}

impl Metrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let http = registry.sub_registry_with_prefix("partner_zones_http");
        http.register("requests", "Requests to the admin API", metrics.requests.clone());
        http.register("refused_keys", "API keys that were not valid", metrics.refused_keys.clone());
        let what = "People who came back from the issuer with nothing that counts";
        http.register("refused_sign_ins", what, metrics.refused_sign_ins.clone());
        let what = "Requests that were refused since their key had sent too many";
        http.register("limited_requests", what, metrics.limited.clone());
        let what = "Whether this node has lost the store and goes on with what it read last";
        registry.sub_registry_with_prefix("partner_zones").register(
            "state_stale",
            what,
            metrics.stale.clone(),
        );
        metrics
    }
}

pub(super) async fn count(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let method = match request.method().as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "DELETE" => "DELETE",
        _ => "other",
    };
    let response = next.run(request).await;
    let labels = RequestLabels { route, method, status: response.status().as_u16() };
    api.metrics.requests.get_or_create(&labels).inc();
    response
}
