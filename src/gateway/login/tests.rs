mod bearer;
mod beside;

use bytes::{BufMut as _, BytesMut};
use kafka_protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, SaslAuthenticateRequest, SaslAuthenticateResponse,
    SaslHandshakeRequest, SaslHandshakeResponse,
};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use super::super::fixture::{LOCAL, SECRET, cluster, clusters, impatient, served, shared, zone};
use super::super::transport::Peer;
use super::super::view::GatewayView;
use super::*;
use crate::kafka::codec;
use crate::zone::{ClusterName, SniDomain, ZoneName};

/// Runs a login in the background of a partner's script, and gives how it ended.
async fn at_the_desk<F: Future<Output = ()>>(script: impl FnOnce(DuplexStream) -> F) -> Result<Login, Close> {
    at_the_desk_of(&shared(impatient()).0, &Port::Bootstrap, script).await
}

async fn at_the_desk_of<F: Future<Output = ()>>(
    shared: &Shared,
    port: &Port,
    script: impl FnOnce(DuplexStream) -> F,
) -> Result<Login, Close> {
    at_the_desk_with(None, shared, port, script).await
}

/// The same for a client that has shown this certificate.
async fn at_the_desk_with<F: Future<Output = ()>>(
    certificate: Option<Arc<Chain>>,
    shared: &Shared,
    port: &Port,
    script: impl FnOnce(DuplexStream) -> F,
) -> Result<Login, Close> {
    let (far, near) = tokio::io::duplex(256 << 10);
    let (read, write) = tokio::io::split(near);
    let mut partner_in = Inbound::new(read, Peer::Partner);
    let mut partner_out = Outbound::new(write, Peer::Partner, impatient().write_stall);
    let mut desk = Desk {
        shared,
        port,
        address: LOCAL.address,
        certificate,
        partner_in: &mut partner_in,
        partner_out: &mut partner_out,
    };
    let (ended, ()) = tokio::join!(desk.log_in(), script(far));
    ended
}

fn frame<M: Encodable>(key: i16, version: i16, flexible: bool, message: &M) -> Vec<u8> {
    let body = codec::encode(message, version).unwrap();
    let header =
        RequestHeader { api_key: key, version, correlation_id: 7, client_id: Some("test".to_owned()) };
    let mut out = BytesMut::new();
    header.put(&mut out, flexible, body.len()).unwrap();
    out.put_slice(&body);
    out.to_vec()
}

fn handshake(version: i16, mechanism: &'static str) -> Vec<u8> {
    frame(17, version, false, &SaslHandshakeRequest::default().with_mechanism(mechanism.into()))
}

fn token(user: &str, password: &str) -> Vec<u8> {
    let token = Bytes::from(format!("\0{user}\0{password}"));
    frame(36, 2, true, &SaslAuthenticateRequest::default().with_auth_bytes(token))
}

/// The body of the next answer, whose header has `header` bytes.
async fn answer<M: Decodable>(partner: &mut DuplexStream, header: usize, version: i16) -> M {
    let len = usize::try_from(partner.read_i32().await.unwrap()).unwrap();
    let mut frame = vec![0; len];
    partner.read_exact(&mut frame).await.unwrap();
    assert_eq!(frame[..4], 7_i32.to_be_bytes());
    M::decode(&mut Bytes::from(frame).slice(header..), version).unwrap()
}

#[tokio::test]
async fn the_right_secret_opens_the_zone() {
    let login = at_the_desk(|mut partner| async move {
        partner.write_all(&frame(18, 3, true, &versions_request())).await.unwrap();
        let versions: ApiVersionsResponse = answer(&mut partner, 4, 3).await;
        assert!(versions.api_keys.iter().any(|row| row.api_key == 1));
        partner.write_all(&handshake(1, "PLAIN")).await.unwrap();
        let agreed: SaslHandshakeResponse = answer(&mut partner, 4, 1).await;
        assert_eq!(agreed.error_code, 0);
        partner.write_all(&token("acme-app", SECRET)).await.unwrap();
        let done: SaslAuthenticateResponse = answer(&mut partner, 5, 2).await;
        assert_eq!((done.error_code, done.session_lifetime_ms), (0, 0));
    })
    .await
    .unwrap();
    assert_eq!((login.user.as_str(), login.zone.name.as_str()), ("acme-app", "acme"));
}

