//! Certificates that clients show: which ones the handshake lets through, and what they are worth after it.

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose};
use rustls::HandshakeKind;
use time::OffsetDateTime;
use time::ext::NumericalDuration as _;

use super::*;
use crate::gateway::config::GatewayConfig;
use crate::gateway::fixture::{LOCAL, clusters, config, served, zone as served_zone};
use crate::gateway::login::Desk;
use crate::gateway::transport::{Inbound, Outbound, Peer};
use crate::gateway::view::{GatewayView, Login, Proof};
use crate::policy::ServedZone;
use crate::zone::{AuthenticationMode, ServiceAccount};

const HOST: &str = "acme.partners.example.com";

/// The subject and account of every zone here.
const SUBJECT: &str = "CN=acme,O=Acme";

fn partner(authority: &Authority, folder: &TempDir, edit: impl FnOnce(&mut CertificateParams)) -> Identity {
    authority.issue(folder.path(), "partner", &["acme"], |params| {
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "Acme");
        params.distinguished_name.push(DnType::CommonName, "acme");
        edit(params);
    })
}

fn zone_of(authorities: &[&Authority]) -> Certificates {
    let ca = authorities.iter().map(|authority| Arc::from(authority.der().as_ref())).collect();
    Certificates { ca, ..Certificates::default() }
}

/// A zone for MTLS on a gateway with these files.
fn mtls(name: &str, certificates: Certificates) -> ServedZone {
    let mut served = served_zone(name, &[]);
    let authentication = &mut Arc::make_mut(&mut served.zone).authentication;
    authentication.mode = AuthenticationMode::Mtls;
    authentication.service_account = ServiceAccount::of_certificate(SUBJECT).unwrap();
    authentication.certificates = certificates;
    served
}

impl Entrance {
    fn tls(&self) -> &ServerTls {
        self.shared.config.tls.as_ref().unwrap()
    }

    /// The view of these zones, which handshakes follow from now on.
    fn serve(&self, zones: Vec<ServedZone>, before: &GatewayView) -> GatewayView {
        let config = GatewayConfig { tls: Some(self.tls().clone()), ..config() };
        let view = GatewayView::build(&config, Some(&served(2, zones)), &clusters(&[]), before);
        self.tls().trust(view.rules());
        view
    }

