use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::ui::fake::{Api, Browser, Write, committed, outcome, problem};

const SERVICE_ACCOUNT: &str = "spec.authenticationMode.serviceAccount";

fn invalid(findings: &Value) -> (StatusCode, Value) {
    (StatusCode::UNPROCESSABLE_ENTITY, json!({"detail": "this is not a right zone", "findings": findings}))
}

fn complaint(place: &str) -> (StatusCode, Value) {
    invalid(&json!([{"code": "PZ0106", "message": format!("it is wrong (at `{place}`)"), "help": "mend it"}]))
}

async fn at_topics(api: &Api) -> Browser {
    let mut browser = Browser::open(api, "/ui/zones/new").await;
    browser.fill("spec.displayName", "Acme");
    browser.press("next").await;
    assert_eq!(browser.step(), "topics");
    browser
}

/// Everything that the five steps have.
async fn filled(api: &Api) -> Browser {
    let mut browser = Browser::open(api, "/ui/zones/new").await;
    assert_eq!(
        (browser.value("spec.cluster"), browser.value("spec.authenticationMode.type")),
        ("gateway", "PLAIN")
    );
    for (field, value) in [
        ("spec.displayName", "Acme \"Köln\" <b>"),
        ("metadata.name", "acme"),
        ("spec.url", "https://acme.example.com"),
        ("spec.description", "One.\r\nTwo."),
        ("metadata.labels", "team=sales, tier=1"),
        ("spec.partner.name", "Ada"),
        ("spec.partner.email", "ada@acme.example.com"),
        ("spec.underlyingCluster", "eu"),
    ] {
        browser.fill(field, value);
    }
    browser.press("next").await;
    browser.fields.push(("pick".to_owned(), "sales.orders".to_owned()));
    browser.press("add").await;
    browser.fill("typed", "sales.orders");
    browser.press("add").await;
    browser.fill("spec.topics[0].permission", "WRITE");
    browser.fill("spec.topics[1].name", "read-back");
    browser.press("next").await;
    browser.fill("spec.authenticationMode.type", "SCRAM");
    browser.press("next").await;
    for (field, value) in [
        ("spec.trafficControlPolicies.maxProduceRate", "1000000"),
        ("spec.access.validUntil", "2027-01-31T18:00"),
        ("spec.access.allowedCidrs", "192.0.2.0/24, ::1/128"),
        ("spec.headers.addOnProduce[0].key", "from"),
        ("spec.headers.addOnProduce[0].value", "{{user}}"),
        ("spec.headers.addOnProduce[0].overrideIfExists", "true"),
    ] {
        browser.fill(field, value);
    }
    browser.press("another-header").await;
    assert_eq!(browser.step(), "policies");
    assert!(!browser.shows("addOnProduce[2]"), "one more, not two");
    browser.fill("spec.headers.addOnProduce[1].key", "second");
    browser.press("another-header").await;
    browser.press("another-pattern").await;
    browser.fill("spec.headers.removeOnConsume[1].keyRegex", "internal-.*");
    browser.press("next").await;
    assert_eq!(browser.step(), "review");
    browser
}

fn wanted() -> Value {
    json!({
        "apiVersion": "v2",
        "kind": "PartnerZone",
        "metadata": {"name": "acme", "labels": {"team": "sales", "tier": "1"}},
        "spec": {
            "cluster": "gateway",
            "underlyingCluster": "eu",
            "displayName": "Acme \"Köln\" <b>",
            "description": "One.\nTwo.",
            "url": "https://acme.example.com",
            "authenticationMode": {"type": "SCRAM", "serviceAccount": "acme"},
            "topics": [
                {"name": "sales.orders", "backingTopic": "sales.orders", "permission": "WRITE"},
                {"name": "read-back", "backingTopic": "sales.orders", "permission": "READ"},
            ],
            "partner": {"name": "Ada", "email": "ada@acme.example.com"},
            "trafficControlPolicies": {"maxProduceRate": 1_000_000},
            "headers": {
                "addOnProduce": [
                    {"key": "from", "value": "{{user}}", "overrideIfExists": true},
                    {"key": "second", "value": "", "overrideIfExists": false},
                ],
                "removeOnConsume": [{"keyRegex": "internal-.*"}],
            },
            "access": {"validUntil": "2027-01-31T18:00:00Z", "allowedCidrs": ["192.0.2.0/24", "::1/128"]},
        },
    })
}