fn versions_request() -> ApiVersionsRequest {
    ApiVersionsRequest::default()
        .with_client_software_name("test".into())
        .with_client_software_version("1".into())
}

#[tokio::test]
async fn every_wrong_login_gets_the_same_answer() {
    let mut answers = Vec::new();
    for (user, password) in [("acme-app", "wrong"), ("nobody", SECRET), ("", "")] {
        let (seen, saw) = tokio::sync::oneshot::channel();
        let ended = at_the_desk(|mut partner| async move {
            partner.write_all(&handshake(1, "PLAIN")).await.unwrap();
            let _: SaslHandshakeResponse = answer(&mut partner, 4, 1).await;
            partner.write_all(&token(user, password)).await.unwrap();
            let refused: SaslAuthenticateResponse = answer(&mut partner, 5, 2).await;
            seen.send((refused.error_code, refused.error_message)).unwrap();
        })
        .await;
        assert!(matches!(ended, Err(Close::AuthenticationFailed)));
        answers.push(saw.await.unwrap());
    }
    assert_eq!(answers[0].0, 58);
    assert!(answers.iter().all(|answer| *answer == answers[0]));
}

#[tokio::test]
async fn what_is_not_offered_and_version_0_are_refused_with_an_answer() {
    for (version, mechanism, code) in [(1, "GSSAPI", 33), (1, "plain", 33), (0, "PLAIN", 35)] {
        let ended = at_the_desk(|mut partner| async move {
            partner.write_all(&handshake(version, mechanism)).await.unwrap();
            let refused: SaslHandshakeResponse = answer(&mut partner, 4, version).await;
            assert_eq!(refused.error_code, code);
            let offered: Vec<_> = refused.mechanisms.iter().map(StrBytes::as_str).collect();
            assert_eq!(offered, ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]);
        })
        .await;
        assert!(matches!(ended, Err(Close::Mechanism | Close::OldHandshake)));
    }
}

/// Both messages of SCRAM are refused with one text: the first if it is malformed, the second whoever sends it.
#[tokio::test]
async fn every_wrong_scram_login_gets_the_same_answer() {
    let mut answers = Vec::new();
    let oversized = format!("n,,n={},r=abc", "x".repeat(2000));
    for (first, proof) in [
        ("n,,n=pz0123456789abcdef,r=abc", Some("c=biws,r=abc,p=AAAA")),
        ("n,,n=nobody,r=abc", Some("c=biws,r=abc,p=AAAA")),
        ("n,,n=nobody,r=abc", Some("")),
        ("nonsense", None),
        (&oversized, None),
    ] {
        let (seen, saw) = tokio::sync::oneshot::channel();
        let ended = at_the_desk(|mut partner| async move {
            let send = |text: &str| {
                let token = Bytes::from(text.to_owned());
                frame(36, 2, true, &SaslAuthenticateRequest::default().with_auth_bytes(token))
            };
            partner.write_all(&handshake(1, "SCRAM-SHA-512")).await.unwrap();
            let _: SaslHandshakeResponse = answer(&mut partner, 4, 1).await;
            partner.write_all(&send(first)).await.unwrap();
            let mut told: SaslAuthenticateResponse = answer(&mut partner, 5, 2).await;
            if let Some(proof) = proof {
                assert_eq!((told.error_code, told.auth_bytes.starts_with(b"r=abc")), (0, true));
                partner.write_all(&send(proof)).await.unwrap();
                told = answer(&mut partner, 5, 2).await;
            }
            seen.send((told.error_code, told.error_message, told.auth_bytes)).unwrap();
        })
        .await;
        assert!(matches!(ended, Err(Close::AuthenticationFailed)));
        answers.push(saw.await.unwrap());
    }
    assert_eq!(answers[0].0, 58);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
}