    /// What the gateway has of a client's certificate after a handshake of this configuration, and how that went.
    async fn shown(&self, config: &ClientConfig) -> Result<(Option<Arc<Chain>>, HandshakeKind), Close> {
        let config = config.clone();
        let client = async |far| {
            let mut far = connect(config, HOST, far).await?;
            // Tickets come with what is read after the handshake.
            far.read(&mut [0]).await.map(drop)
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (near, far) = tokio::join!(listener.accept(), TcpStream::connect(listener.local_addr().unwrap()));
        let server = async {
            let (socket, _) = enter(&self.shared, near.unwrap().0, &Port::Bootstrap).await?;
            let Socket::Tls(stream) = &socket else { panic!("TLS is on") };
            let kind = stream.get_ref().1.handshake_kind().unwrap();
            let chain = Chain::of(&socket);
            let (_, mut write) = socket.into_split();
            write.write_all(b"x").await.unwrap();
            write.flush().await.unwrap();
            Ok((chain, kind))
        };
        tokio::join!(server, client(far.unwrap())).0
    }

    async fn chain(&self, identity: &Identity) -> Arc<Chain> {
        self.shown(&self.client(Some(identity))).await.unwrap().0.unwrap()
    }

    fn client(&self, identity: Option<&Identity>) -> ClientConfig {
        client(&self.authority, identity, rustls::DEFAULT_VERSIONS)
    }
}

fn login(view: &GatewayView, chain: &Arc<Chain>) -> Option<Login> {
    let entrance = view.certified(SUBJECT, LOCAL)?;
    chain.judge(entrance.rules.as_ref()?).ok()?;
    Some(Login {
        user: SUBJECT.to_owned(),
        zone: Arc::clone(&entrance.zone),
        proof: Proof::Certificate(Arc::clone(chain)),
        beside: None,
        address: LOCAL.address,
        expires_at: chain.ends(OffsetDateTime::now_utc()),
    })
}

#[tokio::test]
async fn figures_know_a_certificate_by_its_fingerprint_and_a_token_by_its_subject() {
    let (own, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let entrance = Entrance::requesting(Some(&own));
    let view = entrance.serve(vec![mtls("acme", zone_of(&[&own]))], &GatewayView::default());
    let chain = entrance.chain(&partner(&own, &folder, |_| {})).await;
    let by_certificate = login(&view, &chain).unwrap();
    assert_eq!(by_certificate.credential(), format!("certificate:{}", chain.fingerprint()));
    let issuer = "company".try_into().unwrap();
    let by_token = Login { proof: Proof::Token { issuer }, user: "app-7".to_owned(), ..by_certificate };
    assert_eq!(by_token.credential(), "token:app-7");
}

#[tokio::test]
async fn an_authority_counts_for_its_own_zone_alone() {
    let (gateway, own, foreign, folder) =
        (Authority::new(), Authority::new(), Authority::new(), tempfile::tempdir().unwrap());
    let entrance = Entrance::requesting(Some(&gateway));
    let mut other = mtls("other", zone_of(&[&foreign]));
    Arc::make_mut(&mut other.zone).authentication.service_account =
        ServiceAccount::try_from("other").unwrap();
    let zones = vec![mtls("acme", zone_of(&[&own])), other.clone()];
    let view = entrance.serve(zones, &GatewayView::default());
    let [gateways, owns, foreigns] = [
        entrance.chain(&partner(&gateway, &folder, |_| {})).await,
        entrance.chain(&partner(&own, &folder, |_| {})).await,
        entrance.chain(&partner(&foreign, &folder, |_| {})).await,
    ];
    for chain in [&gateways, &owns, &foreigns] {
        assert_eq!(chain.subject().as_deref(), Ok(SUBJECT));
    }
    assert!(login(&view, &owns).is_some());
    assert!(login(&view, &foreigns).is_none() && login(&view, &gateways).is_none());
    // Where the zone names none, it is the gateway's, and those alone.
    let view = entrance.serve(vec![mtls("acme", Certificates::default()), other], &view);
    assert!(login(&view, &gateways).is_some());
    assert!(login(&view, &owns).is_none() && login(&view, &foreigns).is_none());
}

#[tokio::test]
async fn a_login_ends_with_its_authority_with_its_revocation_and_with_its_zone() {
    let (own, next, folder) = (Authority::new(), Authority::new(), tempfile::tempdir().unwrap());
    let entrance = Entrance::requesting(None);
    let first = entrance.serve(vec![mtls("acme", zone_of(&[&own]))], &GatewayView::default());
    let chain = entrance.chain(&partner(&own, &folder, |_| {})).await;
    let login = login(&first, &chain).unwrap();
    let admitted = |zone: ServedZone| entrance.serve(vec![zone], &first).admitted(&login).is_some();
    assert!(first.admitted(&login).is_some());
    assert!(admitted(mtls("acme", zone_of(&[&next, &own]))), "the next authority comes beside this one");
    assert!(!admitted(mtls("acme", zone_of(&[&next]))));
    let revoked = [chain.fingerprint()].into();
    assert!(!admitted(mtls("acme", Certificates { revoked, ..zone_of(&[&own]) })));
    assert!(!admitted(ServedZone { open: false, ..mtls("acme", zone_of(&[&own])) }));
    let mut renamed = mtls("acme", zone_of(&[&own]));
    Arc::make_mut(&mut renamed.zone).authentication.service_account = ServiceAccount::try_from("x").unwrap();
    assert!(!admitted(renamed));
    let mut by_secret = mtls("acme", Certificates::default());
    Arc::make_mut(&mut by_secret.zone).authentication.mode = AuthenticationMode::Plain;
    assert!(!admitted(by_secret));
    let end = login.expires_at.unwrap();
    assert!(end > OffsetDateTime::now_utc() + 365.days(), "as long as the certificate: {end}");
}

#[tokio::test]
async fn the_gateways_list_of_revoked_certificates_counts_for_every_zone_when_it_is_read_again() {
    let (own, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let entrance = Entrance::requesting(None);
    let list = entrance.folder.path().join("revoked");
    std::fs::write(&list, "# none yet\n\n").unwrap();
    let clients = ClientCertificates { revoked: Some(list.clone()), ..ClientCertificates::default() };
    let tls = ServerTls::load(TlsFiles { clients, ..entrance.files.clone() }).unwrap();
    let mut entrance = entrance;
    entrance.shared.config.tls = Some(tls);
    let zone = || vec![mtls("acme", zone_of(&[&own]))];
    let first = entrance.serve(zone(), &GatewayView::default());
    let chain = entrance.chain(&partner(&own, &folder, |_| {})).await;
    let login = login(&first, &chain).unwrap();
    assert!(entrance.serve(zone(), &first).admitted(&login).is_some());

    std::fs::write(&list, format!("{} # lost\n", chain.fingerprint())).unwrap();
    assert_eq!(entrance.tls().material.refresh(true), Refreshed::Replaced);
    assert!(entrance.serve(zone(), &first).admitted(&login).is_none());
    std::fs::write(&list, "acme\n").unwrap();
    let Refreshed::Refused(error) = entrance.tls().material.refresh(true) else { panic!("taken") };
    assert!(error.to_string().contains("line 1"), "{error}");
}

#[tokio::test]
async fn a_handshake_lets_no_certificate_through_that_is_of_no_use() {
    let (own, strangers, folder) = (Authority::new(), Authority::new(), tempfile::tempdir().unwrap());
    let entrance = Entrance::requesting(None);
    entrance.serve(vec![mtls("acme", zone_of(&[&own]))], &GatewayView::default());
    let now = OffsetDateTime::now_utc();
    let refused = async |identity: &Identity| {
        let close = entrance.shown(&entrance.client(Some(identity))).await.map(drop).unwrap_err();
        assert_eq!(close.label(), "tls_handshake");
        close.to_string()
    };
    let expired = partner(&own, &folder, |params| params.not_after = now - 1.hours());
    assert!(refused(&expired).await.contains("not valid at this time"));
    let early = partner(&own, &folder, |params| params.not_before = now + 1.hours());
    assert!(refused(&early).await.contains("not valid at this time"));
    let server = partner(&own, &folder, |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    });
    assert!(refused(&server).await.contains("not for clients"));
    let foreign = partner(&strangers, &folder, |_| {});
    assert!(refused(&foreign).await.contains("not signed by an authority"));
    let long = partner(&own, &folder, |_| {});
    let text = std::fs::read_to_string(&long.certificate).unwrap();
    std::fs::write(&long.certificate, text.repeat(12)).unwrap();
    assert!(refused(&long).await.contains("more certificates than are read"));
    assert!(entrance.shown(&entrance.client(None)).await.unwrap().0.is_none(), "who shows none comes in");
}

#[tokio::test]
async fn a_resumed_session_shows_its_certificate_and_none_is_resumed_under_another_trust() {
    let (own, next, folder) = (Authority::new(), Authority::new(), tempfile::tempdir().unwrap());
    let entrance = Entrance::requesting(None);
    let identity = partner(&own, &folder, |_| {});
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        // Nobody is asked for a certificate yet, and the session is worth nothing once somebody is.
        entrance.serve(Vec::new(), &GatewayView::default());
        let config = client(&entrance.authority, Some(&identity), &[version]);
        assert!(entrance.shown(&config).await.unwrap().0.is_none());
        let first = entrance.serve(vec![mtls("acme", zone_of(&[&own]))], &GatewayView::default());
        let (chain, kind) = entrance.shown(&config).await.unwrap();
        let fingerprint = chain.unwrap().fingerprint();
        assert_ne!(kind, HandshakeKind::Resumed, "{version:?}");

        let (chain, kind) = entrance.shown(&config).await.unwrap();
        let chain = chain.unwrap();
        assert_eq!((kind, chain.fingerprint()), (HandshakeKind::Resumed, fingerprint), "{version:?}");
        assert!(login(&first, &chain).is_some());
        let revoked = Certificates { revoked: [fingerprint].into(), ..zone_of(&[&own]) };
        let after = entrance.serve(vec![mtls("acme", revoked)], &first);
        let (chain, kind) = entrance.shown(&config).await.unwrap();
        assert_eq!(kind, HandshakeKind::Resumed, "the authorities are as they were");
        assert!(login(&after, &chain.unwrap()).is_none(), "it is revoked all the same");

        entrance.serve(vec![mtls("acme", zone_of(&[&next]))], &after);
        let close = entrance.shown(&config).await.map(drop).unwrap_err();
        assert!(close.to_string().contains("not signed by an authority"), "{version:?}: {close}");
    }
}

#[test]
fn a_zone_that_nobody_could_log_in_to_says_what_is_missing() {
    let problem = |tls: Option<ServerTls>, certificates| {
        let config = GatewayConfig { tls, ..config() };
        let zones = served(2, vec![mtls("acme", certificates)]);
        let view = GatewayView::build(&config, Some(&zones), &clusters(&[]), &GatewayView::default());
        view.problems.into_values().next().unwrap_or_default()
    };
    let tls = Entrance::requesting(None).tls().clone();
    assert!(problem(None, Certificates::default()).contains("needs TLS"));
    assert!(problem(Some(tls.clone()), Certificates::default()).contains("gateway.tls.clientCaFile"));
    let broken = Certificates { ca: vec![Arc::from(&b"no certificate"[..])], ..Certificates::default() };
    assert!(problem(Some(tls.clone()), broken).contains("spec.authenticationMode.ca cannot be used"));
    assert_eq!(problem(Some(tls), zone_of(&[&Authority::new()])), "");
}

/// How the login of a connection with this certificate ends whose client says this and leaves.
async fn at_the_desk(
    entrance: &Entrance,
    chain: &Arc<Chain>,
    port: &Port,
    says: &[u8],
) -> Result<Login, Close> {
    let (mut far, near) = tokio::io::duplex(64 << 10);
    far.write_all(says).await.unwrap();
    far.shutdown().await.unwrap();
    let (read, write) = tokio::io::split(near);
    let mut desk = Desk {
        shared: &entrance.shared,
        port,
        address: LOCAL.address,
        certificate: Some(Arc::clone(chain)),
        partner_in: &mut Inbound::new(read, Peer::Partner),
        partner_out: &mut Outbound::new(write, Peer::Partner, Duration::from_secs(1)),
    };
    let ended = desk.log_in().await;
    if ended.is_ok() {
        assert_eq!(desk.partner_in.buffered(), says, "the request is still to be served");
    }
    ended
}

/// The beginning of Metadata v0, and all of SaslHandshake v1 for PLAIN.
const METADATA: &[u8] = &[0, 0, 0, 14, 0, 3, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0, 0, 0, 0];
const SASL: &[u8] = &[0, 0, 0, 17, 0, 17, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0, 5, b'P', b'L', b'A', b'I', b'N'];

#[tokio::test]
async fn a_request_that_is_no_login_is_served_to_the_certificates_zone_and_to_nobody_else() {
    let (own, foreign, folder) = (Authority::new(), Authority::new(), tempfile::tempdir().unwrap());
    let mut entrance = Entrance::requesting(None);
    let mut other = mtls("other", zone_of(&[&foreign]));
    Arc::make_mut(&mut other.zone).authentication.service_account =
        ServiceAccount::try_from("other").unwrap();
    let view = entrance.serve(vec![mtls("acme", zone_of(&[&own])), other], &GatewayView::default());
    let (_sender, views) = tokio::sync::watch::channel(Arc::new(view));
    entrance.shared.views = views;
    let good = entrance.chain(&partner(&own, &folder, |_| {})).await;
    let login = at_the_desk(&entrance, &good, &Port::Bootstrap, METADATA).await.unwrap();
    assert_eq!((login.user.as_str(), login.zone.name.as_str()), (SUBJECT, "acme"));
    assert!(at_the_desk(&entrance, &good, &zone_port(None), METADATA).await.is_ok());
    let other_host = Port::Zone { zone: ZoneName::try_from("other").unwrap(), node: None };
    let bad = entrance.chain(&partner(&foreign, &folder, |_| {})).await;
    let nobody =
        partner(&own, &folder, |params| params.distinguished_name.push(DnType::CommonName, "nobody"));
    let nobody = entrance.chain(&nobody).await;
    for (chain, port, word) in [
        (&good, &other_host, "is open to this host name"),
        (&bad, &Port::Bootstrap, "none of the authorities that count for zone acme"),
        (&nobody, &Port::Bootstrap, "`CN=nobody,O=Acme`"),
    ] {
        let close = at_the_desk(&entrance, chain, port, METADATA).await.unwrap_err();
        assert!(close.label() == "certificate" && close.to_string().contains(word), "{close}");
    }
    // Who begins a login by SASL is served that one.
    let close = at_the_desk(&entrance, &good, &Port::Bootstrap, SASL).await.unwrap_err();
    assert_eq!(close.label(), "partner_done");
}

#[tokio::test]
async fn where_a_certificate_is_required_beside_sasl_it_is_one_of_the_gateways_authorities() {
    let (gateway, own, folder) = (Authority::new(), Authority::new(), tempfile::tempdir().unwrap());
    let mut entrance = Entrance::new(Some(&gateway));
    let view = entrance.serve(vec![mtls("acme", zone_of(&[&own]))], &GatewayView::default());
    let (_sender, views) = tokio::sync::watch::channel(Arc::new(view));
    entrance.shared.views = views;
    let gateways = entrance.chain(&partner(&gateway, &folder, |_| {})).await;
    let owns = entrance.chain(&partner(&own, &folder, |_| {})).await;
    let close = at_the_desk(&entrance, &gateways, &Port::Bootstrap, SASL).await.unwrap_err();
    assert_eq!(close.label(), "partner_done", "the handshake was answered");
    let close = at_the_desk(&entrance, &owns, &Port::Bootstrap, SASL).await.unwrap_err();
    assert!(close.to_string().contains("none of the authorities that count for a login by SASL"), "{close}");
    assert!(at_the_desk(&entrance, &owns, &Port::Bootstrap, METADATA).await.is_ok());
}
