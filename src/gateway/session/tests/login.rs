//! Logins on a connection that has one (KIP-368): the partner's, and ours with the broker.

use kafka_protocol::messages::{
    SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest, SaslHandshakeResponse,
};
use kafka_protocol::protocol::Decodable;
use serde_json::{Value, json};

use super::super::super::issuers::tests::{shared_for_tokens, token_view, token_zone};
use super::*;
use crate::kafka::client::ClientError;
use crate::kafka::client::Link;
use crate::kafka::sasl::{Credentials, Mechanism};
use crate::kafka::shape::Shape;
use crate::policy::ServedZone;
use crate::policy::token::Bearer;
use crate::policy::token::fixture::Signer;
use crate::secret::Secret;
use crate::zone::{KeyId, ScramHash, ScramVerifier};

fn handshake(id: i32, mechanism: &'static str) -> Vec<u8> {
    request(17, 1, false, id, &SaslHandshakeRequest::default().with_mechanism(mechanism.into()))
}

fn token(id: i32, user: &str, secret: &str) -> Vec<u8> {
    let token = Bytes::from(format!("\0{user}\0{secret}"));
    request(36, 1, false, id, &SaslAuthenticateRequest::default().with_auth_bytes(token))
}

/// The body of the next answer, whose header is the short one.
async fn answer<M: Decodable>(from: &mut DuplexStream, id: i32, version: i16) -> M {
    let frame = frame(from).await;
    assert_eq!(response_id(&frame), id);
    M::decode(&mut Bytes::from(frame).slice(4..), version).unwrap()
}

/// The fixture's zone with credentials of these (key id, seconds until it ends).
fn zone_with(credentials: &[(&str, i64)]) -> ServedZone {
    let mut zone = zone("acme", &[("orders", "backing-orders")]);
    let with = |&(key_id, seconds): &(&str, i64)| {
        let mut credential = (*zone.credentials[0]).clone();
        credential.key_id = KeyId::try_from(key_id).unwrap();
        credential.expires_at = Some(OffsetDateTime::now_utc() + Duration::from_secs(seconds.unsigned_abs()));
        Arc::new(credential)
    };
    zone.credentials = credentials.iter().map(with).collect();
    zone
}

const ENDS_SOON: &str = "pz0000000000000001";
const ENDS_LATE: &str = "pz0000000000000002";

/// Relays for the partner that logged in with the first credential of a zone.
async fn relay_for(zone: ServedZone, script: impl AsyncFnOnce(&mut Ends)) -> Close {
    let limits = Limits { idle: Duration::from_secs(10), ..impatient() };
    let (shared, views) = shared(limits);
    views.send_replace(Arc::new(view(&served(2, vec![zone]), &clusters(&[]))));
    relay_as(ENDS_SOON, shared, views, script).await
}

#[tokio::test]
async fn another_login_for_the_same_zone_prolongs_the_connection_in_its_turn() {
    let started = std::time::Instant::now();
    let close = relay_for(zone_with(&[(ENDS_SOON, 1), (ENDS_LATE, 3)]), async |ends: &mut Ends| {
        let again = [heartbeat(1), handshake(2, "PLAIN")].concat();
        ends.partner.write_all(&again).await.unwrap();
        assert_eq!(request_id(&frame(&mut ends.broker).await), 1);
        ends.broker.write_all(&heartbeat_answer(1)).await.unwrap();
        assert_eq!(response_id(&frame(&mut ends.partner).await), 1);
        let agreed: SaslHandshakeResponse = answer(&mut ends.partner, 2, 1).await;
        assert_eq!(agreed.error_code, 0);
        ends.partner
            .write_all(&[api_versions(3), token(4, ENDS_LATE, SECRET), heartbeat(5)].concat())
            .await
            .unwrap();
        assert_eq!(response_id(&frame(&mut ends.partner).await), 3, "ApiVersions is answered at any time");
        let done: SaslAuthenticateResponse = answer(&mut ends.partner, 4, 1).await;
        assert_eq!((done.error_code, done.session_lifetime_ms > 2000), (0, true));
        assert_eq!(request_id(&frame(&mut ends.broker).await), 5);
        ends.broker.write_all(&heartbeat_answer(5)).await.unwrap();
        assert_eq!(response_id(&frame(&mut ends.partner).await), 5);
        assert_eq!(ends.partner.read(&mut [0; 1]).await.unwrap(), 0);
    })
    .await;
    assert_eq!(close.label(), "expired");
    assert!(started.elapsed() > Duration::from_secs(2), "the first credential's end is not the second one's");
}

