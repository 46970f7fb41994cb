use std::fs;

use rcgen::{CertificateParams, KeyPair};

use super::*;

fn pair() -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["broker.example.com".to_owned()]).unwrap().self_signed(&key);
    (certificate.unwrap().pem(), key.serialize_pem())
}

#[test]
fn certificates_and_keys_are_read_in_any_company() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("all.pem");
    let ((certificate, key), (other, _)) = (pair(), pair());
    fs::write(&path, format!("some words\n{certificate}{key}{other}")).unwrap();
    assert_eq!(certificates(&path).unwrap().len(), 2);
    assert!(private_key(&path).is_ok());
    assert_eq!(authorities(&path).unwrap().len(), 2);
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f.pem");
    let told = |result: Result<(), TlsError>| {
        let text = result.unwrap_err().to_string();
        assert!(text.contains(path.to_str().unwrap()), "{text}");
        text
    };
    assert!(told(certificates(&path).map(drop)).contains("cannot be read"));
    let (certificate, key) = pair();
    fs::write(&path, &key).unwrap();
    assert!(told(certificates(&path).map(drop)).contains("holds no certificate"));
    fs::write(&path, &certificate).unwrap();
    assert!(told(private_key(&path).map(drop)).contains("holds no private key"));
    fs::write(&path, key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY")).unwrap();
    assert!(told(private_key(&path).map(drop)).contains("encrypted"));
    fs::write(&path, certificate.replace('M', "!")).unwrap();
    assert!(told(certificates(&path).map(drop)).contains("not valid PEM"));
    fs::write(&path, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    assert!(told(authorities(&path).map(drop)).contains("cannot be used as an authority"));
    fs::write(&path, vec![b'x'; usize::try_from(LARGEST_FILE).unwrap() + 1]).unwrap();
    assert!(told(certificates(&path).map(drop)).contains("at most"));
}
