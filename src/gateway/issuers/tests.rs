//! Keys of an issuer that answers, changes its mind, lies, or is gone.

use std::sync::Mutex;

use rustls::ServerConfig;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::super::config::Limits;
use super::super::fixture::{clusters, served, shared, zone};
use super::super::metrics::Metrics;
use super::super::shared::Shared;
use super::super::view::GatewayView;
use super::*;
use crate::kafka::tls::fixture::{Authority, Identity};
use crate::kafka::tls::{certificates, private_key, provider};
use crate::policy::ServedZone;
use crate::policy::token::fixture::{NOW, Signer, rules};
use crate::zone::AuthenticationMode;

/// Zone `acme`, whose account is `acme-app`, for this issuer's tokens, in a gateway that knows its keys.
pub(crate) fn shared_for_tokens(limits: Limits) -> (Shared, watch::Sender<Arc<GatewayView>>, Signer) {
    let signer = Signer::new("k");
    let config = config(None);
    let (mut shared, views) = shared(limits);
    shared.config.issuers = vec![config.clone()];
    let keys = Keys {
        set: Some(Arc::new(signer.keys())),
        attempts: 1,
        tried: Some(Instant::now()),
        ..Keys::default()
    };
    let all = vec![Issuer { config: config.clone(), asked: Arc::default() }];
    let known = watch::channel(Known::from([(config.name, keys)])).1;
    shared.issuers = Arc::new(Issuers { all, known, metrics: shared.metrics.clone() });
    views.send_replace(Arc::new(token_view(&shared, vec![token_zone("acme")])));
    (shared, views, signer)
}

/// A zone for tokens of the first issuer, and with a credential that opens nothing.
pub(crate) fn token_zone(name: &str) -> ServedZone {
    let mut zone = zone(name, &[("orders", "backing-orders")]);
    Arc::make_mut(&mut zone.zone).authentication.mode = AuthenticationMode::OauthBearer;
    zone
}

pub(crate) fn token_view(shared: &Shared, zones: Vec<ServedZone>) -> GatewayView {
    GatewayView::build(&shared.config, Some(&served(2, zones)), &clusters(&[]), &GatewayView::default())
}

/// What the issuer answers: status, headers, body. It can be changed.
type Answer = Arc<Mutex<(u16, String, String)>>;

/// An HTTP server that gives one answer to everything, `{base}` in it being its own address.
async fn server(first: (u16, &str, &str)) -> (String, Answer) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let answer: Answer = Arc::new(Mutex::new((first.0, first.1.to_owned(), first.2.to_owned())));
    let (served, own) = (Arc::clone(&answer), base.clone());
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let (status, headers, body) = served.lock().unwrap().clone();
            let body = body.replace("{base}", &own);
            let head =
                format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n", body.len());
            let _ = socket.read(&mut [0; 4096]).await;
            let _ = socket.write_all(format!("{head}{headers}\r\n{body}").as_bytes()).await;
        }
    });
    (base, answer)
}

fn published(signers: &[&Signer]) -> String {
    let keys: Vec<Value> = signers.iter().map(|signer| signer.jwk()).collect();
    json!({ "keys": keys }).to_string()
}

fn config(jwks_url: Option<&str>) -> IssuerConfig {
    IssuerConfig {
        name: IssuerName::try_from("main").unwrap(),
        rules: rules(),
        jwks_url: jwks_url.map(|url| url.parse().unwrap()),
        ca_file: None,
        refresh: Refresh { unknown_key: Duration::ZERO, ..Refresh::default() },
    }
}

fn start(config: &IssuerConfig) -> (Issuers, tokio_util::sync::DropGuard) {
    let cancel = CancellationToken::new();
    let configs = std::slice::from_ref(config);
    (Issuers::start(configs, Metrics::default(), &TaskTracker::new(), &cancel), cancel.drop_guard())
}

