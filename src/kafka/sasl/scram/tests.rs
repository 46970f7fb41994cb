use proptest::prelude::*;

use super::*;

const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
/// The exchange of RFC 7677, section 3.
const SERVER_FIRST: &[u8] =
    b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
const SERVER_FINAL: &[u8] = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

fn rfc7677() -> Scram {
    Scram::with_nonce(Hash::Sha256, "user", secret("pencil"), NONCE.to_owned())
}

#[test]
fn the_exchange_of_rfc_7677_is_reproduced() {
    let scram = rfc7677();
    assert_eq!(scram.first(), b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
    let (client_final, proof) = scram.respond(SERVER_FIRST).unwrap();
    assert_eq!(
        String::from_utf8(client_final).unwrap(),
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    );
    assert_eq!(proof.verify(SERVER_FINAL), Ok(()));
}

#[test]
fn a_server_that_does_not_know_the_password_is_found_out() {
    let (_, proof) = rfc7677().respond(SERVER_FIRST).unwrap();
    let forged = b"v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
    assert_eq!(proof.verify(forged), Err(ScramError::ServerSignature));
    let (_, proof) = rfc7677().respond(SERVER_FIRST).unwrap();
    assert_eq!(proof.verify(b"v="), Err(ScramError::ServerSignature));
}

#[test]
fn a_refusal_is_told_with_the_servers_code() {
    let (_, proof) = rfc7677().respond(SERVER_FIRST).unwrap();
    assert_eq!(proof.verify(b"e=invalid-proof"), Err(ScramError::Refused("invalid-proof".to_owned())));
}

#[test]
fn a_first_message_that_is_not_the_answer_to_ours_is_refused() {
    let cases: [(&[u8], ScramError); 8] = [
        (b"r=somebody-else,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", ScramError::Nonce),
        (b"r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", ScramError::Nonce),
        (b"r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1", ScramError::Iterations(1)),
        (
            b"r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4294967295",
            ScramError::Iterations(u32::MAX),
        ),
        (b"m=channel,r=rOprNGfwEbeRWgbNEkqOx,s=YQ==,i=4096", ScramError::Extension),
        (b"r=rOprNGfwEbeRWgbNEkqOx,s=*,i=4096", ScramError::Malformed),
        (b"r=rOprNGfwEbeRWgbNEkqOx,i=4096,s=YQ==", ScramError::Malformed),
        (b"\xff", ScramError::Malformed),
    ];
    for (server_first, expected) in cases {
        assert_eq!(
            rfc7677().respond(server_first).map(|_| ()),
            Err(expected),
            "{}",
            server_first.escape_ascii()
        );
    }
}

#[test]
fn names_with_separators_are_escaped_and_nonces_differ() {
    let scram = Scram::new(Hash::Sha512, "a=b,c", secret("x"));
    assert!(scram.first().starts_with(b"n,,n=a=3Db=2Cc,r="));
    assert_ne!(scram.nonce, Scram::new(Hash::Sha512, "a=b,c", secret("x")).nonce);
    assert!(!scram.nonce.contains(','));
}

proptest! {
    #[test]
    fn whatever_a_server_sends_never_panics(first in proptest::collection::vec(any::<u8>(), 0..120), last: Vec<u8>) {
        let _ = rfc7677().respond(&first);
        let proof = ServerProof { expected: Zeroizing::new(vec![1; 32]) };
        prop_assert!(proof.verify(&last).is_err());
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn both_hashes_authenticate_against_a_verifier_derived_on_the_other_side(password in "[ -~]{1,20}", salt: [u8; 8]) {
        for hash in [Hash::Sha256, Hash::Sha512] {
            let scram = Scram::with_nonce(hash, "user", secret(&password), NONCE.to_owned());
            let bare = scram.client_first_bare.clone();
            let server_first = format!("r={NONCE}srv,s={},i=4096", BASE64.encode(salt));
            let (client_final, proof) = scram.respond(server_first.as_bytes()).unwrap();
            let client_final = String::from_utf8(client_final).unwrap();
            let (without_proof, sent) = client_final.split_once(",p=").unwrap();
            // The server's half, from RFC 5802 section 3: StoredKey and ServerKey are all it has.
            let salted = hash.salted_password(&password, &salt, 4096);
            let stored = hash.digest(&hash.hmac(&salted, b"Client Key").unwrap());
            let signed = format!("{bare},{server_first},{without_proof}");
            let mask = hash.hmac(&stored, signed.as_bytes()).unwrap();
            let key: Vec<u8> = BASE64.decode(sent).unwrap().iter().zip(mask.iter()).map(|(a, b)| a ^ b).collect();
            prop_assert_eq!(hash.digest(&key), stored);
            let signature = hash.hmac(&hash.hmac(&salted, b"Server Key").unwrap(), signed.as_bytes()).unwrap();
            prop_assert_eq!(proof.verify(format!("v={}", BASE64.encode(&*signature)).as_bytes()), Ok(()));
        }
    }
}