#[tokio::test]
async fn a_zone_is_filled_in_forth_and_back_and_created() {
    let api = Api::new();
    let mut browser = filled(&api).await;
    let dry_run =
        Write { method: Method::POST, path: "/zones?dryRun=true".to_owned(), tag: None, body: wanted() };
    assert_eq!(api.last(), dry_run);
    for shown in [
        "<span class=\"added\">+name: &lt;acme&gt;\n</span>",
        "<code>zone/acme</code>",
        "no such topic",
        "Acme &quot;Köln&quot; &lt;b&gt;",
        "aria-current=\"step\">Review",
    ] {
        assert!(browser.shows(shown), "{shown}: {}", browser.page);
    }
    browser.fill("reason", "they signed");
    for step in ["policies", "authentication", "topics", "details"] {
        browser.press("back").await;
        assert_eq!(browser.step(), step);
    }
    for step in ["topics", "authentication", "policies", "review"] {
        browser.press("next").await;
        assert_eq!((browser.step(), browser.status), (step, StatusCode::OK));
    }
    assert_eq!(api.last(), dry_run, "nothing was lost on the way");
    browser.press("write").await;
    assert_eq!(api.last(), Write { path: "/zones?reason=they+signed".to_owned(), ..dry_run });
    assert_eq!(browser.status, StatusCode::SEE_OTHER);
    let written = "/ui/zones/acme/written?result=created&commit=main%40sha1%3A8c1f00d&seal=";
    assert!(browser.path().starts_with(written), "{}", browser.path());
    browser.follow().await;
    for shown in ["Zone created", "main@sha1:8c1f00d", "PENDING", "data-live"] {
        assert!(browser.shows(shown), "{shown}: {}", browser.page);
    }
    let zone = |kind: &str| json!({"metadata": {"name": "acme"}, "spec": {"authenticationMode": {"type": kind}}, "status": {"phase": "READY"}});
    api.says(|says| says.zone = (StatusCode::OK, zone("SCRAM")));
    browser.follow().await;
    assert!(
        browser.shows("READY") && browser.shows("action=\"/ui/zones/acme/credentials\""),
        "{}",
        browser.page
    );
    api.says(|says| says.zone = (StatusCode::OK, zone("MTLS")));
    browser.follow().await;
    assert!(!browser.shows("/credentials\"") && browser.shows("No secret is made here"), "{}", browser.page);
}

#[tokio::test]
async fn names_follow_from_the_name_without_a_script() {
    let api = Api::new();
    let mut browser = at_topics(&api).await;
    browser.press("back").await;
    assert_eq!((browser.value("metadata.name"), browser.value(SERVICE_ACCOUNT)), ("acme", "acme"));
    browser.fill("metadata.name", "acme-2");
    browser.press("next").await;
    assert_eq!((browser.value("metadata.name"), browser.value(SERVICE_ACCOUNT)), ("acme-2", "acme"));
}

