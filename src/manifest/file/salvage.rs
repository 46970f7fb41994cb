//! The names of zones in a file that cannot be parsed, so that exactly these stay as they were.

use std::collections::BTreeSet;

use crate::zone::ZoneName;

/// Looks for `name:` under a `metadata:` at the start of a line.
pub(super) fn zone_names(text: &str) -> BTreeSet<ZoneName> {
    let mut names = BTreeSet::new();
    let mut in_metadata = false;
    for line in text.lines() {
        let line = line.trim_start_matches('\u{feff}');
        if !line.starts_with([' ', '\t']) {
            if !line.trim().is_empty() && !line.starts_with('#') {
                in_metadata = line.trim_end() == "metadata:";
            }
            continue;
        }
        let value = line.trim().strip_prefix("name:").filter(|_| in_metadata);
        names.extend(value.and_then(name));
    }
    names
}

fn name(value: &str) -> Option<ZoneName> {
    let value = value.split_once(" #").map_or(value, |(value, _)| value).trim();
    let value = value.trim_matches(['"', '\'']);
    ZoneName::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_files_that_do_not_parse() {
        let text = "kind: PartnerZone\nmetadata:\n  # who\n  name: 'acme' # ours\n<<<<<<< HEAD\nspec: [\n  name: other\n---\nmetadata:\n\tname: globex\n";
        let names: Vec<_> = zone_names(text).iter().map(ToString::to_string).collect();
        assert_eq!(names, ["acme", "globex"]);
    }

    #[test]
    fn a_name_that_is_no_zone_name_is_none() {
        assert!(zone_names("metadata:\n  name: Not A Name\nspec:\n  name: acme\n").is_empty());
    }
}
