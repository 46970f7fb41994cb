//! Technical names made of the names that people give, as the page's script makes them.

use icu_normalizer::DecomposingNormalizerBorrowed;

/// As long as a part of a host name.
const LONGEST: usize = 63;

/// `Acme Logistik, Köln` → `acme-logistik-koln`. Of a name in other letters nothing is left.
pub(super) fn technical(name: &str) -> String {
    let plain = DecomposingNormalizerBorrowed::new_nfkd().normalize(name).to_lowercase();
    let mut id = String::new();
    for character in plain.chars().filter(|character| !is_mark(*character)) {
        if character.is_ascii_alphanumeric() {
            id.push(character);
        } else if !id.is_empty() && !id.ends_with('-') {
            id.push('-');
        }
    }
    id.truncate(LONGEST);
    id.trim_end_matches('-').to_owned()
}

fn is_mark(character: char) -> bool {
    ('\u{300}'..='\u{36f}').contains(&character)
}

/// The name itself, or with a number behind it where it is taken.
pub(super) fn free(name: &str, is_taken: impl Fn(&str) -> bool) -> String {
    if !is_taken(name) {
        return name.to_owned();
    }
    let numbered = (2_u32..).map(|number| format!("{name}-{number}"));
    numbered.into_iter().find(|name| !is_taken(name)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_made_of_what_people_write() {
        for (name, id) in [
            ("Acme Logistik, Köln", "acme-logistik-koln"),
            ("  --Bluebird__Retail! ", "bluebird-retail"),
            ("ﬁne Ångström ½", "fine-angstrom-1-2"),
            ("東京", ""),
            ("", ""),
        ] {
            assert_eq!(technical(name), id);
        }
        let long = technical(&format!("{} b", "a".repeat(62)));
        assert_eq!(long, "a".repeat(62), "it does not end in a dash where it is cut");
    }

    #[test]
    fn a_name_that_is_taken_gets_a_number() {
        let taken = ["orders", "orders-2"];
        assert_eq!(free("orders", |name| taken.contains(&name)), "orders-3");
        assert_eq!(free("returns", |name| taken.contains(&name)), "returns");
    }
}
