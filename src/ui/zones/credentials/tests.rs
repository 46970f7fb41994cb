use super::*;
use crate::ui::fake::{Api, Browser, problem};

const ZONE: &str = "/ui/zones/acme";

fn stage() -> Api {
    let api = Api::new();
    api.says(|says| {
        says.zone = (
            StatusCode::OK,
            json!({"metadata": {"name": "acme"}, "spec": {"authenticationMode": {"type": "PLAIN"}}, "status": {"phase": "READY"}}),
        );
        says.credentials.1 = json!({"items": [{"keyId": "pzabc", "state": "ACTIVE"}]});
        says.write = (
            StatusCode::CREATED,
            json!({
                "keyId": "pzabc", "secret": "s3cret", "mechanisms": ["PLAIN"], "bootstrapServers": "gw:9092",
                "securityProtocol": "SASL_SSL", "expiresAt": null,
            }),
        );
    });
    api
}

#[tokio::test]
async fn a_form_that_is_sent_twice_issues_one_credential_and_says_so() {
    let api = stage();
    let mut browser = Browser::open(&api, ZONE).await;
    let request = browser.value("request").to_owned();
    browser.submit().await;
    assert!(browser.status == StatusCode::OK && browser.shows("s3cret"), "{}", browser.page);
    browser.resend().await;
    assert_eq!(browser.status, StatusCode::CONFLICT);
    let revoke = "href=\"/ui/zones/acme/credentials/pzabc/revoke\"";
    for shown in ["It was issued already.", "<code>pzabc</code>", revoke] {
        assert!(browser.shows(shown), "{shown}: {}", browser.page);
    }
    assert!(!browser.shows("s3cret"), "{}", browser.page);
    // Whoever wants another one gets it there.
    assert_ne!(browser.value("request"), request);
    browser.submit().await;
    assert!(browser.status == StatusCode::OK && browser.shows("s3cret"), "{}", browser.page);
    let mut others = Browser::open(&api, ZONE).await;
    others.fields.retain(|(name, _)| name != "request");
    others.submit().await;
    assert_eq!(others.status, StatusCode::OK, "a page of the last version has no such field");
}

#[tokio::test]
async fn an_end_that_is_over_is_said_at_its_field_and_nothing_is_lost() {
    let api = stage();
    let mut browser = Browser::open(&api, ZONE).await;
    let refusal = problem(StatusCode::BAD_REQUEST, "`expiresAt` is not in the future");
    let made = api.says(|says| std::mem::replace(&mut says.write, refusal));
    browser.fill("expires", "2001-01-01");
    let request = browser.value("request").to_owned();
    browser.submit().await;
    assert_eq!((browser.status, browser.value("expires")), (StatusCode::BAD_REQUEST, "2001-01-01"));
    assert_eq!(api.last().body, json!({"expiresAt": "2001-01-01T23:59:59Z"}));
    let described = "aria-describedby=\"expires-help\"";
    for shown in [described, "is not in the future.", "role=\"alert\"", "href=\"/ui/zones/acme\""] {
        assert!(browser.shows(shown), "{shown}: {}", browser.page);
    }
    // While nobody knows what became of it, it stays the same request.
    api.says(|says| says.write = problem(StatusCode::SERVICE_UNAVAILABLE, "the store cannot be used now"));
    browser.submit().await;
    assert_eq!(browser.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(browser.value("request"), request);
    api.says(|says| says.write = made);
    browser.fill("expires", "");
    browser.submit().await;
    assert!(browser.shows("s3cret"), "{}", browser.page);

    // Who may not have one is offered none.
    api.says(|says| says.write = problem(StatusCode::FORBIDDEN, "the role `viewer` may only read"));
    let mut browser = Browser::open(&api, ZONE).await;
    browser.submit().await;
    assert_eq!(browser.status, StatusCode::FORBIDDEN);
    assert!(!browser.shows("Issue a credential"), "{}", browser.page);
}

#[tokio::test]
async fn the_page_with_the_secret_has_its_files_without_a_script() {
    let api = stage();
    let mut browser = Browser::open(&api, ZONE).await;
    browser.submit().await;
    let link = browser.page.split("data:text/plain;charset=utf-8;base64,").nth(1).unwrap();
    let (file, rest) = link.split_once('"').unwrap();
    let file = String::from_utf8(STANDARD.decode(file).unwrap()).unwrap();
    assert!(file.contains("bootstrap.servers=gw:9092") && file.contains("s3cret"), "{file}");
    assert!(rest.starts_with(" download=\"acme.properties\""), "{rest}");
}

#[tokio::test]
async fn who_asks_again_for_the_page_of_an_order_is_led_to_what_it_was_about() {
    let api = stage();
    for (asked, led) in [
        ("/ui/zones/acme/credentials", "/ui/zones/acme#credentials"),
        ("/ui/zones/acme/credentials/pzabc/rotate", "/ui/zones/acme/credentials/pzabc/revoke"),
        ("/ui/sign-out", "/ui/zones"),
    ] {
        let browser = Browser::open(&api, asked).await;
        assert_eq!((browser.status, browser.path()), (StatusCode::SEE_OTHER, led));
    }
    // What is asked for in yet another way is answered with a page as well.
    let mut browser = Browser::open(&api, "/ui/zones/acme/delete").await;
    browser.order(Method::PUT, "/ui/zones/acme").await;
    assert_eq!(browser.status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(browser.shows("There is nothing at this address"), "{}", browser.page);
}

#[tokio::test]
async fn a_rotation_that_is_sent_twice_says_what_became_of_the_first() {
    let api = stage();
    let mut browser = Browser::open(&api, "/ui/zones/acme/credentials/pzabc/revoke").await;
    browser.submit().await;
    assert!(browser.status == StatusCode::OK && browser.shows("s3cret"), "{}", browser.page);
    api.says(|says| says.write = problem(StatusCode::CONFLICT, "it was replaced by pzdef already"));
    browser.resend().await;
    assert_eq!(browser.status, StatusCode::CONFLICT);
    for shown in ["It was replaced by pzdef already.", "Back to the zone"] {
        assert!(browser.shows(shown), "{shown}: {}", browser.page);
    }
}
