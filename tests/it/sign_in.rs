//! People who sign in at an issuer that nobody here wrote, with a browser that keeps cookies and goes where it is sent.

use std::collections::BTreeMap;
use std::fs;

use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, Method, StatusCode, Url};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::support::issuer::Issuer;
use crate::support::kafka::{Cluster, unique};
use crate::support::product::{Product, manifest};
use crate::support::rest::{Answer, Rest};
use crate::writes::{git, writing, zone};

const CALLBACK: &str = "/ui/sign-in/callback";

/// As no issuer's page does it: the test says who it is.
struct Browser {
    client: Client,
    runtime: Runtime,
    /// By origin and name.
    cookies: BTreeMap<(String, String), String>,
    /// Each as it was set.
    set: Vec<String>,
}

#[derive(Debug)]
struct Page {
    status: StatusCode,
    url: Url,
    /// Where it sends whoever asks.
    to: Option<Url>,
    text: String,
}

impl Page {
    fn shows(&self, status: u16, text: &str) {
        assert!(self.status == status && self.text.contains(text), "{text} is not on {self:#?}");
    }

    fn parameter(&self, name: &str) -> String {
        parameter(self.to.as_ref().unwrap_or(&self.url), name)
    }
}

fn parameter(url: &Url, name: &str) -> String {
    let found = url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    found.unwrap_or_else(|| panic!("no {name} in {url}"))
}

impl Browser {
    fn new() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { client, runtime, cookies: BTreeMap::new(), set: Vec::new() }
    }

    fn ask(&mut self, method: Method, url: &Url, form: &[(&str, &str)]) -> Page {
        let origin = url.origin().ascii_serialization();
        let ours = self.cookies.iter().filter(|((of, _), _)| *of == origin);
        let sent: Vec<_> = ours.map(|((_, name), value)| format!("{name}={value}")).collect();
        let mut request = self.client.request(method, url.clone()).header(COOKIE, sent.join("; "));
        if !form.is_empty() {
            let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
            request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        }
        let (status, headers, text) = self.runtime.block_on(async {
            let answer = request.send().await.unwrap();
            (answer.status(), answer.headers().clone(), answer.text().await.unwrap())
        });
        for cookie in headers.get_all(SET_COOKIE) {
            let cookie = cookie.to_str().unwrap();
            self.set.push(cookie.to_owned());
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.remove(&(origin.clone(), name.to_owned()));
            if !value.is_empty() {
                self.cookies.insert((origin.clone(), name.to_owned()), value.to_owned());
            }
        }
        let to = headers.get(LOCATION).map(|to| url.join(to.to_str().unwrap()).unwrap());
        Page { status, url: url.clone(), to, text }
    }

    fn get(&mut self, url: &Url) -> Page {
        self.ask(Method::GET, url, &[])
    }

    /// Goes on from there, as this person where the issuer asks (`""`: says no), until it is sent to a path that begins so, or nowhere.
    fn follow(&mut self, from: &Url, who: &str, until: &str) -> Page {
        let mut page = self.get(from);
        for _ in 0..20 {
            let Some(mut to) = page.to.clone() else { return page };
            if to.path().starts_with(until) {
                return page;
            }
            if to.path().starts_with("/interaction/") {
                to.query_pairs_mut().append_pair("as", who);
            }
            page = self.get(&to);
        }
        panic!("it never ends: {page:#?}");
    }

    fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.iter().find(|((_, of), _)| of == name).map(|(_, value)| value.as_str())
    }
}

pub(crate) struct World {
    pub(crate) product: Product,
    pub(crate) issuer: Issuer,
    topic: String,
}

