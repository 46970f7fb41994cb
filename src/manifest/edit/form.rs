//! A zone's written form, with its fields in their order and in the spelling of the file that is edited.

use serde_yaml::{Mapping, Value};

use crate::zone::{Fingerprint, PartnerZone};

use super::super::tree::{Content, Node};
use super::super::v2;

/// The written form. A zone has text keys and plain values only: nothing in it can fail to serialise.
pub(super) fn form(zone: &PartnerZone) -> Value {
    serde_yaml::to_value(v2::Document::from(zone)).unwrap_or_default()
}

/// What a document means and what it is to mean, both as the document itself would say it.
pub(super) fn spelled(document: &Node, before: &PartnerZone, after: &PartnerZone) -> (Value, Value) {
    let (mut before, mut after) = (form(before), form(after));
    fingerprints(document, &mut before, &mut after);
    older_account(document, &mut before);
    older_account(document, &mut after);
    (before, after)
}

fn spec(form: &mut Value) -> Option<&mut Mapping> {
    form.get_mut("spec")?.as_mapping_mut()
}

/// `serviceAccount` beside `authenticationMode`, or in place of one that says no more than that.
fn older_account(document: &Node, form: &mut Value) -> Option<()> {
    const OLDER: &str = "serviceAccount";
    const CURRENT: &str = "authenticationMode";
    document.find("/spec/serviceAccount")?;
    let spec = spec(form)?;
    let mode = spec.get(CURRENT)?.as_mapping()?;
    let account = mode.get(OLDER)?.clone();
    if document.find("/spec/authenticationMode").is_some() {
        spec.insert(OLDER.into(), account);
    } else if mode.len() == 2 && mode.get("type").is_some_and(|kind| kind == "PLAIN") {
        let older = |(key, value): (Value, Value)| {
            if key == CURRENT { (OLDER.into(), account.clone()) } else { (key, value) }
        };
        *spec = std::mem::take(spec).into_iter().map(older).collect();
    }
    Some(())
}

/// A set has no order, and so it keeps that of the file.
fn fingerprints(document: &Node, before: &mut Value, after: &mut Value) -> Option<()> {
    fn revoked(form: &mut Value) -> Option<&mut Vec<Value>> {
        spec(form)?.get_mut("authenticationMode")?.get_mut("revoked")?.as_sequence_mut()
    }
    let Content::Sequence(items) = &document.find("/spec/authenticationMode/revoked")?.node.content else {
        return None;
    };
    let fingerprint = |item: &Node| Fingerprint::try_from(item.scalar()?.text.as_str()).ok();
    let written: Option<Vec<Value>> =
        items.iter().map(|item| Some(fingerprint(item)?.to_string().into())).collect();
    let written = written?;
    let before = revoked(before)?;
    before.clone_from(&written);
    let after = revoked(after)?;
    let new: Vec<Value> = after.iter().filter(|it| !written.contains(it)).cloned().collect();
    let kept = written.into_iter().filter(|it| after.contains(it));
    *after = kept.chain(new).collect();
    Some(())
}
