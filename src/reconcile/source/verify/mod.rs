//! Signatures of commits, checked in this process: `source.verify`.
//!
//! A commit is signed for its content and its parents, not for its place: an old signed commit stays signed for ever. That it
//! cannot come back is the history's rule ([`super::History`]), not a signature's.

mod keys;
mod sshsig;
mod wire;

use std::path::PathBuf;

use git2::{ErrorCode, Oid};

use self::keys::Keys;
pub use self::keys::Signer;
use self::sshsig::SshSig;
use super::SourceError;
use super::commit::author;
use super::history::History;
use super::mirror::Mirror;
use super::tree::WalkError;

/// More commits than this at once are not checked, and not read.
const MAX_COMMITS: usize = 50_000;

/// Which commits must be signed, and by whom.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Verify {
    #[default]
    Nothing,
    /// The commit that is read. What it merged may be unsigned.
    Head(PathBuf),
    /// Every commit since the one in force, of all parents. Where nothing is in force yet, the commit that is read.
    Range(PathBuf),
}

/// What is wrong with a commit's signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    #[error("is not signed")]
    Unsigned,
    #[error("is signed with a key that is not in source.verify.keys ({0})")]
    UnknownKey(String),
    #[error("has a signature that does not fit its content")]
    Bad,
    #[error(
        "has {0}, a kind of signature that is not checked here: sign with an SSH key (git config gpg.format ssh)"
    )]
    OtherKind(&'static str),
}

impl Verify {
    /// Who signed `head`, if that matters. Keys are read anew: one that was taken out of the folder counts no longer.
    pub(super) fn check(
        &self,
        mirror: &Mirror,
        reference: &str,
        head: Oid,
        history: &History,
    ) -> Result<Option<Signer>, WalkError> {
        let folder = match self {
            Self::Nothing => return Ok(None),
            Self::Head(folder) | Self::Range(folder) => folder,
        };
        let keys =
            Keys::load(folder).map_err(|cause| WalkError::Source(SourceError::VerifyKeys { cause }))?;
        if let Self::Range(_) = self {
            for commit in range(mirror, reference, head, history)? {
                signer(mirror, commit, &keys)?;
            }
        }
        signer(mirror, head, &keys).map(Some)
    }
}

/// All commits since the one in force. A commit that a person accepted begins a new history: it counts, what it follows does not.
fn range(mirror: &Mirror, reference: &str, head: Oid, history: &History) -> Result<Vec<Oid>, WalkError> {
    let mut known: Vec<Oid> = history.applied_commit(mirror, reference).into_iter().collect();
    if let Some(accepted) = history.accepted_commit(mirror)
        && mirror.follows(head, accepted)?
    {
        known.extend(mirror.commit(accepted)?.parent_ids());
    }
    if known.is_empty() {
        return Ok(vec![head]);
    }
    let commits = mirror.reached(head, &known, MAX_COMMITS + 1)?;
    if commits.len() > MAX_COMMITS {
        let limit = u64::try_from(MAX_COMMITS).unwrap_or(u64::MAX);
        return Err(WalkError::Source(SourceError::TooLarge { what: "the number of new commits", limit }));
    }
    Ok(commits)
}

fn signer(mirror: &Mirror, commit: Oid, keys: &Keys) -> Result<Signer, WalkError> {
    judge(mirror, commit, keys)?.map_err(|flaw| {
        let author = mirror.commit(commit).map(|commit| author(&commit)).unwrap_or_default();
        WalkError::Source(SourceError::Unverified { commit: commit.to_string(), author, flaw })
    })
}

fn judge(mirror: &Mirror, commit: Oid, keys: &Keys) -> Result<Result<Signer, Flaw>, git2::Error> {
    let header = mirror.commit(commit)?.raw_header_bytes().to_vec();
    let signatures = header.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"gpgsig")).count();
    let (signature, content) = match mirror.repository().extract_signature(&commit, None) {
        Ok(found) => found,
        Err(error) if error.code() == ErrorCode::NotFound => return Ok(Err(Flaw::Unsigned)),
        Err(error) => return Err(error),
    };
    // Of several, programs disagree about which one counts and what it covers.
    if signatures != 1 {
        return Ok(Err(Flaw::Bad));
    }
    Ok(weigh(&String::from_utf8_lossy(&signature), &content, keys))
}

fn weigh(signature: &str, content: &[u8], keys: &Keys) -> Result<Signer, Flaw> {
    if !sshsig::is_ssh(signature) {
        let is_pgp = signature.trim_start().starts_with("-----BEGIN PGP");
        return Err(Flaw::OtherKind(if is_pgp { "an OpenPGP signature" } else { "an X.509 signature" }));
    }
    let signature = SshSig::parse(signature).ok_or(Flaw::Bad)?;
    let signer =
        keys.signer(&signature.key).ok_or_else(|| Flaw::UnknownKey(keys::fingerprint(&signature.key)))?;
    if signature.covers(content) { Ok(signer) } else { Err(Flaw::Bad) }
}