#[tokio::test]
async fn what_is_wrong_is_said_at_its_field_on_its_step() {
    let api = Api::new();
    let mut browser = Browser::open(&api, "/ui/zones/new").await;
    browser.fill("spec.displayName", "Acme");
    browser.fill("spec.url", "nonsense");
    api.says(|says| says.dry_run = complaint("spec.url"));
    browser.press("next").await;
    assert_eq!((browser.step(), browser.status), ("details", StatusCode::UNPROCESSABLE_ENTITY));
    assert!(browser.shows("aria-invalid=\"true\" aria-describedby=\"spec.url-help\""), "{}", browser.page);
    assert!(
        browser.shows(
            "<p class=\"help\" id=\"spec.url-help\"><span class=\"error\">It is wrong; mend it.</span>"
        )
    );
    assert!(browser.shows("<a href=\"#spec.url\">"));
    assert_eq!(browser.value("spec.url"), "nonsense");

    // What is wrong with a later step is not in the way of this one, and the last step leads there.
    api.says(|says| says.dry_run = complaint("spec.access.allowedCidrs[0]"));
    browser.press("next").await;
    assert_eq!((browser.step(), browser.status), ("topics", StatusCode::OK));
    browser.press("step:review").await;
    assert_eq!((browser.step(), browser.status), ("policies", StatusCode::UNPROCESSABLE_ENTITY));
    assert!(browser.shows("aria-describedby=\"spec.access.allowedCidrs-help\""));

    // So it is if the API says it as late as at the write.
    api.says(|says| {
        says.dry_run = outcome("created", &Value::Null);
        says.write = invalid(&json!([{"code": "PZ0301", "message": "the service account is taken", "place": "zones/x.yaml:1:1"}]));
    });
    browser.press("step:review").await;
    browser.press("write").await;
    assert_eq!(browser.step(), "details");
    assert!(browser.shows("The service account is taken."), "{}", browser.page);

    // What is of no field is said on the last step.
    api.says(|says| says.dry_run = invalid(&json!([{"code": "PZ0001", "message": "the file is too long"}])));
    browser.press("step:review").await;
    assert_eq!(browser.step(), "review");
    assert!(browser.shows("the file is too long") && !browser.shows("Create zone"), "{}", browser.page);
}

#[tokio::test]
async fn a_name_that_is_taken_is_said_at_once() {
    let api = Api::new();
    api.says(|says| says.zone = (StatusCode::OK, json!({"metadata": {"name": "acme"}})));
    let mut browser = Browser::open(&api, "/ui/zones/new").await;
    browser.fill("spec.displayName", "Acme");
    browser.press("next").await;
    assert_eq!(browser.step(), "details");
    assert!(browser.shows("There is a zone of this name already."), "{}", browser.page);
}

#[tokio::test]
async fn what_was_chosen_is_not_lost_by_a_search() {
    let api = Api::new();
    let mut browser = at_topics(&api).await;
    assert!(browser.shows("shared 2 times") && browser.shows("not shared yet"), "{}", browser.page);
    browser.fields.push(("pick".to_owned(), "sales.orders".to_owned()));
    browser.fill("search", "fin");
    let nothing = json!({"cluster": "default", "items": [], "total": 0, "nextPageToken": null, "observedAt": null, "isPartial": false});
    api.says(|says| says.topics = (StatusCode::OK, nothing));
    // Enter in the search is a search, and no step.
    browser.press("enter").await;
    assert_eq!((browser.step(), browser.value("search")), ("topics", "fin"));
    assert!(browser.shows("No topic fits"), "{}", browser.page);
    assert_eq!(
        (browser.value("spec.topics[0].name"), browser.value("spec.topics[0].permission")),
        ("sales.orders", "READ")
    );
    // Enter elsewhere is the next step.
    browser.fill("spec.topics[0].name", "orders");
    browser.press("enter").await;
    assert_eq!((browser.step(), browser.value("spec.topics[0].name")), ("authentication", "orders"));
    browser.press("back").await;
    browser.press("take-back:0").await;
    assert!(browser.shows("None yet"), "{}", browser.page);
}

#[tokio::test]
async fn a_cluster_that_cannot_be_asked_is_no_obstacle() {
    let api = Api::new();
    api.says(|says| {
        says.topics = problem(StatusCode::SERVICE_UNAVAILABLE, "cluster `default` does not tell its topics");
    });
    let mut browser = at_topics(&api).await;
    assert!(browser.shows("does not tell its topics"), "{}", browser.page);
    browser.fill("typed", "sales.later");
    browser.press("enter").await;
    assert_eq!((browser.step(), browser.value("spec.topics[0].backingTopic")), ("topics", "sales.later"));
    browser.press("next").await;
    assert_eq!(browser.step(), "authentication");
}

