//! How a file is written shows in no plan: only what it says.

use super::*;
use crate::manifest::document::to_document;
use crate::manifest::{Known, SourceFile, load};

const PLAIN: &str = "\
apiVersion: v2
kind: PartnerZone
metadata:
  name: acme
  labels: {b: two, a: one}
spec:
  cluster: gateway
  displayName: Acme
  authenticationMode: {type: PLAIN, serviceAccount: acme}
  topics:
    - {name: orders, backingTopic: orders-v1, permission: READ, tags: [x, y]}
    - {name: bills, backingTopic: bills-v1, permission: WRITE}
  access: {allowedCidrs: [10.0.0.0/8, 192.0.2.0/24]}
";

/// The same in other words: order, quotes, block style, comments, the older spelling.
const OTHERWISE: &str = "\
# The same.
kind: \"PartnerZone\"
apiVersion: 'console/v2'
spec:
  topics:
  - permission: WRITE
    name: 'bills'
    backingTopic: \"bills-v1\"
  - permission: \"READ\"
    tags:
      - y
      - x
    backingTopic: orders-v1
    name: orders
  access:
    allowedCidrs:
    - \"192.0.2.0/24\"
    - 10.0.0.0/8
  serviceAccount: acme
  displayName: 'Acme'
  cluster: gateway
metadata:
  labels:
    a: one
    b: \"two\"
  name: acme
";

fn read(text: &str) -> Desired {
    let file = SourceFile { path: "zones/acme.yaml".to_owned(), content: Ok(text.as_bytes().into()) };
    let loaded = load([file], &Known::default());
    Desired { loaded: Arc::new(loaded), ..desired("two", &[]) }
}

fn in_force(of: &Desired) -> Observed {
    let zones = of.loaded.zones.iter().map(|(name, zone)| (name.clone(), Arc::clone(&zone.zone)));
    Observed { zones: zones.collect(), ..Observed::default() }
}

#[test]
fn order_quotes_and_defaults_never_show() {
    let (plain, otherwise) = (read(PLAIN), read(OTHERWISE));
    for desired in [&plain, &otherwise] {
        assert!(!desired.loaded.findings.iter().any(Finding::is_error), "{:?}", desired.loaded.findings);
        assert_eq!(desired.loaded.zones.len(), 1);
    }
    let terms = Terms::default();
    assert!(plan(&plain, &in_force(&otherwise), &terms).changes.is_empty());
    assert!(plan(&otherwise, &in_force(&plain), &terms).changes.is_empty());
    // Nor in the digest of what they ask for.
    let of = |desired: &Desired| plan(desired, &Observed::default(), &terms).digest;
    assert_eq!(of(&plain), of(&otherwise));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The form that the store keeps and the API shows is the same zone.
    #[test]
    fn what_was_written_down_and_read_again_is_no_difference(zones in any_zones()) {
        // What no file may say is never written down.
        let read = |zone: PartnerZone| from_document(&to_document(&zone)).ok().map(|again| (zone, again));
        let (zones, again): (Vec<_>, Vec<_>) = zones.into_iter().filter_map(read).unzip();
        prop_assert!(planned(&zones, &again).changes.is_empty());
        prop_assert!(planned(&again, &zones).changes.is_empty());
    }

    /// Applying does what was said, to the last topic, and nothing else.
    #[test]
    fn applying_changes_exactly_what_the_plan_lists(before in any_zones(), after in any_zones()) {
        let (desired, observed) = (desired("two", &after), observed("one", &before));
        let first = plan(&desired, &observed, &Terms::default());
        let now = applied(&first, &desired, &observed);
        // From what was in force to what is, the difference is the plan without what it holds back.
        let done: Vec<_> = now.zones.values().map(|zone| zone.as_ref().clone()).collect();
        let seen = planned(&before, &done);
        let said: Vec<_> = first.changes.iter().filter(|it| !first.is_held(it)).collect();
        let said: Vec<_> = said.iter().map(|it| (&it.address, it.action, &it.before, &it.after)).collect();
        let seen: Vec<_> = seen.changes.iter().map(|it| (&it.address, it.action, &it.before, &it.after)).collect();
        prop_assert_eq!(said, seen);
    }
}
