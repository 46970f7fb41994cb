//! Throw-away authorities and the certificates that they sign, as PEM files.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use super::kafka::unique;

/// An authority, in a folder of its own with all that it has signed.
pub(crate) struct Authority {
    folder: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, unique("authority"));
        let key = KeyPair::generate().unwrap();
        fs::write(folder.path().join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        Self { folder, issuer: Issuer::new(params, key) }
    }

    /// Signs a certificate for these hosts: `NAME.crt`, `NAME.key`, and both in `NAME.pem`, each replaced at once.
    pub(crate) fn issue(&self, name: &str, hosts: &[&str]) {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut params = CertificateParams::new(hosts).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        self.sign(name, &params);
    }

    /// Signs a client's certificate with the subject `CN=…,O=Partners`, which `edit` can spoil, into the same files. Their path
    /// without an ending is given back.
    pub(crate) fn issue_client(
        &self,
        name: &str,
        common_name: &str,
        edit: impl FnOnce(&mut CertificateParams),
    ) -> PathBuf {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "Partners");
        params.distinguished_name.push(DnType::CommonName, common_name);
        edit(&mut params);
        self.sign(name, &params);
        self.file(name)
    }

    fn sign(&self, name: &str, params: &CertificateParams) {
        let key = KeyPair::generate().unwrap();
        let signed = params.signed_by(&key, &self.issuer).unwrap().pem();
        for (ending, text) in
            [("crt", signed.clone()), ("key", key.serialize_pem()), ("pem", key.serialize_pem() + &signed)]
        {
            let next = self.file(&format!("{name}.{ending}.next"));
            fs::write(&next, text).unwrap();
            fs::rename(next, self.file(&format!("{name}.{ending}"))).unwrap();
        }
    }

    /// The authority's own certificate.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.file("ca.pem")
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}
