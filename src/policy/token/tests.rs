use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64_URL;
use proptest::prelude::*;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
};
use serde_json::{Value, json};
use time::ext::NumericalDuration as _;

use super::fixture::{ISSUER, NOW, Signer, claims, key_set, rules};
use super::*;

fn checked(token: &str, keys: &KeySet, rules: &Rules, now: OffsetDateTime) -> Result<Bearer, Refusal> {
    Unverified::parse(token)?.check(keys, rules, now)
}

/// A token of this issuer with these claims, at this second.
fn with(changes: &Value, second: i64) -> Result<Bearer, Refusal> {
    let issuer = Signer::new("k");
    checked(&issuer.token(changes), &issuer.keys(), &rules(), NOW + second.seconds())
}

#[test]
fn a_good_token_tells_its_subject_and_its_end() {
    let good = with(&json!({}), 10).unwrap();
    assert_eq!(good, Bearer { subject: "acme-app".to_owned(), ends: NOW + 60.seconds() });
    for same in [
        json!({"aud": ["other", "kafka"]}),
        json!({"scope": null, "scp": "kafka"}),
        json!({"scope": null, "scp": ["profile", "kafka"]}),
        json!({"iat": null, "extra": {"deep": [1, 2]}}),
        json!({"exp": 60.9}),
    ] {
        assert_eq!(with(&same, 10).as_ref(), Ok(&good), "{same}");
    }
}

#[test]
fn claims_that_break_a_rule_are_refused_each_for_its_reason() {
    for (changes, reason) in [
        (json!({"iss": "https://other.example.com"}), Refusal::Issuer),
        (json!({"iss": format!("{ISSUER}/")}), Refusal::Issuer),
        (json!({"iss": [ISSUER]}), Refusal::Issuer),
        (json!({"iss": null}), Refusal::Issuer),
        (json!({"aud": "other"}), Refusal::Audience),
        (json!({"aud": "kafka profile"}), Refusal::Audience),
        (json!({"aud": {"kafka": true}}), Refusal::Audience),
        (json!({"aud": null}), Refusal::Audience),
        (json!({"scope": "kafkas profile"}), Refusal::Scope),
        (json!({"scope": null}), Refusal::Scope),
        (json!({"sub": null}), Refusal::Subject),
        (json!({"sub": 7}), Refusal::Subject),
        (json!({"exp": null}), Refusal::Expired),
        (json!({"exp": "60"}), Refusal::Expired),
        (json!({"exp": 1e300}), Refusal::Expired),
        (json!({"exp": i64::MAX}), Refusal::Expired),
        (json!({"exp": -1}), Refusal::Expired),
        (json!({"nbf": 100}), Refusal::NotYet),
        (json!({"nbf": "soon"}), Refusal::NotYet),
        (json!({"iat": 100}), Refusal::NotYet),
    ] {
        assert_eq!(with(&changes, 30), Err(reason), "{changes}");
    }
}

#[test]
fn clocks_may_differ_by_the_skew_at_both_ends_of_a_token() {
    assert!(with(&json!({"nbf": 40}), 10).is_ok());
    assert_eq!(with(&json!({"nbf": 41}), 10), Err(Refusal::NotYet));
    let ends = |second| with(&json!({}), second).map(|bearer| (bearer.ends - NOW).whole_seconds());
    assert_eq!(ends(59), Ok(60), "its own end, not a moment later");
    assert_eq!(ends(60), Ok(90), "who is let in by the skew has the skew");
    assert_eq!(ends(89), Ok(90));
    assert_eq!(ends(90), Err(Refusal::Expired));
}

#[test]
fn another_claim_can_be_the_subject() {
    let issuer = Signer::new("k");
    let rules = Rules { subject_claim: "azp".to_owned(), ..rules() };
    let subject = |changes| checked(&issuer.token(&changes), &issuer.keys(), &rules, NOW);
    assert_eq!(subject(json!({"azp": "client-7"})).unwrap().subject, "client-7");
    assert_eq!(subject(json!({})), Err(Refusal::Subject));
}

/// `header` in front of good claims, with an EdDSA signature that is right.
fn under(header: &str) -> Result<Bearer, Refusal> {
    let issuer = Signer::new("k");
    checked(&issuer.signed(header, &claims().to_string()), &issuer.keys(), &rules(), NOW)
}