/// A login with this signer's token: what it waits for, and its outcome.
async fn log_in(issuers: &Issuers, signer: &Signer) -> Result<String, Refusal> {
    let token = signer.token(&json!({}));
    issuers.await_key(&token).await;
    issuers.check(&token, NOW).map(|(_, bearer)| bearer.subject)
}

#[tokio::test]
async fn a_login_waits_for_keys_that_are_on_their_way_and_follows_a_rotation() {
    let (old, new) = (Signer::new("old"), Signer::new("new"));
    let (base, answer) = server((200, "", &published(&[&old]))).await;
    let (issuers, _running) = start(&config(Some(&base)));
    assert_eq!(log_in(&issuers, &old).await.as_deref(), Ok("acme-app"));
    answer.lock().unwrap().2 = published(&[&old, &new]);
    assert_eq!(log_in(&issuers, &new).await.as_deref(), Ok("acme-app"), "the unknown key is asked for");
    assert!(log_in(&issuers, &old).await.is_ok(), "both are published");
    answer.lock().unwrap().2 = published(&[&new]);
    assert_eq!(log_in(&issuers, &Signer::new("unheard")).await, Err(Refusal::UnknownKey));
    assert_eq!(log_in(&issuers, &old).await, Err(Refusal::UnknownKey), "what is gone there is gone here");
}

#[tokio::test]
async fn tokens_at_random_make_no_login_wait_and_no_request() {
    let good = Signer::new("k");
    let (base, answer) = server((200, "", &published(&[&good]))).await;
    let mut config = config(Some(&base));
    config.refresh.unknown_key = Duration::from_mins(10);
    let (issuers, _running) = start(&config);
    assert!(log_in(&issuers, &good).await.is_ok());
    answer.lock().unwrap().2 = published(&[&Signer::new("next")]);
    let started = Instant::now();
    for _ in 0..20 {
        assert_eq!(log_in(&issuers, &Signer::new("next")).await, Err(Refusal::UnknownKey));
    }
    assert!(started.elapsed() < LOGIN_WAITS, "none of them waited");
    assert_eq!(issuers.known.borrow()[&config.name].attempts, 1);
}

#[tokio::test]
async fn an_issuer_that_is_gone_leaves_its_keys_until_they_are_too_old() {
    let good = Signer::new("k");
    let (base, answer) = server((200, "", &published(&[&good]))).await;
    for (keep, after) in
        [(Duration::from_hours(1), Ok("acme-app")), (Duration::ZERO, Err(Refusal::UnknownKey))]
    {
        *answer.lock().unwrap() = (200, String::new(), published(&[&good]));
        let mut config = config(Some(&base));
        config.refresh.keep = keep;
        let (issuers, _running) = start(&config);
        assert!(log_in(&issuers, &good).await.is_ok());
        assert_eq!(issuers.trouble(&config.name), None);
        answer.lock().unwrap().0 = 500;
        let _ = log_in(&issuers, &Signer::new("other")).await;
        assert_eq!(log_in(&issuers, &good).await.as_deref(), after.as_deref());
        let trouble = issuers.trouble(&config.name);
        assert_eq!(trouble.is_some(), after.is_err(), "{trouble:?}");
        assert!(
            trouble.is_none_or(|trouble| trouble.contains("answers with 500") && trouble.contains("`main`"))
        );
    }
}