#[tokio::test]
async fn a_connection_ends_with_its_credential_unless_it_logs_in_again() {
    let close = relay_for(zone_with(&[(ENDS_SOON, 1)]), async |ends: &mut Ends| {
        assert_eq!(ends.partner.read(&mut [0; 1]).await.unwrap(), 0);
    })
    .await;
    assert_eq!(close.label(), "expired");
}

#[tokio::test]
async fn a_prolonged_credential_keeps_its_idle_connections() {
    let started = std::time::Instant::now();
    let close = relay_for(zone_with(&[(ENDS_SOON, 1)]), async |ends: &mut Ends| {
        let prolonged = served(3, vec![zone_with(&[(ENDS_SOON, 2)])]);
        ends.views.send_replace(Arc::new(view(&prolonged, &clusters(&[]))));
        assert_eq!(ends.partner.read(&mut [0; 1]).await.unwrap(), 0);
    })
    .await;
    assert_eq!(close.label(), "expired");
    assert!(started.elapsed() > Duration::from_millis(1500));
}

#[tokio::test]
async fn neither_zone_nor_secret_may_be_wrong_the_second_time() {
    let other = ServedZone { credentials: zone("x", &[]).credentials, ..zone("other", &[]) };
    for (user, secret, label) in
        [(ENDS_SOON, "wrong", "authentication_failed"), ("other-app", SECRET, "other_identity")]
    {
        let (shared, views) = shared(impatient());
        let zones = vec![zone_with(&[(ENDS_SOON, 60)]), other.clone()];
        views.send_replace(Arc::new(view(&served(2, zones), &clusters(&[]))));
        let close = relay_as(ENDS_SOON, shared, views, async |ends: &mut Ends| {
            let again = [handshake(1, "PLAIN"), token(2, user, secret), heartbeat(3)].concat();
            ends.partner.write_all(&again).await.unwrap();
            let agreed: SaslHandshakeResponse = answer(&mut ends.partner, 1, 1).await;
            assert_eq!(agreed.error_code, 0);
            let refused: SaslAuthenticateResponse = answer(&mut ends.partner, 2, 1).await;
            assert_eq!(refused.error_code, 58);
            assert_eq!(ends.broker.read(&mut [0; 1]).await.unwrap(), 0, "nothing else is served");
        })
        .await;
        assert_eq!(close.label(), label, "{user}");
    }
}

#[tokio::test]
async fn who_came_by_scram_does_not_go_on_by_plain() {
    let mut zone = zone_with(&[(ENDS_SOON, 60)]);
    let mut credential = (*zone.credentials[0]).clone();
    credential.scram = vec![ScramVerifier::new(ScramHash::Sha256, SECRET, b"salt", 4096)];
    zone.credentials = vec![Arc::new(credential)];
    let (shared, views) = shared(impatient());
    views.send_replace(Arc::new(view(&served(2, vec![zone]), &clusters(&[]))));
    let key_id = KeyId::try_from(ENDS_SOON).unwrap();
    let proof = Proof::Credential { key_id, mechanism: Mechanism::ScramSha256 };
    let by_scram = Login { proof, ..login(&shared, ENDS_SOON) };
    let close = relay_login(by_scram, shared, views, None, 4096, async |ends: &mut Ends| {
        ends.partner.write_all(&[handshake(1, "PLAIN"), token(2, ENDS_SOON, SECRET)].concat()).await.unwrap();
        assert_eq!(answer::<SaslHandshakeResponse>(&mut ends.partner, 1, 1).await.error_code, 0);
        assert_eq!(answer::<SaslAuthenticateResponse>(&mut ends.partner, 2, 1).await.error_code, 58);
    })
    .await;
    assert_eq!(close.label(), "other_identity");
}