#[tokio::test]
async fn many_topics_are_listed_in_parts() {
    let api = Api::new();
    api.says(|says| says.topics.1["nextPageToken"] = json!("to:ken"));
    let mut browser = at_topics(&api).await;
    assert!(browser.shows("2 of 2"), "{}", browser.page);
    browser.press("page:to:ken").await;
    assert!(browser.shows("First topics"), "{}", browser.page);
}

#[tokio::test]
async fn where_nothing_is_written_the_file_is_shown_to_be_committed() {
    let api = Api::new();
    let mut browser = filled(&api).await;
    let (status, mut refusal) = problem(
        StatusCode::CONFLICT,
        "this installation does not write to its source: commit the text that is given here as zones/acme.yaml",
    );
    refusal["text"] = json!("kind: PartnerZone # <b>\n");
    api.says(|says| says.write = (status, refusal));
    browser.press("write").await;
    assert_eq!((browser.step(), browser.status), ("review", StatusCode::CONFLICT));
    assert!(
        browser.shows("zones/acme.yaml") && browser.shows("kind: PartnerZone # &lt;b&gt;"),
        "{}",
        browser.page
    );
    browser.press("back").await;
    assert_eq!(browser.value("spec.trafficControlPolicies.maxProduceRate"), "1000000");
}

#[tokio::test]
async fn a_proposal_waits_for_its_branch() {
    let api = Api::new();
    api.says(|says| says.write = outcome("created", &committed(true)));
    let mut browser = filled(&api).await;
    browser.press("write").await;
    assert_eq!(browser.status, StatusCode::ACCEPTED);
    assert!(
        browser.shows("waits for a review") && browser.shows("<code>partner-zones/acme-12345678</code>"),
        "{}",
        browser.page
    );
}

#[tokio::test]
async fn a_guard_is_told_before_the_write() {
    let api = Api::new();
    let (status, mut tried) = outcome("created", &Value::Null);
    tried["plan"]["guard"] =
        json!({"refused": true, "reasons": ["too many deletions"], "waysOut": ["a trailer"]});
    api.says(|says| says.dry_run = (status, tried));
    let browser = filled(&api).await;
    assert!(
        browser.shows("A guard will hold this back")
            && browser.shows("too many deletions")
            && browser.shows("a trailer")
    );
}

/// A zone in force, with what the form does not show.
fn acme() -> Value {
    let mut zone = wanted();
    zone["spec"]["topics"][0]["replay"] = json!({"maxAge": "7d"});
    zone["spec"]["organization"] = json!({"name": "We"});
    zone["spec"]["consumerGroups"] = json!([{"name": "g", "backingGroup": "real"}]);
    zone["status"] = json!({"phase": "READY", "etag": "\"one\""});
    zone
}

async fn editing(api: &Api) -> Browser {
    api.says(|says| {
        says.zone = (StatusCode::OK, acme());
        says.dry_run = outcome("updated", &Value::Null);
        says.write = outcome("updated", &committed(false));
    });
    Browser::open(api, "/ui/zones/acme/edit").await
}

#[tokio::test]
async fn a_zone_is_changed_as_it_was_seen_and_keeps_what_the_form_does_not_show() {
    let api = Api::new();
    let mut browser = editing(&api).await;
    assert!(browser.shows("cannot be renamed"), "{}", browser.page);
    browser.fill("spec.displayName", "Acme");
    // Whatever a form says, this is the zone of the address.
    browser.fields.push(("metadata.name".to_owned(), "other".to_owned()));
    browser.press("step:topics").await;
    browser.fill("spec.topics[0].name", "orders");
    browser.press("step:review").await;
    assert!(
        browser.shows("lose 1 alias") && browser.shows("<li><code>sales.orders</code></li>"),
        "{}",
        browser.page
    );
    let mut body = acme();
    body.as_object_mut().unwrap().remove("status");
    body["spec"]["displayName"] = json!("Acme");
    body["spec"]["topics"][0]["name"] = json!("orders");
    let tried = Write {
        method: Method::PUT,
        path: "/zones/acme?dryRun=true".to_owned(),
        tag: Some("\"one\"".to_owned()),
        body,
    };
    assert_eq!(api.last(), tried);
    browser.press("write").await;
    assert_eq!(api.last(), Write { path: "/zones/acme".to_owned(), ..tried });
    let written = "/ui/zones/acme/written?result=updated&commit=main%40sha1%3A8c1f00d&seal=";
    assert!(browser.path().starts_with(written), "{}", browser.path());
}

