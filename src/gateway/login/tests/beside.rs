//! Certificates beside a login by SASL: whatever was proved, it is good as long as they are.

use std::path::PathBuf;

use rcgen::CertificateParams;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tempfile::TempDir;
use time::OffsetDateTime;
use time::ext::NumericalDuration as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsConnector;

use super::super::super::config::Limits;
use super::super::super::issuers::tests::{shared_for_tokens, token_view, token_zone};
use super::super::super::tls::{ClientAuth, ClientCertificates, ServerTls, TlsFiles, enter};
use super::super::super::view::Beside;
use super::*;
use crate::kafka::tls::fixture::{Authority, Identity};
use crate::kafka::tls::{authorities, certificates, private_key, provider};
use crate::policy::ServedZone;
use crate::policy::token::Bearer;

const HOST: &str = "kafka.example.com";

/// The certificates of a gateway, and the authority of its partners'.
struct Site {
    folder: TempDir,
    /// Of the gateway's own certificate.
    trusted: PathBuf,
    partners: Authority,
    files: TlsFiles,
}

impl Site {
    fn new(auth: ClientAuth) -> Self {
        let (folder, own, partners) = (tempfile::tempdir().unwrap(), Authority::new(), Authority::new());
        let Identity { certificate, key } = own.issue(folder.path(), "gateway", &[HOST], |_| {});
        let revoked = folder.path().join("revoked");
        std::fs::write(&revoked, "# none\n").unwrap();
        let ca = Some(partners.write(folder.path(), "partners.pem"));
        let clients =
            ClientCertificates { ca, auth, revoked: Some(revoked), ..ClientCertificates::default() };
        let trusted = own.write(folder.path(), "own.pem");
        Self { folder, trusted, partners, files: TlsFiles { certificate, key, clients } }
    }

    /// As the files are now.
    fn tls(&self) -> ServerTls {
        ServerTls::load(self.files.clone()).unwrap()
    }

    fn revoke(&self, chain: &Chain) {
        let list = self.files.clients.revoked.as_ref().unwrap();
        std::fs::write(list, format!("{}\n", chain.fingerprint())).unwrap();
    }

    /// A gateway with these files and the fixture's zone `acme`.
    fn shared(&self) -> (Shared, watch::Sender<Arc<GatewayView>>) {
        let (mut shared, views) = shared(Limits::default());
        shared.config.tls = Some(self.tls());
        views.send_replace(Arc::new(build(&shared, zone("acme", &[]), &GatewayView::default())));
        (shared, views)
    }

    /// What the gateway has of a client after the handshake that shows a certificate of the partners' authority.
    async fn shown(&self, shared: &Shared, edit: impl FnOnce(&mut CertificateParams)) -> Arc<Chain> {
        let identity = self.partners.issue(self.folder.path(), "partner", &["partner"], edit);
        let client = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(authorities(&self.trusted).unwrap())
            .with_client_auth_cert(
                certificates(&identity.certificate).unwrap(),
                private_key(&identity.key).unwrap(),
            )
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (near, far) = tokio::join!(listener.accept(), TcpStream::connect(listener.local_addr().unwrap()));
        let connector = TlsConnector::from(Arc::new(client));
        let (name, port) = (ServerName::try_from(HOST).unwrap(), Port::Bootstrap);
        let (entered, connected) =
            tokio::join!(enter(shared, near.unwrap().0, &port), connector.connect(name, far.unwrap()));
        connected.unwrap();
        Chain::of(&entered.unwrap().0).unwrap()
    }
}

fn build(shared: &Shared, zone: ServedZone, before: &GatewayView) -> GatewayView {
    GatewayView::build(&shared.config, Some(&served(2, vec![zone])), &clusters(&[]), before)
}

/// Logs in with the fixture's secret, and gives the session's lifetime too.
async fn log_in(shared: &Shared, chain: &Arc<Chain>) -> (Login, i64) {
    let (say, said) = tokio::sync::oneshot::channel();
    let (chain, port) = (Some(Arc::clone(chain)), Port::Bootstrap);
    let login = at_the_desk_with(chain, shared, &port, |mut partner| async move {
        partner.write_all(&handshake(1, "PLAIN")).await.unwrap();
        let agreed: SaslHandshakeResponse = answer(&mut partner, 4, 1).await;
        assert_eq!(agreed.error_code, 0);
        partner.write_all(&token("acme-app", SECRET)).await.unwrap();
        let done: SaslAuthenticateResponse = answer(&mut partner, 5, 2).await;
        say.send(done.session_lifetime_ms).unwrap();
    });
    (login.await.unwrap(), said.await.unwrap())
}

