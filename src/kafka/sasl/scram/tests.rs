use proptest::prelude::*;

use super::*;

const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
/// The exchange of RFC 7677, section 3.
const SERVER_FIRST: &[u8] =
    b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
const SERVER_FINAL: &[u8] = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

fn rfc7677() -> Scram {
    Scram::with_nonce(ScramHash::Sha256, "user", NONCE.to_owned())
}

fn proven() -> (Vec<u8>, ServerProof) {
    let challenged = rfc7677().challenged(SERVER_FIRST).unwrap();
    let salted = challenged.hash.salted_password(b"pencil", &challenged.salt, challenged.rounds);
    challenged.prove(&salted)
}

#[test]
fn the_exchange_of_rfc_7677_is_reproduced() {
    assert_eq!(rfc7677().first(), b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
    let (client_final, proof) = proven();
    assert_eq!(
        String::from_utf8(client_final).unwrap(),
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    );
    assert_eq!(proof.verify(SERVER_FINAL), Ok(()));
}

#[test]
fn a_server_that_does_not_know_the_password_is_found_out() {
    let (_, proof) = proven();
    let forged = b"v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
    assert_eq!(proof.verify(forged), Err(ScramError::ServerSignature));
    let (_, proof) = proven();
    assert_eq!(proof.verify(b"v="), Err(ScramError::ServerSignature));
}

#[test]
fn a_refusal_is_told_with_the_servers_code() {
    let (_, proof) = proven();
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
            rfc7677().challenged(server_first).map(|_| ()),
            Err(expected),
            "{}",
            server_first.escape_ascii()
        );
    }
}

#[test]
fn names_with_separators_are_escaped_and_nonces_differ() {
    let scram = Scram::new(ScramHash::Sha512, "a=b,c");
    assert!(scram.first().starts_with(b"n,,n=a=3Db=2Cc,r="));
    assert_ne!(scram.nonce, Scram::new(ScramHash::Sha512, "a=b,c").nonce);
    assert!(!scram.nonce.contains(','));
}

proptest! {
    #[test]
    fn whatever_a_server_sends_never_panics(first in proptest::collection::vec(any::<u8>(), 0..120), last: Vec<u8>) {
        let _ = rfc7677().challenged(&first);
        let proof = ServerProof { expected: Zeroizing::new(vec![1; 32]) };
        prop_assert!(proof.verify(&last).is_err());
    }

}