impl World {
    /// Ada is an admin, Otto a viewer, Eve nobody.
    pub(crate) fn start() -> Self {
        let topic = unique("people");
        Cluster::shared().create_topic(&topic, 1);
        let keep = manifest("keep", &[("orders", &topic, "READ")]);
        let mut product = writing("commit", "", &[("keep.yaml", &keep)]);
        let people = json!({
            "248-ada": {"name": "Ada Lovelace", "email": "ada@example.com", "email_verified": true, "groups": ["staff", "platform"]},
            "249-otto": {"name": "Otto <b>\r\nLilienthal", "email": "ada@example.com", "email_verified": false, "groups": "audit"},
            "250-eve": {"name": "Eve", "groups": ["staff"]},
        });
        let issuer = Issuer::for_people(&format!("{}{CALLBACK}", product.url()), &people);
        let secret = product.config().with_file_name("client-secret");
        fs::write(&secret, "zones\n").unwrap();
        let sign_in = format!(
            "http: {{signIn: {{issuer: '{}', name: Example login, clientId: zones, clientSecretFile: {}, claim: groups, \
             scopes: [openid, profile, email, groups], roles: {{platform: {{role: admin}}, audit: {{role: viewer}}}}}}, ",
            issuer.url(),
            secret.display()
        );
        let text = fs::read_to_string(product.config()).unwrap().replacen("http: {", &sign_in, 1);
        assert!(text.contains(&sign_in));
        fs::write(product.config(), text).unwrap();
        fs::remove_file(product.config().with_file_name("api-key")).unwrap();
        product.restart();
        product.wait_for_status("keep", "READY");
        Self { product, issuer, topic }
    }

    fn page(&self, path: &str) -> Url {
        Url::parse(&format!("{}{path}", self.product.url())).unwrap()
    }

    /// Somebody's way through the issuer, up to the address that they are sent back to.
    fn answer(&self, browser: &mut Browser, who: &str) -> Url {
        browser.follow(&self.page("/ui/sign-in/oidc"), who, CALLBACK).to.unwrap()
    }

    fn complete(&self, answer: &Value) -> Answer {
        let open = Rest::new(self.product.url(), String::new());
        let json = [("content-type", "application/json")];
        open.send(Method::POST, "/api/v1/sign-in/oidc/callback", &json, &answer.to_string())
    }
}

#[test]
fn a_person_signs_in_where_they_have_an_account_and_writes_in_their_own_name() {
    let world = World::start();
    let mut browser = Browser::new();
    let wanted = "/ui/zones/keep?tab=traffic";
    let first = browser.get(&world.page(wanted));
    let to_sign_in = first.to.expect("a page is for those who have signed in");
    let page = browser.get(&to_sign_in);
    page.shows(200, "Sign in with Example login");
    let link = page.text.split("href=\"/ui/sign-in/oidc").nth(1).expect("a link").split('"').next().unwrap();
    let link = world.page(&format!("/ui/sign-in/oidc{}", link.replace("&amp;", "&")));
    let arrived = browser.follow(&link, "248-ada", "/nowhere");
    assert_eq!(arrived.url, world.page(wanted), "where she wanted to go");
    arrived.shows(200, "Ada Lovelace");
    arrived.shows(200, "Signed in as Ada Lovelace");
    let kept: Vec<_> = browser.set.iter().filter(|cookie| cookie.starts_with("partner-zones")).collect();
    assert!(kept.len() >= 2 && kept.iter().all(|it| it.contains("; HttpOnly; SameSite=Lax")), "{kept:#?}");
    assert!(browser.cookie("partner-zones-sign-in").is_none(), "the attempt is over");

    let session = browser.cookie("partner-zones-session").unwrap().to_owned();
    let ada = Rest::new(world.product.url(), session.clone());
    let shown = ada.get("/api/v1/session").expect(200);
    assert_eq!((&shown["id"], &shown["role"]), (&json!("person:248-ada"), &json!("admin")));
    let acme = zone("acme", &world.topic, "for Ada");
    ada.send(Method::POST, "/api/v1/zones", &[("content-type", "application/json")], &acme.to_string())
        .expect(201);
    let log = git(&world.product, &["log", "-1", "--format=%an%n%ae%n%cn%n%B", "main"]);
    assert_eq!(
        log.trim_end(),
        "Ada Lovelace\nada@example.com\npartner-zones\nAdd zone acme\n\nAsked-by: Ada Lovelace <ada@example.com>"
    );
    let log = ada.get("/api/v1/audit?type=zone.create-committed").expect(200);
    let by = json!({ "subject": "248-ada", "name": "Ada Lovelace", "email": "ada@example.com" });
    assert_eq!(log["items"][0]["data"]["person"], by, "{log:#}");
    browser.get(&world.page("/ui/activity")).shows(200, "by Ada Lovelace (248-ada)");
    assert!(!world.product.transcript().contains(&session), "no session is in the log");

    // An address that the issuer does not vouch for is nobody's.
    let mut browser = Browser::new();
    let arrived =
        browser.follow(&world.page("/ui/sign-in/oidc?next=//evil.example.com"), "249-otto", "/nowhere");
    assert_eq!(arrived.url, world.page("/ui/zones"), "and nobody is sent to another site");
    arrived.shows(200, "Otto &lt;b&gt; Lilienthal");
    let otto = Rest::new(world.product.url(), browser.cookie("partner-zones-session").unwrap().to_owned());
    assert_eq!(otto.get("/api/v1/session").expect(200)["role"], "viewer");
    otto.send(Method::DELETE, "/api/v1/zones/acme", &[], "").expect(403);
}