#[tokio::test]
async fn who_comes_second_is_told_and_loses_nothing() {
    let api = Api::new();
    let mut browser = editing(&api).await;
    browser.fill("spec.displayName", "Mine");
    browser.press("step:review").await;
    api.says(|says| {
        says.write = problem(StatusCode::PRECONDITION_FAILED, "the zone has changed since you read it");
        says.zone.1["status"]["etag"] = json!("\"two\"");
        says.zone.1["spec"]["organization"]["name"] = json!("Theirs");
    });
    browser.press("write").await;
    assert_eq!((browser.status, browser.value("etag")), (StatusCode::PRECONDITION_FAILED, "\"one\""));
    assert!(browser.shows("Somebody changed this zone meanwhile"), "{}", browser.page);
    browser.press("renew").await;
    assert_eq!((browser.step(), browser.value("etag")), ("review", "\"two\""));
    let tried = api.last();
    assert_eq!(tried.tag.as_deref(), Some("\"two\""));
    assert_eq!(
        (&tried.body["spec"]["displayName"], &tried.body["spec"]["organization"]["name"]),
        (&json!("Mine"), &json!("Theirs"))
    );
}

#[tokio::test]
async fn a_zone_that_went_meanwhile_takes_no_input_with_it() {
    let api = Api::new();
    let mut browser = editing(&api).await;
    browser.fill("spec.displayName", "Mine");
    api.says(|says| says.zone = problem(StatusCode::NOT_FOUND, "there is no zone of this name"));
    browser.press("next").await;
    assert_eq!((browser.step(), browser.value("spec.displayName")), ("details", "Mine"));
    assert!(browser.shows("There is no zone of this name."), "{}", browser.page);
}

#[tokio::test]
async fn who_may_not_change_a_zone_is_told_so_at_once() {
    let api = Api::new();
    let mut part = acme();
    part["status"]["otherTopics"] = json!(2);
    api.says(|says| (says.role, says.zone) = ("owner", (StatusCode::OK, part)));
    let browser = Browser::open(&api, "/ui/zones/acme/edit").await;
    assert_eq!(browser.status, StatusCode::FORBIDDEN);
    assert!(browser.shows("topics that are not yours"), "{}", browser.page);
    let browser = Browser::open(&api, "/ui/zones/acme/delete").await;
    assert!(browser.status == StatusCode::FORBIDDEN && browser.shows("topics that are not yours"));
    for role in ["viewer", "partner"] {
        api.says(|says| says.role = role);
        for path in ["/ui/zones/new", "/ui/zones/acme/edit", "/ui/zones/acme/delete"] {
            assert_eq!(Browser::open(&api, path).await.status, StatusCode::FORBIDDEN, "{role} {path}");
        }
    }
}

#[tokio::test]
async fn a_form_of_somebody_who_may_not_is_refused_before_anything_is_done_with_it() {
    let api = Api::new();
    let mut new = at_topics(&api).await;
    let mut other = editing(&api).await;
    other.press("next").await;
    assert_eq!(other.step(), "topics");
    let before = api.says(|says| says.writes.len());
    for role in ["viewer", "partner"] {
        api.says(|says| says.role = role);
        for browser in [&mut new, &mut other] {
            browser.resend().await;
            assert_eq!(browser.status, StatusCode::FORBIDDEN, "{role}");
        }
    }
    api.says(|says| {
        says.role = "owner";
        says.zone.1["status"]["otherTopics"] = json!(2);
    });
    other.resend().await;
    assert_eq!(other.status, StatusCode::FORBIDDEN);
    assert!(other.shows("topics that are not yours"), "{}", other.page);
    assert_eq!(api.says(|says| says.writes.len()), before, "the API was not asked");
}

