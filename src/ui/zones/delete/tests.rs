use serde_json::json;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::*;
use crate::ui::fake::{Api, Browser, Write, committed, outcome, problem};

async fn asked(api: &Api) -> Browser {
    api.says(|says| {
        says.zone = (
            StatusCode::OK,
            json!({
                "metadata": {"name": "acme"}, "spec": {"displayName": "Acme <b>", "topics": [{}, {}]},
                "status": {"etag": "\"one\""},
            }),
        );
        says.nodes.1 = json!({"items": [
            {"node": "gw-1", "usage": {"acme": {"clients": 2}, "other": {"clients": 9}}}, {"node": "gw-2", "usage": {}},
        ]});
        says.credentials.1 = json!({"items": [{"keyId": "pzabc", "state": "ACTIVE", "lastUsedFrom": "192.0.2.7"}]});
        says.dry_run = outcome("deleted", &Value::Null);
        says.write = outcome("deleted", &committed(false));
    });
    Browser::open(api, "/ui/zones/acme/delete").await
}

#[tokio::test]
async fn what_goes_is_shown_and_the_word_is_asked_for() {
    let api = Api::new();
    let mut browser = asked(&api).await;
    for shown in [
        "Delete Acme &lt;b&gt;",
        "2 shared topics",
        "<strong>2 clients</strong>",
        "2 on <code>gw-1</code>",
        "pzabc",
        "192.0.2.7",
        "zones/acme.yaml",
    ] {
        assert!(browser.shows(shown), "{shown}: {}", browser.page);
    }
    assert!(!browser.shows("gw-2"), "{}", browser.page);
    for typed in ["", "delete", "acme"] {
        browser.fill("confirm", typed);
        browser.fill("reason", "they left");
        browser.submit().await;
        assert_eq!((browser.status, browser.value("confirm")), (StatusCode::UNPROCESSABLE_ENTITY, typed));
        assert!(
            browser.shows("Type DELETE, in capitals") && api.last().path.contains("dryRun=true"),
            "{}",
            browser.page
        );
    }
    browser.fill("confirm", "DELETE");
    browser.submit().await;
    let wanted = Write {
        method: Method::DELETE,
        path: "/zones/acme?reason=they+left".to_owned(),
        tag: Some("\"one\"".to_owned()),
        body: Value::Null,
    };
    assert_eq!(api.last(), wanted);
    assert_eq!((browser.status, browser.path()), (StatusCode::SEE_OTHER, "/ui/zones?deleted=acme"));
    browser.follow().await;
    assert!(browser.shows("is still there"), "{}", browser.page);
    api.says(|says| says.zone = problem(StatusCode::NOT_FOUND, "gone"));
    browser.follow().await;
    assert!(browser.shows("<code>acme</code></strong> is deleted."), "{}", browser.page);
    assert!(!Browser::open(&api, "/ui/zones?deleted=%3Cb%3Ecall%20555").await.shows("call 555"));
}

#[tokio::test]
async fn a_zone_that_was_changed_meanwhile_is_looked_at_again() {
    let api = Api::new();
    let mut browser = asked(&api).await;
    browser.fill("confirm", "DELETE");
    api.says(|says| {
        says.write = problem(StatusCode::PRECONDITION_FAILED, "the zone has changed since you read it");
        says.zone.1["status"]["etag"] = json!("\"two\"");
    });
    browser.submit().await;
    assert_eq!(browser.status, StatusCode::PRECONDITION_FAILED);
    assert!(browser.shows("The zone has changed since you read it."), "{}", browser.page);
    assert_eq!((browser.value("etag"), browser.value("confirm")), ("\"two\"", ""), "the word is typed anew");
}

#[tokio::test]
async fn a_deletion_can_be_a_proposal_or_be_refused() {
    let api = Api::new();
    let mut browser = asked(&api).await;
    browser.fill("confirm", "DELETE");
    api.says(|says| {
        says.write = problem(
            StatusCode::CONFLICT,
            "this installation does not write to its source: remove zones/acme.yaml",
        );
    });
    browser.submit().await;
    assert!(browser.shows("remove zones/acme.yaml"), "{}", browser.page);
    api.says(|says| says.write = outcome("deleted", &committed(true)));
    browser.submit().await;
    assert_eq!(browser.status, StatusCode::ACCEPTED);
    assert!(browser.shows("The deletion waits for a review"), "{}", browser.page);

    api.says(|says| {
        says.dry_run = problem(
            StatusCode::FORBIDDEN,
            "this key may change only zones whose backing topics all match its patterns",
        );
    });
    let browser = Browser::open(&api, "/ui/zones/acme/delete").await;
    assert_eq!(browser.status, StatusCode::FORBIDDEN);
    assert!(!browser.shows("Delete zone"), "{}", browser.page);
}

#[tokio::test]
async fn who_was_here_lately_is_named_and_what_is_not_known_is_said() {
    let api = Api::new();
    asked(&api).await;
    let ago = |hours| {
        let at = OffsetDateTime::now_utc() - Duration::hours(hours);
        at.format(&Rfc3339).unwrap()
    };
    api.says(|says| {
        says.role = "owner";
        says.credentials.1 = json!({"items": [
            {"keyId": "pzlong", "state": "ACTIVE", "lastUsedAt": ago(30), "lastUsedFrom": "192.0.2.1"},
            {"keyId": "pzfirst", "state": "ACTIVE", "lastUsedAt": ago(3), "lastUsedFrom": "192.0.2.2"},
            {"keyId": "pzlast", "state": "ACTIVE", "lastUsedAt": ago(2), "lastUsedFrom": "192.0.2.3"},
            {"keyId": "pznever", "state": "ACTIVE"},
        ]});
    });
    let browser = Browser::open(&api, "/ui/zones/acme/delete").await;
    let told = browser.page.split("<ul class=\"told\">").nth(1).unwrap();
    let told = told.split("</section>").next().unwrap();
    let (last, first) = (told.find("<code>pzlast</code> from <code>192.0.2.3</code>"), told.find("pzfirst"));
    assert!(last.is_some() && last < first, "{told}");
    assert!(!told.contains("pzlong") && !told.contains("pznever"), "{told}");

    api.says(|says| {
        says.role = "admin";
        says.nodes = problem(StatusCode::SERVICE_UNAVAILABLE, "this node has not read its state yet");
        says.credentials = problem(StatusCode::TOO_MANY_REQUESTS, "these are too many requests");
    });
    let browser = Browser::open(&api, "/ui/zones/acme/delete").await;
    for shown in ["is not known: This node has not read its state yet.", "These are too many requests."] {
        assert!(browser.shows(shown), "{shown}: {}", browser.page);
    }
    api.says(|says| says.credentials = problem(StatusCode::FORBIDDEN, "not yours"));
    let browser = Browser::open(&api, "/ui/zones/acme/delete").await;
    assert!(!browser.shows("Not yours.") && browser.shows("Delete zone"), "{}", browser.page);
}
