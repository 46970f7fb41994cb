//! What a zone says about its partner's certificates.

use std::collections::BTreeSet;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::zone::{AuthenticationMode, Certificates, Fingerprint};

use super::super::code::Code;
use super::super::fault::DocumentFault;
use super::super::finding::quote;
use super::super::v2;
use super::Reader;
use super::values::Refused;

/// Authorities of one zone: a partner has one or two, and an old and a new one while they are replaced.
const MOST: usize = 20;

/// Fingerprints of one zone. Whoever has more replaces the authority.
const MOST_REVOKED: usize = 1_000;

const CA: &str = "/spec/authenticationMode/ca";
const REVOKED: &str = "/spec/authenticationMode/revoked";

impl Reader<'_> {
    /// None if something is wrong with them.
    pub(super) fn certificates(
        &mut self,
        mode: AuthenticationMode,
        part: &v2::AuthenticationMode,
    ) -> Option<Certificates> {
        let given = [(part.ca.is_some(), CA), (!part.revoked.is_empty(), REVOKED)];
        for (_, pointer) in given.iter().filter(|(given, _)| *given && mode != AuthenticationMode::Mtls) {
            let field = pointer.rsplit('/').next().unwrap_or_default();
            let message =
                format!("`{field}` is about certificates, and with this type nobody logs in by one");
            let fault = DocumentFault::new(Code::UnknownField, *pointer, message);
            self.fault(fault.help(format!("remove `{field}`, or write `type: MTLS`")).on_key());
        }
        let ca = part.ca.as_deref().map_or(Ok(Vec::new()), authorities);
        let ca = self.value(CA, ca);
        if part.revoked.len() > MOST_REVOKED {
            let message = format!("{} fingerprints, at most {MOST_REVOKED} are taken", part.revoked.len());
            let help = "give the partner certificates of another authority, and name that one under `ca`";
            self.fault(DocumentFault::new(Code::InvalidValue, REVOKED, message).help(help));
            return None;
        }
        let revoked = part
            .revoked
            .iter()
            .enumerate()
            .map(|(index, text)| self.value(&format!("{REVOKED}/{index}"), fingerprint(text)));
        let revoked: Option<BTreeSet<_>> = revoked.collect();
        Some(Certificates { ca: ca?, revoked: revoked? })
    }
}

fn fingerprint(text: &str) -> Result<Fingerprint, Refused> {
    Fingerprint::try_from(text).map_err(|error| Refused {
        message: format!("{} {error}", quote(text)),
        help: "write what `openssl x509 -in partner.crt -noout -fingerprint -sha256` shows",
    })
}

/// In the order of the file. What is around them, such as `openssl x509 -text` writes it, is left out.
fn authorities(pem: &str) -> Result<Vec<Arc<[u8]>>, Refused> {
    let refused = |message: String| Refused {
        message,
        help: "write one or more `-----BEGIN CERTIFICATE-----` blocks after `ca: |`",
    };
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let read = read.map_err(|error| refused(format!("`ca` is not valid PEM: {error}")))?;
    match read.len() {
        0 => return Err(refused("`ca` holds no certificate in PEM form".to_owned())),
        1..=MOST => {}
        many => return Err(refused(format!("`ca` holds {many} certificates, at most {MOST} are taken"))),
    }
    let is_certificate =
        |der: &CertificateDer<'_>| X509Certificate::from_der(der).is_ok_and(|(rest, _)| rest.is_empty());
    match read.iter().position(|der| !is_certificate(der)) {
        Some(index) => Err(refused(format!("block {} of `ca` is no X.509 certificate", index + 1))),
        None => Ok(read.iter().map(|der| Arc::from(der.as_ref())).collect()),
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};
    use serde_json::{Value, json};

    use super::super::super::document::{from_document, to_document, to_yaml};
    use super::super::read;
    use super::*;
    use crate::zone::PartnerZone;

    fn certificate() -> (Arc<[u8]>, String) {
        let signed = CertificateParams::default().self_signed(&KeyPair::generate().unwrap()).unwrap();
        (Arc::from(signed.der().as_ref()), signed.pem())
    }

    fn document(authentication: &Value) -> Value {
        json!({
            "apiVersion": "v2", "kind": "PartnerZone", "metadata": {"name": "acme"},
            "spec": {
                "cluster": "gateway", "authenticationMode": authentication,
                "topics": [{"name": "a", "backingTopic": "x", "permission": "READ"}],
            },
        })
    }

    fn zone(authentication: &Value) -> PartnerZone {
        let reading = read(&document(authentication));
        reading.zone.unwrap_or_else(|| panic!("{:?}", reading.faults))
    }

    fn faults(authentication: &Value) -> Vec<(Code, String)> {
        let reading = read(&document(authentication));
        assert!(reading.zone.is_none());
        reading.faults.into_iter().map(|fault| (fault.finding.code, fault.pointer)).collect()
    }

    #[test]
    fn authorities_and_fingerprints_are_read_and_written_in_one_form() {
        let ((first, first_pem), (second, second_pem)) = (certificate(), certificate());
        let print = "AB:".repeat(31) + "AB";
        let read = zone(&json!({
            "type": "MTLS", "serviceAccount": "CN=acme, Inc.",
            "ca": format!("words before\r\n{first_pem}words between\n{}", second_pem.trim_end()),
            "revoked": [print, "ab".repeat(32)],
        }));
        assert_eq!(read.authentication.certificates.ca, [first, second]);
        let written = to_document(&read);
        let part = &written["spec"]["authenticationMode"];
        assert_eq!(part["ca"], json!((first_pem + &second_pem).replace("\r\n", "\n")));
        assert_eq!(part["revoked"], json!(["ab".repeat(32)]));
        assert_eq!(from_document(&written).unwrap(), read);
        assert!(to_yaml(&read).unwrap().contains("ca: |\n"), "{}", to_yaml(&read).unwrap());
    }

    #[test]
    fn what_is_no_certificate_or_fingerprint_is_said_at_its_place() {
        let mtls = |field: &str, value: Value| {
            faults(&json!({"type": "MTLS", "serviceAccount": "acme", field: value}))
        };
        let (_, pem) = certificate();
        let not_one = pem.replace("-----\n", "-----\nAAAA");
        for bad in ["", "partner.crt", &pem[..100], &not_one, &pem.repeat(MOST + 1)] {
            assert_eq!(mtls("ca", json!(bad)), [(Code::InvalidValue, CA.to_owned())], "{bad}");
        }
        let at = |index| (Code::InvalidValue, format!("{REVOKED}/{index}"));
        assert_eq!(mtls("revoked", json!(["ab".repeat(32), "acme"])), [at(1)]);
        let many = vec!["ab".repeat(32); MOST_REVOKED + 1];
        assert_eq!(mtls("revoked", json!(many)), [(Code::InvalidValue, REVOKED.to_owned())]);
    }

    #[test]
    fn where_nobody_logs_in_by_certificate_nothing_is_said_about_them() {
        let (_, pem) = certificate();
        let given =
            json!({"type": "PLAIN", "serviceAccount": "acme", "ca": pem, "revoked": ["ab".repeat(32)]});
        let other = |pointer: &str| (Code::UnknownField, pointer.to_owned());
        assert_eq!(faults(&given), [other(CA), other(REVOKED)]);
        let subject = |kind: &str| json!({"type": kind, "serviceAccount": "CN=acme,O=Acme"});
        zone(&subject("MTLS"));
        let account = "/spec/authenticationMode/serviceAccount".to_owned();
        assert_eq!(faults(&subject("PLAIN")), [(Code::InvalidName, account)]);
    }
}