#[test]
fn only_a_signature_by_the_named_key_with_an_allowed_algorithm_counts() {
    assert!(under(r#"{"alg":"EdDSA","kid":"k"}"#).is_ok());
    for (header, reason) in [
        (r#"{"alg":"none","kid":"k"}"#, Refusal::Algorithm),
        (r#"{"alg":"None","kid":"k"}"#, Refusal::Algorithm),
        (r#"{"alg":"HS256","kid":"k"}"#, Refusal::Algorithm),
        (r#"{"alg":"eddsa","kid":"k"}"#, Refusal::Algorithm),
        (r#"{"kid":"k"}"#, Refusal::Malformed),
        (r#"{"alg":"EdDSA"}"#, Refusal::UnknownKey),
        (r#"{"alg":"EdDSA","kid":""}"#, Refusal::UnknownKey),
        (r#"{"alg":"EdDSA","kid":"other"}"#, Refusal::UnknownKey),
        (r#"{"alg":"EdDSA","kid":7}"#, Refusal::UnknownKey),
        // The key decides what is checked with it.
        (r#"{"alg":"ES256","kid":"k"}"#, Refusal::UnknownKey),
        (r#"{"alg":"RS256","kid":"k"}"#, Refusal::UnknownKey),
        (r#"{"alg":"EdDSA","kid":"k","crit":["exp"],"exp":1}"#, Refusal::Malformed),
        (r#"{"alg":"none","alg":"EdDSA","kid":"k"}"#, Refusal::Malformed),
        (r#"["EdDSA"]"#, Refusal::Malformed),
    ] {
        assert_eq!(under(header), Err(reason), "{header}");
    }
    let only_rsa = Rules { algorithms: vec![Algorithm::Rs256], ..rules() };
    let issuer = Signer::new("k");
    assert_eq!(
        checked(&issuer.token(&json!({})), &issuer.keys(), &only_rsa, NOW),
        Err(Refusal::Algorithm),
        "not allowed by the configuration"
    );
}

#[test]
fn a_key_that_the_token_brings_along_is_not_looked_at() {
    let (issuer, thief) = (Signer::new("k"), Signer::new("thief"));
    let header = json!({"alg": "EdDSA", "kid": "k", "jwk": thief.jwk(), "jku": "https://thief.example.com"});
    let token = thief.signed(&header.to_string(), &claims().to_string());
    assert_eq!(checked(&token, &issuer.keys(), &rules(), NOW), Err(Refusal::Signature));
}

#[test]
fn the_public_key_is_no_shared_secret() {
    let issuer = Signer::new("k");
    let public = issuer.jwk()["x"].as_str().unwrap().to_owned();
    let signed = format!(
        "{}.{}",
        BASE64_URL.encode(r#"{"alg":"HS256","kid":"k"}"#),
        BASE64_URL.encode(claims().to_string())
    );
    for secret in [public.clone().into_bytes(), BASE64_URL.decode(&public).unwrap()] {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &secret);
        let signature = BASE64_URL.encode(ring::hmac::sign(&key, signed.as_bytes()));
        let token = format!("{signed}.{signature}");
        assert_eq!(checked(&token, &issuer.keys(), &rules(), NOW), Err(Refusal::Algorithm));
    }
}

#[test]
fn what_is_no_token_is_refused_before_it_costs_anything() {
    let issuer = Signer::new("k");
    let good = issuer.token(&json!({}));
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (header, body) = signed.split_once('.').unwrap();
    let twice = claims().to_string().replacen('{', r#"{"sub":"other-app","#, 1);
    let long = "x".repeat(MAX_TOKEN);
    for bad in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "opaque".to_owned(),
        signed.to_owned(),
        format!("{good}.{signature}"),
        format!("{good}=") + "x",
        format!("{header}.{}.{signature}", BASE64_URL.encode("no json")),
        format!("{header}.{}.{signature}", BASE64_URL.encode("[]")),
        format!("{header}.{}.{signature}", BASE64_URL.encode("[".repeat(10_000))),
        format!("{header}.{body}.{signature}{long}"),
        issuer.signed(&json!({"alg": "EdDSA", "kid": "k"}).to_string(), &twice),
    ] {
        assert_eq!(checked(&bad, &issuer.keys(), &rules(), NOW), Err(Refusal::Malformed), "{bad:.80}");
    }
    // Every part is under the signature.
    let other = issuer.token(&json!({"sub": "other-app"}));
    let others_body = other.split('.').nth(1).unwrap();
    for bad in [
        format!("{header}.{others_body}.{signature}"),
        format!("{signed}."),
        format!("{signed}.{}", BASE64_URL.encode([0; 64])),
    ] {
        assert_eq!(checked(&bad, &issuer.keys(), &rules(), NOW), Err(Refusal::Signature), "{bad:.80}");
    }
}

#[test]
fn every_kind_of_key_verifies_its_own_algorithms() {
    let rng = SystemRandom::new();
    let curves = [
        (Algorithm::Es256, "P-256", &ECDSA_P256_SHA256_FIXED_SIGNING),
        (Algorithm::Es384, "P-384", &ECDSA_P384_SHA384_FIXED_SIGNING),
    ];
    for (algorithm, curve, signing) in curves {
        let pair = EcdsaKeyPair::generate_pkcs8(signing, &rng).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(signing, pair.as_ref(), &rng).unwrap();
        let point = &pair.public_key().as_ref()[1..];
        let (x, y) = point.split_at(point.len() / 2);
        let jwk = json!({"kty": "EC", "crv": curve, "kid": "k", "x": BASE64_URL.encode(x), "y": BASE64_URL.encode(y)});
        let signature = pair.sign(&rng, b"header.claims").unwrap();
        assert_only(algorithm, &key_set(&[jwk]), signature.as_ref());
    }
    let rsa: Value = serde_json::from_str(include_str!("rsa.json")).unwrap();
    let keys = key_set(&[json!({"kty": "RSA", "kid": "k", "n": rsa["n"], "e": rsa["e"]})]);
    for (name, signature) in rsa["signatures"].as_object().unwrap() {
        let signature = BASE64_URL.decode(signature.as_str().unwrap()).unwrap();
        assert_only(name.parse().unwrap(), &keys, &signature);
    }
}

/// The signature of `header.claims` is good by this algorithm and by no other.
fn assert_only(algorithm: Algorithm, keys: &KeySet, signature: &[u8]) {
    for other in Algorithm::ALL {
        let verified = keys.verifies("k", other, b"header.claims", signature).unwrap_or(false);
        assert_eq!(verified, other == algorithm, "a signature by {algorithm} as one by {other}");
    }
    assert_eq!(keys.verifies("k", algorithm, b"header.claimz", signature), Some(false));
}

#[test]
fn a_key_set_keeps_what_is_for_signatures_and_no_more_than_a_bounded_number() {
    let good = Signer::new("k").jwk();
    let changed = |name: &str, value: Value| {
        let mut key = good.clone();
        key[name] = value;
        key
    };
    let parse = |keys: &[Value]| KeySet::parse(json!({ "keys": keys }).to_string().as_bytes());
    let weak = BASE64_URL.encode([0xff; 128]);
    for useless in [
        changed("use", "enc".into()),
        changed("key_ops", json!(["encrypt"])),
        changed("alg", "HS256".into()),
        changed("kid", Value::Null),
        changed("crv", "X25519".into()),
        changed("x", "AAAA".into()),
        changed("kty", "oct".into()),
        json!({"kty": "RSA", "kid": "k", "n": weak, "e": "AQAB"}),
        json!("k"),
    ] {
        assert_eq!(parse(std::slice::from_ref(&useless)), Err(NotAKeySet::NoUsableKey), "{useless}");
        assert!(parse(&[useless, good.clone()]).unwrap().knows("k", Algorithm::EdDsa));
    }
    let for_another = changed("alg", "RS256".into());
    assert!(!parse(&[for_another]).unwrap().knows("k", Algorithm::EdDsa));
    assert_eq!(parse(&[]), Err(NotAKeySet::NoUsableKey));
    assert_eq!(parse(&vec![good; 65]), Err(NotAKeySet::TooMany));
    assert_eq!(KeySet::parse(b"<html>"), Err(NotAKeySet::Json));
}

#[test]
fn two_keys_of_one_name_are_both_tried() {
    let (old, new) = (Signer::new("same"), Signer::new("k"));
    let mut renamed = new.jwk();
    renamed["kid"] = "same".into();
    let keys = key_set(&[old.jwk(), renamed]);
    let header = r#"{"alg":"EdDSA","kid":"same"}"#;
    for signer in [old, new] {
        assert!(checked(&signer.signed(header, &claims().to_string()), &keys, &rules(), NOW).is_ok());
    }
}

proptest! {
    #[test]
    fn no_text_panics_or_passes(text in "[A-Za-z0-9_.=-]{0,200}") {
        prop_assert!(checked(&text, &Signer::new("k").keys(), &rules(), NOW).is_err());
    }

    #[test]
    fn no_claims_panic(name in "exp|nbf|iat|aud|scope|scp|sub|iss", number in any::<f64>(), whole in any::<i64>()) {
        let _ = with(&json!({ name.clone(): number }), 0);
        let _ = with(&json!({ name: whole }), 0);
    }
}