#[test]
fn an_answer_is_taken_once_from_the_browser_that_asked_and_only_with_its_own_nonce() {
    let world = World::start();
    let again = "This is no answer to a sign-in that began here";
    let mut browser = Browser::new();
    let answer = world.answer(&mut browser, "248-ada");
    Browser::new().get(&answer).shows(403, again);
    let mut other = Browser::new();
    world.answer(&mut other, "248-ada");
    other.get(&answer).shows(403, again);
    let mut forged = answer.clone();
    forged.query_pairs_mut().clear().extend_pairs(
        answer
            .query_pairs()
            .map(|(name, value)| if name == "state" { (name, "x".repeat(43).into()) } else { (name, value) }),
    );
    let kept = browser.cookies.clone();
    browser.get(&forged).shows(403, again);
    assert!(browser.cookie("partner-zones-session").is_none());
    // The right one still counts, once.
    browser.cookies.clone_from(&kept);
    assert_eq!(browser.get(&answer).to, Some(world.page("/ui/zones")));
    assert!(browser.cookie("partner-zones-session").is_some());
    browser.cookies = kept;
    browser.get(&answer).shows(403, "The sign-in does not count");
    assert!(browser.cookie("partner-zones-session").is_none());

    // With a nonce of somebody else's choice the issuer's word is one about another sign-in.
    let open = Rest::new(world.product.url(), String::new());
    for nonce in ["0123456789abcdef", "its own"] {
        let begun = open.send(Method::POST, "/api/v1/sign-in/oidc", &[], "").expect(201);
        let mut url = Url::parse(begun["authorizationUrl"].as_str().unwrap()).unwrap();
        if nonce != "its own" {
            let sent: Vec<_> = url.query_pairs().into_owned().collect();
            let sent = sent.iter().map(|(name, value)| (name, if name == "nonce" { nonce } else { value }));
            let sent: Vec<_> = sent.map(|(name, value)| (name.clone(), value.to_owned())).collect();
            url.query_pairs_mut().clear().extend_pairs(sent);
        }
        let page = Browser::new().follow(&url, "248-ada", CALLBACK);
        let answer = json!({ "code": page.parameter("code"), "state": page.parameter("state"), "attempt": begun["attempt"] });
        world.complete(&answer).expect(if nonce == "its own" { 201 } else { 401 });
    }
}

#[test]
fn who_is_nobody_here_is_told_so_and_keys_open_without_the_issuer() {
    let mut world = World::start();
    let mut browser = Browser::new();
    let page = browser.follow(&world.page("/ui/sign-in/oidc"), "250-eve", "/nowhere");
    page.shows(403, "Example login knows you as Eve (250-eve), and gives you nothing that is a role here");
    let mut browser = Browser::new();
    let page = browser.follow(&world.page("/ui/sign-in/oidc"), "", "/nowhere");
    page.shows(403, "The sign-in was refused there, by you or by whoever runs it.");
    assert!(!page.text.contains("no thanks"), "those are not our words");
    let mut browser = Browser::new();
    let answer = world.answer(&mut browser, "248-ada");
    world.issuer.stop();
    browser.get(&answer).shows(503, "Nobody can sign in by Example login now");
    assert!(browser.cookie("partner-zones-session").is_none());
    let key = world.product.admin_key();
    let form = [("key", key.as_str()), ("next", "/ui/zones")];
    let page = browser.ask(Method::POST, &world.page("/ui/sign-in"), &form);
    assert_eq!(page.to, Some(world.page("/ui/zones")));
    let arrived = browser.get(&world.page("/ui/zones"));
    arrived.shows(200, "Signed in with the API key");
}
