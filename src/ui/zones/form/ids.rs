//! Technical names made of the names that people give, as the page's script makes them.

use std::collections::{HashMap, HashSet};

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

/// Names that are taken. Many of one kind are numbered on, and not each from the beginning.
#[derive(Debug, Default)]
pub(super) struct Names {
    taken: HashSet<String>,
    next: HashMap<String, u32>,
}

impl Names {
    pub(super) fn of<'n>(taken: impl Iterator<Item = &'n str>) -> Self {
        Self { taken: taken.map(str::to_owned).collect(), next: HashMap::new() }
    }

    /// The name itself, or with a number behind it where it is taken; from then on it is taken.
    pub(super) fn take(&mut self, name: &str) -> String {
        let mut free = name.to_owned();
        while self.taken.contains(&free) {
            let next = self.next.entry(name.to_owned()).or_insert(2);
            free = format!("{name}-{next}");
            *next += 1;
        }
        self.taken.insert(free.clone());
        free
    }
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
        let mut names = Names::of(["orders", "orders-2", "orders-4"].into_iter());
        let taken = ["orders", "returns", "orders", "orders-4", "orders"].map(|name| names.take(name));
        assert_eq!(taken, ["orders-3", "returns", "orders-5", "orders-4-2", "orders-6"]);
    }
}