#[tokio::test]
async fn as_many_topics_as_a_form_holds_are_taken_at_once_and_no_name_is_longer_than_kafkas() {
    let api = Api::new();
    let mut browser = at_topics(&api).await;
    let pick = |letters: usize| ("pick".to_owned(), "t".repeat(letters));
    browser.fields.extend(std::iter::repeat_n(pick(249), 1_000));
    browser.press("add").await;
    assert_eq!(browser.value("spec.topics[999].name"), format!("{}-1000", "t".repeat(249)));
    browser.press("take-back:0").await;
    browser.fields.push(pick(250));
    browser.press("add").await;
    assert!(browser.shows("249 letters at most"), "{}", browser.page);
    assert_eq!((browser.step(), browser.value("spec.topics[0].permission")), ("topics", "READ"));
    browser.fields.extend([pick(1), pick(1)]);
    browser.press("add").await;
    assert!(browser.shows("1000 topics at most") && browser.step() == "topics", "{}", browser.page);
}

#[tokio::test]
async fn there_are_no_more_empty_rows_than_a_form_takes() {
    let api = Api::new();
    let mut browser = at_topics(&api).await;
    browser.press("step:policies").await;
    let other = ("spec.headers.addOnProduceX.key".to_owned(), String::new());
    browser.fields.extend(std::iter::repeat_n(other, 15_000));
    browser.press("another-header").await;
    assert!(browser.shows("addOnProduce[1].key"), "{}", browser.page);
    assert!(!browser.shows("addOnProduce[2].key"), "{}", browser.page);
    for list in ["addOnProduce", "removeOnConsume"] {
        let member = if list == "addOnProduce" { "key" } else { "keyRegex" };
        browser.fields.retain(|(name, _)| !name.contains(list));
        let row = |index| (format!("spec.headers.{list}[{index}].{member}"), String::new());
        browser.fields.extend((0..100).map(row));
        browser.press(if list == "addOnProduce" { "another-header" } else { "another-pattern" }).await;
        assert!(browser.shows(&format!("{list}[99].{member}")), "{}", browser.page);
        assert!(!browser.shows(&format!("{list}[100].")), "{}", browser.page);
        assert_eq!(browser.status, StatusCode::OK);
    }
    // A form that holds them all is taken.
    browser.fill("spec.headers.addOnProduce[99].key", "last");
    browser.press("next").await;
    assert_eq!(browser.step(), "review");
}

#[tokio::test]
async fn hostile_text_is_text_on_every_page() {
    let api = Api::new();
    let hostile = "\"><script>alert(1)</script>";
    let mut zone = acme();
    for place in [
        "/spec/displayName",
        "/spec/description",
        "/spec/authenticationMode/serviceAccount",
        "/spec/topics/0/name",
        "/spec/topics/0/backingTopic",
    ] {
        *zone.pointer_mut(place).unwrap() = json!(hostile);
    }
    let mut browser = editing(&api).await;
    api.says(|says| {
        says.zone = (StatusCode::OK, zone);
        says.topics.1["items"][0]["name"] = json!(hostile);
        says.dry_run.1["diff"] = json!(format!("+{hostile}\n"));
        says.dry_run.1["file"] = json!(hostile);
    });
    browser.follow().await;
    for step in ["topics", "authentication", "policies", "review", "details"] {
        browser.press(&format!("step:{step}")).await;
        assert!(
            browser.shows("&lt;script&gt;") && !browser.shows("<script>alert"),
            "{step}: {}",
            browser.page
        );
    }
    api.says(|says| {
        says.dry_run = invalid(
            &json!([{"code": hostile, "message": format!("{hostile} (at `{hostile}`)"), "help": hostile}]),
        );
    });
    browser.press("step:review").await;
    assert!(browser.shows("&lt;script&gt;") && !browser.shows("<script>alert"), "{}", browser.page);
}