#[tokio::test]
async fn a_newer_api_versions_is_told_which_ones_there_are() {
    at_the_desk(|mut partner| async move {
        let mut newer = frame(18, 4, true, &versions_request());
        newer[4 + 3] = 9;
        partner.write_all(&newer).await.unwrap();
        let told: ApiVersionsResponse = answer(&mut partner, 4, 0).await;
        assert_eq!((told.error_code, told.api_keys.len()), (35, 1));
    })
    .await
    .unwrap_err();
}

#[tokio::test]
async fn before_the_login_a_host_name_does_not_tell_whether_there_is_such_a_zone() {
    let (mut shared, views) = shared(impatient());
    let config = &mut shared.config;
    config.sni = Some(SniDomain::new("partners.example.com", "kafka.partners.example.com").unwrap());
    let lesser = ClusterName::try_from("lesser").unwrap();
    config.clusters.insert(lesser.clone(), config.clusters[&cluster()].clone());
    let mut known = clusters(&[]);
    let mut state = known[&cluster()].clone();
    let topology = Arc::make_mut(state.last.as_mut().unwrap());
    Arc::make_mut(&mut topology.offer).versions.remove(&19);
    known.insert(lesser, state);
    let zones = served(2, vec![zone("acme", &[])]);
    views.send_replace(Arc::new(GatewayView::build(&*config, Some(&zones), &known, &GatewayView::default())));
    let mut told = Vec::new();
    for name in ["acme", "nobody"] {
        let port = Port::Zone { zone: ZoneName::try_from(name).unwrap(), node: None };
        let (say, said) = tokio::sync::oneshot::channel();
        let ended = at_the_desk_of(&shared, &port, |mut partner| async move {
            partner.write_all(&frame(18, 3, true, &versions_request())).await.unwrap();
            say.send(answer::<ApiVersionsResponse>(&mut partner, 4, 3).await).unwrap();
        });
        assert!(matches!(ended.await, Err(Close::PartnerDone)));
        told.push(said.await.unwrap());
    }
    assert_eq!(told[0], told[1]);
    assert!(told[0].api_keys.len() > 1);
}

#[tokio::test]
async fn nothing_else_is_served_before_the_login() {
    let metadata = frame(3, 0, false, &kafka_protocol::messages::MetadataRequest::default());
    let early_token = token("acme-app", SECRET);
    let tls_hello = [0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00].to_vec();
    let too_long = [0x00, 0x10, 0x00, 0x00, 0x00].to_vec();
    let negative = [0xff; 8].to_vec();
    let cut = handshake(1, "PLAIN")[..9].to_vec();
    for (bytes, reason) in [
        (metadata, "not_authenticated"),
        (early_token, "not_authenticated"),
        (tls_hello, "tls_on_plain_port"),
        (too_long, "bad_frame"),
        (negative, "bad_frame"),
        (cut, "cut_frame"),
        (Vec::new(), "partner_done"),
    ] {
        let ended = at_the_desk(|mut partner| async move {
            partner.write_all(&bytes).await.unwrap();
            partner.shutdown().await.unwrap();
        })
        .await;
        assert_eq!(ended.unwrap_err().label(), reason);
    }
}

#[tokio::test]
async fn who_says_nothing_is_sent_away() {
    let (_far, near) = tokio::io::duplex(64);
    let (shared, _views) = shared(impatient());
    let (read, write) = tokio::io::split(near);
    let mut partner_in = Inbound::new(read, Peer::Partner);
    let mut partner_out = Outbound::new(write, Peer::Partner, impatient().write_stall);
    let mut desk = Desk {
        shared: &shared,
        port: &Port::Bootstrap,
        address: LOCAL.address,
        certificate: None,
        partner_in: &mut partner_in,
        partner_out: &mut partner_out,
    };
    assert!(matches!(desk.log_in().await, Err(Close::AuthenticationTimeout(_))));
}
