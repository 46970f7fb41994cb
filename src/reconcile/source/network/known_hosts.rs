//! `known_hosts` as OpenSSH writes it: which keys a host may show. Pure.
//!
//! Host certificates (`@cert-authority`) are not used: libssh2 does not ask for them.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use ring::hmac;
use sha2::{Digest, Sha256};

#[derive(Debug)]
pub(in crate::reconcile::source) struct KnownHosts(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    revoked: bool,
    hosts: Hosts,
    /// The key's wire form.
    key: Vec<u8>,
}

#[derive(Debug)]
enum Hosts {
    /// Separated by commas, with `*`, `?` and `!`.
    Patterns(Vec<String>),
    /// HMAC-SHA1 of the name under a salt.
    Hashed { salt: Vec<u8>, hash: Vec<u8> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::reconcile::source) enum Verdict {
    Known,
    /// The host is not in the file.
    UnknownHost,
    /// The host is there, but with no key of this kind.
    OtherKind,
    /// The host is there with another key of this kind.
    Changed,
    Revoked,
}

impl KnownHosts {
    /// Lines that cannot be read vouch for nobody and are left out, as OpenSSH does; comments too.
    pub(in crate::reconcile::source) fn parse(text: &str) -> Self {
        Self(text.lines().filter_map(entry).collect())
    }

    /// Whether `host` may show `key`, given in its wire form.
    pub(in crate::reconcile::source) fn judge(&self, host: &str, port: u16, key: &[u8]) -> Verdict {
        let name = name(host, port);
        let of_host: Vec<&Entry> = self.0.iter().filter(|entry| entry.hosts.covers(&name)).collect();
        if of_host.iter().any(|entry| entry.revoked && entry.key == key) {
            return Verdict::Revoked;
        }
        let trusted = || of_host.iter().filter(|entry| !entry.revoked);
        // An empty key has no kind and is nobody's.
        if !key.is_empty() && trusted().any(|entry| entry.key == key) {
            Verdict::Known
        } else if trusted().any(|entry| kind(&entry.key) == kind(key)) {
            Verdict::Changed
        } else if trusted().next().is_some() {
            Verdict::OtherKind
        } else {
            Verdict::UnknownHost
        }
    }
}

impl Verdict {
    /// What is wrong and what to do.
    pub(in crate::reconcile::source) fn explain(self, host: &str, port: u16, key: &[u8]) -> String {
        let shown = format!("{} SHA256:{}", kind(key), STANDARD_NO_PAD.encode(Sha256::digest(key)));
        let scan = format!("ssh-keyscan -p {port} {host}");
        match self {
            Self::Known => format!("{shown} is known"),
            Self::UnknownHost => format!(
                "{} is not in source.auth.knownHostsFile; it shows {shown}: compare that with what its operator says, and \
                 add the lines of `{scan}`",
                name(host, port)
            ),
            Self::OtherKind => format!(
                "source.auth.knownHostsFile has other kinds of keys for {}, and it shows {shown}: compare that with what \
                 its operator says, and add all lines of `{scan}`",
                name(host, port)
            ),
            Self::Changed => format!(
                "THE HOST KEY HAS CHANGED: {} shows {shown}, and source.auth.knownHostsFile has another; somebody may be \
                 in between. Ask its operator before you replace the line",
                name(host, port)
            ),
            Self::Revoked => format!(
                "{} shows {shown}, which source.auth.knownHostsFile has as @revoked",
                name(host, port)
            ),
        }
    }
}

/// As the file spells a host.
fn name(host: &str, port: u16) -> String {
    let host = host.trim_matches(['[', ']']).to_ascii_lowercase();
    if port == 22 { host } else { format!("[{host}]:{port}") }
}

/// The kind that a key's wire form begins with.
fn kind(key: &[u8]) -> String {
    let length = key.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes));
    let end = usize::try_from(length).unwrap_or(usize::MAX).saturating_add(4);
    String::from_utf8_lossy(key.get(4..end).unwrap_or_default()).into_owned()
}

/// `[@marker] hosts kind key [comment]`.
fn entry(line: &str) -> Option<Entry> {
    let mut fields = line.split_ascii_whitespace();
    let first = fields.next().filter(|first| !first.starts_with('#'))?;
    let (revoked, hosts) = match first {
        "@revoked" => (true, fields.next()?),
        other if other.starts_with('@') => return None,
        hosts => (false, hosts),
    };
    let wanted = fields.next()?;
    let key = STANDARD.decode(fields.next()?).ok()?;
    (kind(&key) == wanted).then_some(())?;
    Some(Entry { revoked, hosts: Hosts::parse(hosts)?, key })
}

impl Hosts {
    fn parse(text: &str) -> Option<Self> {
        let Some(hashed) = text.strip_prefix("|1|") else {
            return Some(Self::Patterns(text.split(',').map(str::to_ascii_lowercase).collect()));
        };
        let (salt, hash) = hashed.split_once('|')?;
        Some(Self::Hashed { salt: STANDARD.decode(salt).ok()?, hash: STANDARD.decode(hash).ok()? })
    }