#[tokio::test]
async fn the_order_of_a_login_is_kept() {
    let twice = [handshake(1, "PLAIN"), handshake(2, "PLAIN")].concat();
    let interrupted = [handshake(1, "PLAIN"), heartbeat(2)].concat();
    for (bytes, answers, label) in [
        (token(1, "acme-app", SECRET), &[34][..], "partner_done"),
        (twice, &[0, 34], "login_out_of_order"),
        (interrupted, &[0], "login_out_of_order"),
        (handshake(1, "GSSAPI"), &[33], "mechanism"),
    ] {
        let close = relay(impatient(), 4096, async |ends: &mut Ends| {
            ends.partner.write_all(&bytes).await.unwrap();
            for &code in answers {
                let answer = frame(&mut ends.partner).await;
                assert_eq!(i16::from_be_bytes(answer[4..6].try_into().unwrap()), code);
            }
        })
        .await;
        assert_eq!(close.label(), label);
    }
}

/// Accepts a first login; what the broker said of it is all that matters here.
struct Accepting {
    lifetime_ms: i64,
}

impl Link for Accepting {
    async fn ask<M: kafka_protocol::protocol::Request>(
        &mut self,
        _: &M,
        version: i16,
        _: &'static Shape,
    ) -> Result<M::Response, ClientError> {
        let body = if M::KEY == 17 {
            codec::encode(&SaslHandshakeResponse::default(), version)?
        } else {
            let accepted = SaslAuthenticateResponse::default().with_session_lifetime_ms(self.lifetime_ms);
            codec::encode(&accepted, version)?
        };
        Ok(M::Response::decode(&mut body.clone(), version).unwrap())
    }
}

async fn session(lifetime_ms: i64) -> Session {
    let credentials = Credentials::new(Mechanism::Plain, "gateway".to_owned(), Secret::new("pw".to_owned()));
    Session::open(&credentials, 1, &mut Accepting { lifetime_ms }).await.unwrap()
}

/// What a broker answers to our own requests.
fn own_answer(message: &impl Encodable) -> Vec<u8> {
    let body = codec::encode(message, 1).unwrap();
    let mut out = BytesMut::new();
    ResponseHeader::V0.put(&mut out, -1, body.len()).unwrap();
    out.put_slice(&body);
    out.to_vec()
}

#[tokio::test]
async fn a_broker_that_limits_its_session_is_logged_in_to_again_behind_what_it_owes() {
    let (shared, views) = shared(impatient());
    let session = Some(session(100).await);
    let close = relay_with(shared, views, session, 4096, async |ends: &mut Ends| {
        ends.partner.write_all(&heartbeat(1)).await.unwrap();
        assert_eq!(request_id(&frame(&mut ends.broker).await), 1);
        sleep(Duration::from_millis(110)).await;
        ends.partner.write_all(&[heartbeat(2), heartbeat(3)].concat()).await.unwrap();
        let asked = frame(&mut ends.broker).await;
        assert_eq!((asked[..2].to_vec(), request_id(&asked)), (17_i16.to_be_bytes().to_vec(), -1));
        // The partner's answer first, then ours, which it never sees.
        ends.broker.write_all(&heartbeat_answer(1)).await.unwrap();
        ends.broker.write_all(&own_answer(&SaslHandshakeResponse::default())).await.unwrap();
        assert_eq!(response_id(&frame(&mut ends.partner).await), 1);
        let asked = frame(&mut ends.broker).await;
        assert_eq!(asked[..2], 36_i16.to_be_bytes());
        assert!(asked.ends_with(b"\0gateway\0pw"));
        let accepted = SaslAuthenticateResponse::default().with_session_lifetime_ms(60_000);
        ends.broker.write_all(&own_answer(&accepted)).await.unwrap();
        for id in [2, 3] {
            assert_eq!(request_id(&frame(&mut ends.broker).await), id);
            ends.broker.write_all(&heartbeat_answer(id)).await.unwrap();
            assert_eq!(response_id(&frame(&mut ends.partner).await), id);
        }
    })
    .await;
    assert_eq!(close.label(), "partner_done");
}

#[tokio::test]
async fn a_broker_that_refuses_the_second_login_or_answers_too_much_ends_the_connection() {
    let refused = SaslHandshakeResponse::default().with_error_code(34);
    let endless = SaslHandshakeResponse::default().with_mechanisms(vec!["x".into(); 1 << 16]);
    for (answer, label) in [(refused, "renewal"), (endless, "bad_answer")] {
        let (shared, views) = shared(impatient());
        let session = Some(session(1).await);
        let close = relay_with(shared, views, session, 1 << 20, async |ends: &mut Ends| {
            sleep(Duration::from_millis(5)).await;
            ends.partner.write_all(&heartbeat(1)).await.unwrap();
            frame(&mut ends.broker).await;
            ends.broker.write_all(&own_answer(&answer)).await.unwrap();
            assert_eq!(ends.partner.read(&mut [0; 1]).await.unwrap(), 0);
        })
        .await;
        assert_eq!(close.label(), label);
    }
}

