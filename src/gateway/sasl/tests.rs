use std::sync::Arc;

use super::super::fixture::{KEY_ID, LOCAL, SECRET, clusters, served, view, zone};
use super::*;
use crate::kafka::sasl::Scram;
use crate::policy::ServedZone;
use crate::policy::verifier::{Salts, verifiers};
use crate::zone::AuthenticationMode;

const SCRAM: [Mechanism; 2] = [Mechanism::ScramSha256, Mechanism::ScramSha512];

/// Zone `acme` of this mode, whose credential has every verifier.
fn scram_zone(mode: AuthenticationMode) -> ServedZone {
    let mut zone = zone("acme", &[]);
    Arc::make_mut(&mut zone.zone).authentication.mode = mode;
    let mut credential = (*zone.credentials[0]).clone();
    let salts = Salts { plain: [1; 16], sha256: [2; 16], sha512: [3; 16] };
    let all = verifiers(SECRET, &salts, 4096);
    (credential.plain, credential.scram) = (all.plain, all.scram);
    zone.credentials = vec![Arc::new(credential)];
    zone
}

fn moment(zone: ServedZone) -> GatewayView {
    view(&served(1, vec![zone]), &clusters(&[]))
}

const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

/// Runs an exchange with our own client side up to the proof.
fn until_proof(view: &GatewayView, mechanism: Mechanism, user: &str, secret: &str) -> Option<Proof> {
    let scram = Scram::new(mechanism.scram().unwrap(), user);
    let first = scram.first();
    let Step::Challenge(text, attempt) = Attempt::new(mechanism).advance(view, LOCAL, &first, NOW) else {
        return None;
    };
    let challenged = scram.challenged(&text).unwrap();
    let salted = challenged.hash.salted_password(secret.as_bytes(), &challenged.salt, challenged.rounds);
    let (message, answer) = challenged.prove(&salted);
    Some(Proof { attempt, message, answer })
}

struct Proof {
    attempt: Attempt,
    message: Vec<u8>,
    answer: crate::kafka::sasl::ServerProof,
}

fn log_in(view: &GatewayView, mechanism: Mechanism, user: &str, secret: &str) -> Option<Login> {
    let Proof { attempt, message, answer } = until_proof(view, mechanism, user, secret).unwrap();
    match attempt.advance(view, LOCAL, &message, NOW) {
        Step::Accepted(last, login) => {
            answer.verify(&last).unwrap();
            Some(login)
        }
        Step::Refused => None,
        Step::Challenge(..) => panic!("a third message"),
    }
}

#[test]
fn scram_opens_the_zone_with_the_key_id_and_its_secret_only() {
    for mode in [AuthenticationMode::Plain, AuthenticationMode::Scram] {
        let view = moment(scram_zone(mode));
        for mechanism in SCRAM {
            let login = log_in(&view, mechanism, KEY_ID, SECRET).unwrap();
            assert_eq!(
                (login.zone.name.as_str(), login.proof.is_by(Method::Secret(mechanism))),
                ("acme", true)
            );
            assert!(view.admitted(&login).is_some());
            for (user, secret) in [(KEY_ID, "wrong"), ("acme-app", SECRET), ("nobody", SECRET)] {
                assert!(log_in(&view, mechanism, user, secret).is_none(), "{user}");
            }
        }
    }
}

#[test]
fn a_zone_for_scram_takes_plain_from_nobody_and_cuts_those_who_came_with_it() {
    let plain = |view: &GatewayView, user: &str| {
        plain::authenticate(view, LOCAL, format!("\0{user}\0{SECRET}").as_bytes(), NOW)
    };
    let before = moment(scram_zone(AuthenticationMode::Plain));
    let after = moment(scram_zone(AuthenticationMode::Scram));
    for user in ["acme-app", KEY_ID] {
        let login = plain(&before, user).unwrap();
        assert!(plain(&after, user).is_none());
        assert!(after.admitted(&login).is_none(), "{user} stays connected by PLAIN");
    }
    let login = log_in(&before, Mechanism::ScramSha512, KEY_ID, SECRET).unwrap();
    assert!(after.admitted(&login).is_some());
}

#[test]
fn a_credential_from_before_scram_is_refused_like_a_wrong_one() {
    let view = moment(zone("acme", &[]));
    for mechanism in SCRAM {
        assert!(log_in(&view, mechanism, KEY_ID, SECRET).is_none());
    }
}

/// What the server tells of a name: its salt and rounds.
fn salt_and_rounds(view: &GatewayView, user: &str) -> String {
    let first = format!("n,,n={user},r=abc");
    let step = Attempt::new(Mechanism::ScramSha256).advance(view, LOCAL, first.as_bytes(), NOW);
    let Step::Challenge(text, _) = step else { panic!("{step:?}") };
    let text = String::from_utf8(text).unwrap();
    text.split_once(",s=").unwrap().1.to_owned()
}

#[test]
fn a_name_that_nobody_has_is_challenged_like_one_that_somebody_has() {
    let view = moment(scram_zone(AuthenticationMode::Scram));
    let real = salt_and_rounds(&view, KEY_ID);
    assert_eq!(real, salt_and_rounds(&view, KEY_ID));
    for nobody in ["nobody", "acme-app", "pz000000000000000a"] {
        let told = salt_and_rounds(&view, nobody);
        assert_eq!(told, salt_and_rounds(&view, nobody), "one salt, however often it is asked for");
        assert_ne!(told, real);
        assert_eq!(told.len(), real.len());
        assert_eq!(told.split_once(',').unwrap().1, real.split_once(',').unwrap().1);
    }
    assert_ne!(salt_and_rounds(&view, "anna"), salt_and_rounds(&view, "berta"));
}

#[test]
fn a_proof_is_good_for_its_own_exchange_and_for_as_long_as_the_credential_is() {
    let view = moment(scram_zone(AuthenticationMode::Scram));
    let begin = || until_proof(&view, Mechanism::ScramSha256, KEY_ID, SECRET).unwrap();
    let refused = |attempt: Attempt, view: &GatewayView, message: &[u8]| {
        matches!(attempt.advance(view, LOCAL, message, NOW), Step::Refused)
    };
    let (one, other) = (begin(), begin());
    assert!(refused(one.attempt, &view, &other.message), "the proof of another exchange");
    let replayed = String::from_utf8(begin().message).unwrap();
    let (without, _) = replayed.split_once(",p=").unwrap();
    for bad in
        ["", "c=biws", without, "c=biws,r=x,p=", &format!("{without},p=*"), &replayed.replace("biws", "eSws")]
    {
        assert!(refused(begin().attempt, &view, bad.as_bytes()), "{bad}");
    }
    let gone = moment(ServedZone { credentials: Vec::new(), ..scram_zone(AuthenticationMode::Scram) });
    let late = begin();
    assert!(refused(late.attempt, &gone, &late.message), "revoked between challenge and proof");
}