    fn covers(&self, name: &str) -> bool {
        match self {
            Self::Patterns(patterns) => {
                let matches = |pattern: &str| matches(pattern.as_bytes(), name.as_bytes());
                let denied = patterns.iter().filter_map(|it| it.strip_prefix('!')).any(matches);
                !denied && patterns.iter().filter(|it| !it.starts_with('!')).any(|it| matches(it))
            }
            Self::Hashed { salt, hash } => {
                let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, salt);
                hmac::verify(&key, name.as_bytes(), hash).is_ok()
            }
        }
    }
}

/// `*` is any number of characters and `?` is one. Linear in the name for each star.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut in_name) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while in_name < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, in_name));
                at += 1;
            }
            Some(wanted) if *wanted == b'?' || name.get(in_name) == Some(wanted) => {
                at += 1;
                in_name += 1;
            }
            _ => {
                let Some((star_at, taken)) = star else { return false };
                star = Some((star_at, taken + 1));
                (at, in_name) = (star_at + 1, taken + 1);
            }
        }
    }
    pattern.get(at..).unwrap_or_default().iter().all(|rest| *rest == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(kind: &str, body: u8) -> Vec<u8> {
        let mut key = u32::try_from(kind.len()).unwrap().to_be_bytes().to_vec();
        key.extend(kind.as_bytes());
        key.extend([0, 0, 0, 1, body]);
        key
    }

    fn line(hosts: &str, key: &[u8]) -> String {
        format!("{hosts} {} {} a comment\n", kind(key), STANDARD.encode(key))
    }

    const ED: &str = "ssh-ed25519";

    #[test]
    fn a_key_is_compared_byte_for_byte_and_the_refusal_says_what_differs() {
        let (good, other, rsa) = (key(ED, 1), key(ED, 2), key("ssh-rsa", 1));
        let known = KnownHosts::parse(&format!("# hosts\n\nnonsense\n{}", line("git.example.com", &good)));
        assert_eq!(known.judge("Git.Example.Com", 22, &good), Verdict::Known);
        assert_eq!(known.judge("git.example.com", 22, &other), Verdict::Changed);
        assert_eq!(known.judge("git.example.com", 22, &rsa), Verdict::OtherKind);
        assert_eq!(known.judge("git.example.com", 22, &[]), Verdict::OtherKind);
        assert_eq!(known.judge("git.example.org", 22, &good), Verdict::UnknownHost);
        assert_eq!(known.judge("git.example.com", 2222, &good), Verdict::UnknownHost);
        assert_eq!(KnownHosts::parse("").judge("h", 22, &good), Verdict::UnknownHost);
    }

    #[test]
    fn other_ports_patterns_and_negation_are_as_openssh_has_them() {
        let good = key(ED, 1);
        let judge =
            |hosts: &str, host: &str, port| KnownHosts::parse(&line(hosts, &good)).judge(host, port, &good);
        assert_eq!(judge("[git.example.com]:2222", "git.example.com", 2222), Verdict::Known);
        assert_eq!(judge("[git.example.com]:2222", "git.example.com", 22), Verdict::UnknownHost);
        assert_eq!(judge("*.example.com,10.0.0.?", "a.b.example.com", 22), Verdict::Known);
        assert_eq!(judge("*.example.com,10.0.0.?", "10.0.0.7", 22), Verdict::Known);
        assert_eq!(judge("*.example.com,!bad.example.com", "bad.example.com", 22), Verdict::UnknownHost);
        assert_eq!(judge("*.example.com", "example.com", 22), Verdict::UnknownHost);
    }

    #[test]
    fn a_hashed_name_is_recognised() {
        let good = key(ED, 1);
        let salt = [7; 20];
        let hmac =
            hmac::sign(&hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &salt), b"git.example.com");
        let hosts = format!("|1|{}|{}", STANDARD.encode(salt), STANDARD.encode(hmac));
        let known = KnownHosts::parse(&line(&hosts, &good));
        assert_eq!(known.judge("git.example.com", 22, &good), Verdict::Known);
        assert_eq!(known.judge("git.example.org", 22, &good), Verdict::UnknownHost);
    }

    #[test]
    fn a_revoked_key_is_refused_wherever_it_stands_and_authorities_vouch_for_no_key() {
        let good = key(ED, 1);
        let both = format!("{}@revoked {}", line("h", &good), line("*", &good));
        assert_eq!(KnownHosts::parse(&both).judge("h", 22, &good), Verdict::Revoked);
        let authority = format!("@cert-authority {}", line("h", &good));
        assert_eq!(KnownHosts::parse(&authority).judge("h", 22, &good), Verdict::UnknownHost);
    }
}
