//! OAUTHBEARER on the wire (RFC 7628, as Kafka speaks it).

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::super::super::issuers::tests::{shared_for_tokens, token_view, token_zone};
use super::super::super::view::Proof;
use super::*;
use crate::policy::ServedZone;
use crate::policy::token::fixture::Signer;

/// A client's only message, as clients write it.
fn message(identity: &str, token: &str) -> String {
    format!("n,{identity},\x01auth=Bearer {token}\x01\x01")
}

/// Good for this many seconds from now, but for these claims.
fn token(signer: &Signer, seconds: i64, changes: &Value) -> String {
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let mut claims = json!({"iat": now, "exp": now + seconds});
    claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    signer.token(&claims)
}

/// What the gateway says to these messages, one after the other.
async fn say(
    shared: &Shared,
    port: &Port,
    messages: &[&str],
) -> (Vec<SaslAuthenticateResponse>, Result<Login, Close>) {
    let (seen, saw) = tokio::sync::oneshot::channel();
    let ended = at_the_desk_of(shared, port, |mut partner| async move {
        partner.write_all(&handshake(1, "OAUTHBEARER")).await.unwrap();
        let agreed: SaslHandshakeResponse = answer(&mut partner, 4, 1).await;
        assert_eq!(agreed.error_code, 0);
        let offered: Vec<_> = agreed.mechanisms.iter().map(StrBytes::as_str).collect();
        assert_eq!(offered, ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]);
        let mut answers = Vec::new();
        for message in messages {
            let bytes = Bytes::copy_from_slice(message.as_bytes());
            let request = SaslAuthenticateRequest::default().with_auth_bytes(bytes);
            partner.write_all(&frame(36, 2, true, &request)).await.unwrap();
            answers.push(answer(&mut partner, 5, 2).await);
        }
        seen.send(answers).unwrap();
    })
    .await;
    (saw.await.unwrap(), ended)
}

#[tokio::test]
async fn a_good_token_opens_the_zone_of_its_subject_until_it_ends() {
    let (shared, _views, signer) = shared_for_tokens(impatient());
    for identity in ["", "a=acme-app"] {
        let message = message(identity, &token(&signer, 40, &json!({})));
        let (answers, login) = say(&shared, &Port::Bootstrap, &[&message]).await;
        let login = login.unwrap();
        assert_eq!((answers[0].error_code, answers[0].auth_bytes.len()), (0, 0));
        assert!((30_000..=40_000).contains(&answers[0].session_lifetime_ms));
        assert_eq!((login.user.as_str(), login.zone.name.as_str()), ("acme-app", "acme"));
        assert!(matches!(&login.proof, Proof::Token { issuer } if issuer.as_str() == "main"));
    }
}

#[tokio::test]
async fn whatever_is_wrong_with_a_token_gets_the_same_two_answers() {
    let (shared, views, signer) = shared_for_tokens(impatient());
    let zones =
        vec![token_zone("acme"), ServedZone { open: false, ..token_zone("closed") }, zone("plain", &[])];
    views.send_replace(Arc::new(token_view(&shared, zones)));
    let with = |changes: Value| message("", &token(&signer, 40, &changes));
    let elsewhere = Port::Zone { zone: ZoneName::try_from("closed").unwrap(), node: None };
    let mut said = Vec::new();
    for (port, wrong) in [
        (&Port::Bootstrap, "nonsense".to_owned()),
        (&Port::Bootstrap, message("", "nonsense")),
        (&Port::Bootstrap, message("", &token(&Signer::new("thief"), 40, &json!({})))),
        (&Port::Bootstrap, with(json!({"sub": "nobody"}))),
        (&Port::Bootstrap, with(json!({"sub": "closed-app"}))),
        (&Port::Bootstrap, with(json!({"sub": "plain-app"}))),
        (&Port::Bootstrap, with(json!({"aud": "other"}))),
        (&Port::Bootstrap, message("", &token(&signer, -40, &json!({})))),
        (&Port::Bootstrap, message("a=somebody", &token(&signer, 40, &json!({})))),
        (&elsewhere, with(json!({}))),
    ] {
        let (answers, ended) = say(&shared, port, &[&wrong, "\x01"]).await;
        assert!(matches!(ended, Err(Close::AuthenticationFailed)), "{ended:?}");
        said.push(answers);
    }
    let [challenge, refusal] = &said[0][..] else { panic!("{said:?}") };
    assert_eq!((challenge.error_code, &challenge.auth_bytes[..]), (0, &br#"{"status":"invalid_token"}"#[..]));
    assert_eq!(refusal.error_code, 58);
    assert_eq!(refusal.error_message.as_ref().unwrap().as_str(), r#"{"status":"invalid_token"}"#);
    assert!(said.iter().all(|answers| *answers == said[0]), "{said:?}");
}

#[tokio::test]
async fn a_refused_client_does_not_get_a_second_try() {
    let (shared, _views, signer) = shared_for_tokens(impatient());
    let good = message("", &token(&signer, 40, &json!({})));
    let (answers, ended) = say(&shared, &Port::Bootstrap, &["nonsense", &good]).await;
    assert_eq!((answers[0].error_code, answers[1].error_code), (0, 58));
    assert!(ended.is_err());
}

#[tokio::test]
async fn a_zone_for_tokens_takes_no_secret() {
    let (shared, _views, _) = shared_for_tokens(impatient());
    let ended = at_the_desk_of(&shared, &Port::Bootstrap, |mut partner| async move {
        partner.write_all(&handshake(1, "PLAIN")).await.unwrap();
        let _: SaslHandshakeResponse = answer(&mut partner, 4, 1).await;
        partner.write_all(&super::token("acme-app", SECRET)).await.unwrap();
        let refused: SaslAuthenticateResponse = answer(&mut partner, 5, 2).await;
        assert_eq!(refused.error_code, 58);
    })
    .await;
    assert!(matches!(ended, Err(Close::AuthenticationFailed)));
}