#[tokio::test]
async fn keys_are_found_by_the_discovery_document_of_the_same_issuer() {
    let good = Signer::new("k");
    let (keys, _) = server((200, "", &published(&[&good]))).await;
    let discovery = |issuer: &str, jwks: &str| json!({"issuer": issuer, "jwks_uri": jwks}).to_string();
    for (document, trouble) in [
        (discovery("{base}", &keys), None),
        (discovery("https://thief.example.com", &keys), Some("of another issuer")),
        (discovery("{base}", "http://keys.example.com/"), Some("not https")),
        (discovery("{base}", "keys"), Some("not https")),
        ("{}".to_owned(), Some("no discovery document")),
        ("<html>".to_owned(), Some("no discovery document")),
    ] {
        let (base, _) = server((200, "", &document)).await;
        let mut config = config(None);
        config.rules.issuer.clone_from(&base);
        let (issuers, _running) = start(&config);
        let token = good.token(&json!({"iss": base}));
        issuers.await_key(&token).await;
        assert_eq!(issuers.check(&token, NOW).is_ok(), trouble.is_none(), "{document}");
        let told = issuers.trouble(&config.name);
        assert!(told.as_deref().unwrap_or_default().contains(trouble.unwrap_or_default()), "{told:?}");
    }
}

#[tokio::test]
async fn an_answer_that_leads_elsewhere_or_never_ends_is_none() {
    let good = Signer::new("k");
    let (real, _) = server((200, "", &published(&[&good]))).await;
    let huge = format!("{}{}", published(&[&good]), " ".repeat(300 << 10));
    for (status, headers, body, trouble) in [
        (302, format!("Location: {real}\r\n"), "", "answers with 302"),
        (404, String::new(), "", "answers with 404"),
        (200, String::new(), huge.as_str(), "more than 262144 bytes"),
        (200, String::new(), r#"{"keys":[]}"#, "no key"),
        (200, String::new(), "no", "no JSON Web Key Set"),
    ] {
        let (base, _) = server((status, &headers, body)).await;
        let config = config(Some(&format!("{base}/keys?token=hidden")));
        let (issuers, _running) = start(&config);
        assert_eq!(log_in(&issuers, &good).await, Err(Refusal::UnknownKey), "{trouble}");
        let told = issuers.trouble(&config.name).unwrap();
        assert!(told.contains(trouble) && !told.contains("hidden"), "{told}");
    }
}

/// An HTTPS server that answers everything with this body, under this certificate.
async fn secured(identity: &Identity, body: String) -> String {
    let tls = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
    let (chain, key) = (certificates(&identity.certificate).unwrap(), private_key(&identity.key).unwrap());
    let tls = TlsAcceptor::from(Arc::new(tls.with_no_client_auth().with_single_cert(chain, key).unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let Ok(mut socket) = tls.accept(socket).await else { continue };
            let _ = socket.read(&mut [0; 4096]).await;
            let head =
                format!("HTTP/1.1 200 X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            let _ = socket.write_all((head + &body).as_bytes()).await;
            let _ = socket.shutdown().await;
        }
    });
    base
}

#[tokio::test]
async fn only_the_authorities_of_its_file_vouch_for_an_issuer_and_the_file_may_be_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let (right, wrong) = (Authority::new(), Authority::new());
    let identity = right.issue(folder.path(), "issuer", &["127.0.0.1"], |_| {});
    let good = Signer::new("k");
    let base = secured(&identity, published(&[&good])).await;
    let mut config = config(Some(&base));
    config.ca_file = Some(wrong.write(folder.path(), "ca.pem"));
    let (issuers, _running) = start(&config);
    assert_eq!(log_in(&issuers, &good).await, Err(Refusal::UnknownKey));
    let told = issuers.trouble(&config.name).unwrap();
    assert!(told.contains("cannot be reached") && told.contains("certificate"), "{told}");
    right.write(folder.path(), "ca.pem");
    assert!(log_in(&issuers, &good).await.is_ok(), "it is read anew for every fetch");
}

#[tokio::test]
async fn an_issuer_that_says_nothing_holds_no_login_for_long() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = format!("http://{}", listener.local_addr().unwrap());
    let (issuers, _running) = start(&config(Some(&silent)));
    let signer = Signer::new("k");
    let login = log_in(&issuers, &signer);
    let limit = LOGIN_WAITS + Duration::from_secs(20);
    assert_eq!(tokio::time::timeout(limit, login).await.unwrap(), Err(Refusal::UnknownKey));
}
