//! Rules beyond one document: between zones, and against the configuration.

use std::collections::{BTreeMap, BTreeSet};

use crate::zone::{
    Authentication, AuthenticationMode, Claim, ClusterName, IssuerName, PartnerZone, ZoneName,
};

use super::code::Code;
use super::fault::DocumentFault;
use super::file::Candidate;
use super::finding::{Finding, Location, quote};
use super::load::Known;
use super::schema::closest;

/// The zone names a gateway and a cluster that exist, as far as that is known.
pub(super) fn against_configuration(zone: &PartnerZone, known: &Known) -> Vec<DocumentFault> {
    let mut faults = Vec::new();
    if let Some(gateway) = known.gateway.as_ref().filter(|gateway| **gateway != zone.cluster) {
        faults.push(
            DocumentFault::new(
                Code::OtherGateway,
                "/spec/cluster",
                format!("{} is not the gateway of this installation", quote(&zone.cluster)),
            )
            .help(format!("write {}, the configured `gateway.name`", quote(gateway))),
        );
    }
    if let (Some(clusters), Some(wanted)) = (&known.clusters, &zone.underlying_cluster)
        && !clusters.contains(wanted)
    {
        let names: Vec<_> = clusters.iter().map(ClusterName::as_str).collect();
        let help = match closest(wanted.as_str(), names.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("the configured clusters are {}", names.join(", ")),
        };
        let message = format!("the cluster {} is not configured", quote(wanted.as_str()));
        faults.push(DocumentFault::new(Code::UnknownCluster, "/spec/underlyingCluster", message).help(help));
    }
    faults.extend(known.issuers.as_ref().and_then(|issuers| unknown_issuer(&zone.authentication, issuers)));
    faults
}

/// A zone for OAUTHBEARER needs the issuer that it names, or any if it names none.
fn unknown_issuer(authentication: &Authentication, issuers: &BTreeSet<IssuerName>) -> Option<DocumentFault> {
    if authentication.mode != AuthenticationMode::OauthBearer {
        return None;
    }
    let names: Vec<_> = issuers.iter().map(IssuerName::as_str).collect();
    let (place, message) = match &authentication.issuer {
        Some(wanted) if issuers.contains(wanted) => return None,
        Some(wanted) => ("issuer", format!("the issuer {} is not configured", quote(wanted.as_str()))),
        None if issuers.is_empty() => ("type", "no issuer of tokens is configured".to_owned()),
        None => return None,
    };
    let meant =
        authentication.issuer.as_ref().and_then(|wanted| closest(wanted.as_str(), names.iter().copied()));
    let help = match meant {
        Some(meant) => format!("did you mean `{meant}`?"),
        None if names.is_empty() => "configure one under `oauth.issuers`".to_owned(),
        None => format!("the configured issuers are {}", names.join(", ")),
    };
    let pointer = format!("/spec/authenticationMode/{place}");
    Some(DocumentFault::new(Code::UnknownIssuer, pointer, message).help(help))
}

/// In SNI mode a zone's name is part of its host names. One that cannot be is reached by port all the same, so this is a warning:
/// turning SNI on must not take a partner away.
pub(super) fn host_name(zone: &PartnerZone, known: &Known) -> Option<DocumentFault> {
    let why = known.sni.as_ref()?.check(&zone.name).err()?;
    let message = format!(
        "the zone name {} {why}: the zone gets no host name of its own, its partners connect by port",
        quote(zone.name.as_str())
    );
    Some(
        DocumentFault::new(Code::NoHostName, "/metadata/name", message)
            .help("for a host name, choose a name of at most 50 characters a-z, 0-9 and dashes; a renamed zone is a new zone"),
    )
}

/// What the zones of all files have against each other. Zones that lose keep their last applied form.
pub(super) fn between_zones<'a>(
    mut candidates: Vec<&'a Candidate>,
    unreadable: &mut BTreeMap<ZoneName, Location>,
    findings: &mut Vec<Finding>,
) -> Vec<&'a Candidate> {
    candidates.sort_by(|a, b| (&a.zone.name, place(&a.name)).cmp(&(&b.zone.name, place(&b.name))));
    let mut unique = Vec::with_capacity(candidates.len());
    for same in candidates.chunk_by(|a, b| a.zone.name == b.zone.name) {
        let [one, more @ ..] = same else { continue };
        let name = &one.zone.name;
        let (first, others) = match unreadable.get(name) {
            None if more.is_empty() => {
                unique.push(*one);
                continue;
            }
            None => (one.name.clone(), more),
            Some(broken) => (broken.clone(), same),
        };
        findings.extend(others.iter().map(|other| duplicate_zone(name, other, &first)));
        unreadable.insert(name.clone(), first);
    }
    claims(unique, unreadable, findings)
}

fn duplicate_zone(name: &ZoneName, other: &Candidate, first: &Location) -> Finding {
    Finding::new(Code::DuplicateZone, format!("the zone {} is defined twice", quote(name.as_str())))
        .help("keep one definition; until then the zone stays as it was")
        .at(other.name.clone())
        .related(first.clone(), "also defined here")
}

/// What two zones want for themselves, neither gets.
fn claims<'a>(
    candidates: Vec<&'a Candidate>,
    unreadable: &mut BTreeMap<ZoneName, Location>,
    findings: &mut Vec<Finding>,
) -> Vec<&'a Candidate> {
    let mut claimed: Vec<(&Claim, &Location, &ZoneName)> = Vec::with_capacity(candidates.len());
    for candidate in candidates.iter().copied() {
        let name = &candidate.zone.name;
        claimed.extend(candidate.claims.iter().map(|(claim, place)| (claim, place, name)));
    }
    claimed.sort_by(|a, b| (a.0, place(a.1)).cmp(&(b.0, place(b.1))));
    let mut losers = BTreeSet::new();
    for same in claimed.chunk_by(|a, b| a.0 == b.0) {
        let [(claim, first, _), others @ ..] = same else { continue };
        findings.extend(others.iter().map(|(_, other, _)| clash(claim, other, first)));
        if !others.is_empty() {
            losers.extend(same.iter().map(|(_, _, zone)| *zone));
        }
    }
    let (lost, alone): (Vec<_>, Vec<_>) =
        candidates.into_iter().partition(|candidate| losers.contains(&candidate.zone.name));
    unreadable.extend(lost.into_iter().map(|lost| (lost.zone.name.clone(), lost.name.clone())));
    alone
}

fn clash(claim: &Claim, other: &Location, first: &Location) -> Finding {
    let (code, help) = match claim {
        Claim::ServiceAccount(_) => (
            Code::DuplicateServiceAccount,
            "give each zone an account of its own; until then both stay as they were",
        ),
        Claim::BackingGroup(_) => {
            (Code::DuplicateBackingGroup, "give the group to one zone; until then both stay as they were")
        }
    };
    let claimed = match claim {
        Claim::ServiceAccount(account) => format!("the service account {}", quote(account.as_str())),
        Claim::BackingGroup(group) => format!("the backing group {}", quote(group.as_str())),
    };
    Finding::new(code, format!("{claimed} belongs to two zones"))
        .help(help)
        .at(other.clone())
        .related(first.clone(), "first used here")
}

fn place(location: &Location) -> (&str, usize, usize) {
    (&location.file, location.line, location.column)
}