#[tokio::test]
async fn a_login_by_sasl_is_good_as_long_as_the_certificate_beside_it() {
    let site = Site::new(ClientAuth::Required);
    let (mut shared, _views) = site.shared();
    let end = (OffsetDateTime::now_utc() + 1.hours()).replace_nanosecond(0).unwrap();
    let chain = site.shown(&shared, |params| params.not_after = end).await;
    let (login, lifetime) = log_in(&shared, &chain).await;
    assert!((3_500_000..=3_600_000).contains(&lifetime), "{lifetime}");
    let first = shared.view();
    assert_eq!(first.standing(&login).map(|it| it.ends), Some(Some(end)), "the credential has no end");

    // What it was found good by stays the same while the files do.
    let second = build(&shared, zone("acme", &[]), &first);
    let rules = |view: &GatewayView| Arc::clone(view.own_rules().unwrap());
    assert!(Arc::ptr_eq(&rules(&first), &rules(&second)));
    let mut brief = zone("acme", &[]);
    let sooner = end - 30.minutes();
    Arc::make_mut(&mut brief.credentials[0]).expires_at = Some(sooner);
    assert_eq!(build(&shared, brief, &first).standing(&login).map(|it| it.ends), Some(Some(sooner)));

    site.revoke(&chain);
    assert!(second.admitted(&login).is_some(), "the list is not read yet");
    shared.config.tls = Some(site.tls());
    let third = build(&shared, zone("acme", &[]), &second);
    assert!(!Arc::ptr_eq(&rules(&second), &rules(&third)));
    assert!(third.admitted(&login).is_none());
    let other = site.shown(&shared, |_| {}).await;
    let beside = Some(Beside { chain: other, ends: None });
    assert!(third.admitted(&login.clone().with(beside)).is_some(), "another one is not on the list");

    // Another authority takes the place of the one that has signed it.
    Authority::new().write(site.folder.path(), "partners.pem");
    std::fs::write(site.files.clients.revoked.as_ref().unwrap(), "").unwrap();
    shared.config.tls = Some(site.tls());
    assert!(build(&shared, zone("acme", &[]), &third).admitted(&login).is_none());
}

#[tokio::test]
async fn whoever_logs_in_again_or_by_token_stands_beside_the_same_certificate() {
    let site = Site::new(ClientAuth::Required);
    let (mut shared, _views) = site.shared();
    let chain = site.shown(&shared, |_| {}).await;
    let (login, _) = log_in(&shared, &chain).await;
    let mut again = Dialogue::again(Arc::new(login.clone()));
    let header = |api_key, version| RequestHeader { api_key, version, correlation_id: 7, client_id: None };
    let request = SaslHandshakeRequest::default().with_mechanism("PLAIN".into());
    let agreed = again.handshake(&shared, &header(17, 1), codec::encode(&request, 1).unwrap()).unwrap();
    assert!(matches!(agreed.then, Ok(None)));
    let secret = Bytes::from(format!("\0acme-app\0{SECRET}"));
    let request = SaslAuthenticateRequest::default().with_auth_bytes(secret);
    let body = codec::encode(&request, 2).unwrap();
    let done = again.token(&shared, &Port::Bootstrap, &header(36, 2), body).await.unwrap();
    let renewed = done.then.unwrap().unwrap();

    let (mut of_tokens, _views, _) = shared_for_tokens(Limits::default());
    let issuer = of_tokens.config.issuers[0].name.clone();
    let ends = OffsetDateTime::now_utc() + 1.minutes();
    let bearer = Bearer { subject: "acme-app".to_owned(), ends };
    let by_token = of_tokens.view().bearer(issuer, bearer, LOCAL).unwrap().with(login.beside.clone());
    assert_eq!(by_token.expires_at, Some(ends), "the token ends first");

    of_tokens.config.tls = Some(site.tls());
    let opened = |shared: &Shared| token_view(shared, vec![token_zone("acme")]).admitted(&by_token).is_some();
    let goes_on = |shared: &Shared| {
        let view = build(shared, zone("acme", &[]), &GatewayView::default());
        [&login, &renewed].map(|login| view.admitted(login).is_some())
    };
    assert_eq!((goes_on(&shared), opened(&of_tokens)), ([true; 2], true));
    site.revoke(&chain);
    (shared.config.tls, of_tokens.config.tls) = (Some(site.tls()), Some(site.tls()));
    assert_eq!((goes_on(&shared), opened(&of_tokens)), ([false; 2], false));
}

#[tokio::test]
async fn where_none_is_required_none_stands_beside_a_login() {
    let site = Site::new(ClientAuth::Requested);
    let (mut shared, _views) = site.shared();
    let chain = site.shown(&shared, |_| {}).await;
    let (login, lifetime) = log_in(&shared, &chain).await;
    assert_eq!((login.beside.is_none(), lifetime), (true, 0));
    site.revoke(&chain);
    shared.config.tls = Some(site.tls());
    assert!(build(&shared, zone("acme", &[]), &shared.view()).admitted(&login).is_some());

    // And where one is, nobody logs in without.
    let (required, _views) = Site::new(ClientAuth::Required).shared();
    let close = at_the_desk_of(&required, &Port::Bootstrap, |mut partner| async move {
        partner.write_all(&handshake(1, "PLAIN")).await.unwrap();
    })
    .await
    .unwrap_err();
    assert!(close.to_string().contains("gateway.tls.clientAuth wants one beside SASL"), "{close}");
}
