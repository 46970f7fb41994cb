//! SCRAM as a client of the brokers: a server's messages, split at a NUL.

use crate::kafka::sasl::Scram;
use crate::sasl::ScramHash;

pub(super) fn run(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == 0);
    let (first, last) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    for hash in [ScramHash::Sha256, ScramHash::Sha512] {
        let scram = Scram::new(hash, "gateway");
        let said = scram.first();
        let nonce = said.rsplit(|byte| *byte == b'=').next().unwrap();
        // The server's nonce has to continue ours, which nobody can guess.
        let first = [b"r=", nonce, first].concat();
        if let Ok(challenged) = scram.challenged(&first) {
            assert!((4096..=1_000_000).contains(&challenged.rounds));
            let (_, proof) = challenged.prove(&[7; 32]);
            assert!(proof.verify(last).is_err(), "who does not know the password proved that it does");
        }
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let first = b"3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096";
    [&b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="[..], b"e=invalid-proof"]
        .map(|last| [first, &b"\0"[..], last].concat())
        .into()
}