/// A token for `acme-app` that is good for this many seconds.
fn bearer(id: i32, signer: &Signer, seconds: i64, changes: &Value) -> Vec<u8> {
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let mut claims = json!({"iat": now, "exp": now + seconds});
    claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    let message = format!("n,,\x01auth=Bearer {}\x01\x01", signer.token(&claims));
    request(36, 1, false, id, &SaslAuthenticateRequest::default().with_auth_bytes(Bytes::from(message)))
}

/// Relays for who came with a token that ends in a second.
async fn relay_for_token(script: impl AsyncFnOnce(&mut Ends, &Signer)) -> Close {
    let limits = Limits { idle: Duration::from_secs(10), ..impatient() };
    let (shared, views, signer) = shared_for_tokens(limits);
    views.send_replace(Arc::new(token_view(&shared, vec![token_zone("acme"), token_zone("other")])));
    let issuer = shared.config.issuers[0].name.clone();
    let ends = OffsetDateTime::now_utc() + Duration::from_secs(1);
    let bearer = Bearer { subject: "acme-app".to_owned(), ends };
    let login = shared.view().bearer(issuer, bearer, LOCAL).unwrap();
    relay_login(login, shared, views, None, 4096, async |ends: &mut Ends| script(ends, &signer).await).await
}

#[tokio::test]
async fn a_fresh_token_prolongs_the_connection_and_without_one_it_ends() {
    let started = std::time::Instant::now();
    let close = relay_for_token(async |ends: &mut Ends, signer: &Signer| {
        ends.partner.write_all(&handshake(1, "OAUTHBEARER")).await.unwrap();
        assert_eq!(answer::<SaslHandshakeResponse>(&mut ends.partner, 1, 1).await.error_code, 0);
        let again = [bearer(2, signer, 4, &json!({})), heartbeat(3)].concat();
        ends.partner.write_all(&again).await.unwrap();
        let done: SaslAuthenticateResponse = answer(&mut ends.partner, 2, 1).await;
        assert_eq!((done.error_code, (1..=4000).contains(&done.session_lifetime_ms)), (0, true));
        assert_eq!(request_id(&frame(&mut ends.broker).await), 3);
        ends.broker.write_all(&heartbeat_answer(3)).await.unwrap();
        assert_eq!(response_id(&frame(&mut ends.partner).await), 3);
        assert_eq!(ends.partner.read(&mut [0; 1]).await.unwrap(), 0);
    })
    .await;
    assert_eq!(close.label(), "expired");
    assert!(started.elapsed() > Duration::from_secs(2), "the first token's end is not the second one's");
}

#[tokio::test]
async fn another_subject_or_a_bad_token_or_another_mechanism_ends_the_connection() {
    for (mechanism, changes, label) in [
        ("OAUTHBEARER", json!({"sub": "other-app"}), "other_identity"),
        ("OAUTHBEARER", json!({"sub": "nobody"}), "authentication_failed"),
        ("OAUTHBEARER", json!({"aud": "else"}), "authentication_failed"),
        ("PLAIN", json!({}), "authentication_failed"),
    ] {
        let close = relay_for_token(async |ends: &mut Ends, signer: &Signer| {
            ends.partner.write_all(&handshake(1, mechanism)).await.unwrap();
            assert_eq!(answer::<SaslHandshakeResponse>(&mut ends.partner, 1, 1).await.error_code, 0);
            ends.partner.write_all(&bearer(2, signer, 30, &changes)).await.unwrap();
            let mut told: SaslAuthenticateResponse = answer(&mut ends.partner, 2, 1).await;
            if told.error_code == 0 {
                let acknowledged = SaslAuthenticateRequest::default().with_auth_bytes(Bytes::from("\x01"));
                ends.partner.write_all(&request(36, 1, false, 3, &acknowledged)).await.unwrap();
                told = answer(&mut ends.partner, 3, 1).await;
            }
            assert_eq!(told.error_code, 58);
        })
        .await;
        assert_eq!(close.label(), label, "{mechanism} {changes}");
    }
}
