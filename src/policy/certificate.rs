//! A client's certificate, as far as it says who the client is. Whether it is to be believed is another question.

use sha2::{Digest as _, Sha256};
use thiserror::Error;
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::distinguished_name::{self, Unreadable};
use crate::zone::Fingerprint;

/// Why a certificate names nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NoSubject {
    #[error("it is no X.509 certificate")]
    NotACertificate,
    #[error("it has no subject")]
    Empty,
    #[error("its subject cannot be read: {0}")]
    Unreadable(#[from] Unreadable),
}

/// Of the bytes as they are: two encodings of one content are two certificates.
pub fn fingerprint(der: &[u8]) -> Fingerprint {
    Fingerprint::new(Sha256::digest(der).into())
}

/// Its subject as text.
pub fn subject(der: &[u8]) -> Result<String, NoSubject> {
    let certificate = parse(der).ok_or(NoSubject::NotACertificate)?;
    let text = distinguished_name::text(certificate.subject())?;
    if text.is_empty() { Err(NoSubject::Empty) } else { Ok(text) }
}

/// The last moment at which it is good; none if it is no certificate.
pub fn not_after(der: &[u8]) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(parse(der)?.validity().not_after.timestamp()).ok()
}

fn parse(der: &[u8]) -> Option<X509Certificate<'_>> {
    X509Certificate::from_der(der)
        .ok()
        .filter(|(rest, _)| rest.is_empty())
        .map(|(_, certificate)| certificate)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DnType, DnValue, KeyPair};
    use time::macros::datetime;

    use super::*;

    fn issued(edit: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        edit(&mut params);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn a_certificate_says_its_name_and_its_end() {
        let der = issued(|params| {
            params.distinguished_name.push(DnType::OrganizationName, "Acme, Inc.");
            params.distinguished_name.push(DnType::CommonName, "acme");
            params.not_after = datetime!(2031-02-03 04:05:06 UTC);
        });
        assert_eq!(subject(&der).as_deref(), Ok("CN=acme,O=Acme\\, Inc."));
        assert_eq!(not_after(&der), Some(datetime!(2031-02-03 04:05:06 UTC)));
        assert_eq!(
            subject(&[&der[..], &[0]].concat()),
            Err(NoSubject::NotACertificate),
            "one, and nothing else"
        );
        assert_ne!(fingerprint(&der), fingerprint(&[&der[..], &[0]].concat()));
    }

    #[test]
    fn a_name_that_is_none_is_refused() {
        assert_eq!(subject(&issued(|_| {})), Err(NoSubject::Empty));
        let control = issued(|params| {
            params.distinguished_name.push(DnType::CommonName, DnValue::Utf8String("a\nb".to_owned()));
        });
        assert_eq!(subject(&control), Err(NoSubject::Unreadable(Unreadable::Control)));
        assert_eq!(subject(b"nothing"), Err(NoSubject::NotACertificate));
        assert_eq!(not_after(b"nothing"), None);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(at in 0_usize..600, byte: u8, cut in 0_usize..700) {
            let mut der = issued(|params| params.distinguished_name.push(DnType::CommonName, "acme"));
            if let Some(place) = der.get_mut(at) {
                *place = byte;
            }
            der.truncate(cut);
            let _ = (subject(&der), not_after(&der));
        }
    }
}
