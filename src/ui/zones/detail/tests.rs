use axum::http::StatusCode;
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::ui::fake::{Api, Browser, STRETCH, event, problem};

const ZONE: &str = "/ui/zones/acme";

fn stage() -> Api {
    let api = Api::new();
    api.says(|says| {
        says.zone = (
            StatusCode::OK,
            json!({
                "metadata": {"name": "acme"},
                "spec": {
                    "cluster": "gateway", "authenticationMode": {"type": "PLAIN"},
                    "topics": [{"name": "orders", "backingTopic": "sales.orders", "permission": "READ"}],
                },
                "status": {"phase": "READY", "updatedAt": "2026-11-30T12:00:00Z", "revision": "main@sha1:8c1f00d"},
            }),
        );
    });
    api
}

/// One part of the page, by the id of its title.
fn part<'b>(browser: &'b Browser, title: &str) -> &'b str {
    let rest = browser.page.split(&format!("aria-labelledby=\"{title}\"")).nth(1);
    rest.and_then(|rest| rest.split("</section>").next()).unwrap_or_default()
}

#[tokio::test]
async fn what_has_changed_is_found_behind_much_else() {
    let api = stage();
    api.says(|says| {
        says.log = vec![event("session.begun", "session/key1"); STRETCH * 20];
        for (stretch, kind) in [(0, "logins.failed"), (1, "zone.updated"), (19, "zone.created")] {
            says.log[STRETCH * stretch] = event(kind, "zone/acme");
        }
    });
    let browser = Browser::open(&api, ZONE).await;
    let changes = part(&browser, "changes-title");
    assert!(changes.contains("Zone updated"), "{changes}");
    assert!(!changes.contains("Zone created"), "the whole log is not read for it: {changes}");
    assert_eq!(changes.matches("<li").count(), 1, "strangers change nothing: {changes}");
}

#[tokio::test]
async fn what_cannot_be_had_now_is_said_in_its_place_and_what_is_not_theirs_is_not_there() {
    let api = stage();
    let parts = ["credentials-title", "traffic-title", "clients-title"];
    let answered = |status, detail: &str| {
        api.says(|says| {
            let answer = problem(status, detail);
            (says.credentials, says.usage, says.nodes) = (answer.clone(), answer.clone(), answer);
        });
    };
    for status in [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS] {
        answered(status, "ask again soon");
        let browser = Browser::open(&api, ZONE).await;
        assert_eq!(browser.status, StatusCode::OK);
        for title in parts {
            assert!(part(&browser, title).contains("Ask again soon."), "{title}: {}", browser.page);
        }
        assert!(!browser.shows("not used yet"), "nobody knows: {}", browser.page);
    }
    answered(StatusCode::FORBIDDEN, "not yours");
    let browser = Browser::open(&api, ZONE).await;
    assert!(browser.status == StatusCode::OK && !browser.shows("Not yours."), "{}", browser.page);
    assert_eq!((part(&browser, "credentials-title"), part(&browser, "clients-title")), ("", ""));
    answered(StatusCode::UNAUTHORIZED, "the session is over; sign in again");
    assert_eq!(Browser::open(&api, ZONE).await.path(), "/ui/sign-in");
}

#[tokio::test]
async fn an_owner_sees_what_the_credentials_tell_of_clients_and_of_changes() {
    let api = stage();
    let now = OffsetDateTime::now_utc().format(&Rfc3339).unwrap();
    api.says(|says| {
        says.role = "owner";
        says.log = vec![event("zone.deleted", "zone/acme")];
        says.credentials.1 = json!({"items": [
            {"keyId": "pzold", "state": "ROTATED", "replacedBy": "pznew", "createdAt": "2026-11-01T12:00:00Z"},
            {"keyId": "pznew", "state": "ACTIVE", "createdAt": "2026-12-01T12:00:00Z", "lastUsedAt": now, "lastUsedFrom": "192.0.2.7"},
        ]});
    });
    let browser = Browser::open(&api, ZONE).await;
    let clients = part(&browser, "clients-title");
    assert!(clients.contains("<code>pznew</code> from <code>192.0.2.7</code>"), "{clients}");
    assert!(!clients.contains("pzold"), "{clients}");
    let changes = part(&browser, "changes-title");
    let found = [
        "<code>pznew</code> in place of <code>pzold</code>",
        "Zone changed",
        "Credential issued</strong> <code>pzold</code>",
    ];
    let found = found.map(|text| changes.find(text).unwrap_or_else(|| panic!("{text}: {changes}")));
    assert!(found.is_sorted(), "the last one first: {changes}");
    assert!(!changes.contains("Zone deleted"), "the log is not theirs");
    for role in ["partner", "admin"] {
        api.says(|says| says.role = role);
        assert!(!Browser::open(&api, ZONE).await.shows("Clients of the last day"), "{role}");
    }
}
