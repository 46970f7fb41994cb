//! What holds for every zone and every way of writing it.

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::super::document::{sample::zone, to_document};
use super::super::*;
use super::scribe::Scribe;

/// Whether the smallest edit was right, without one of the larger ones that are tried after it.
fn at_once(text: &str, wanted: &PartnerZone) -> Result<String, EditError> {
    let (documents, _) = tree::parse(text);
    let present = present(text, &wanted.name)?;
    Put { text, documents: &documents, present: &present, wanted }.at_depth(DEPTHS[0])
}

fn comments(text: &str) -> Vec<&str> {
    text.split("# ~c").skip(1).map(|it| it.split(['\r', '\n']).next().unwrap()).collect()
}

/// One scalar of the zone, changed.
fn with_one_scalar(zone: &PartnerZone, which: usize) -> PartnerZone {
    let mut zone = zone.clone();
    let topics = zone.topics.len();
    match (which % 4, zone.topics.get_mut(which / 4 % topics.max(1))) {
        (0, Some(topic)) => topic.backing = "another-topic".try_into().unwrap(),
        (1, Some(topic)) => topic.alias = "another-alias".try_into().unwrap(),
        (2, _) if zone.display_name.is_some() => zone.display_name = Some("Another: \"name\"".to_owned()),
        _ => zone.cluster = "another".to_owned(),
    }
    zone
}

fn without_replacement(mut zone: PartnerZone) -> PartnerZone {
    for topic in &mut zone.topics {
        topic.deprecated =
            topic.deprecated.take().map(|it| crate::zone::Deprecated { replaced_by: None, ..it });
    }
    zone
}

fn is_file_without_one_part(file: &str, rest: &str) -> bool {
    let same = file.bytes().zip(rest.bytes()).take_while(|(old, new)| old == new).count();
    file.as_bytes().ends_with(&rest.as_bytes()[same..])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_zone_becomes_another_in_any_file_and_itself_at_no_byte(
        (before, mut after) in (zone(), zone()),
        choices in vec(any::<u8>(), 0..400),
    ) {
        after.name = before.name.clone();
        let file = Scribe::new(choices, false).file(&to_document(&before));
        let document = to_document(&before);
        prop_assert_eq!(put(&file, &before.name, &document), Ok(file.clone()), "{}", file);
        let edited = at_once(&file, &after);
        prop_assert!(edited.is_ok(), "{edited:?} of\n{file}");
        // And back, in whatever style it is now.
        let edited = edited.unwrap();
        let again = at_once(&edited, &before);
        prop_assert!(again.is_ok(), "{again:?} of\n{edited}");
    }

    #[test]
    fn one_scalar_is_one_line(zone in zone(), choices in vec(any::<u8>(), 0..400), which in 0..40_usize) {
        let zone = without_replacement(zone);
        let file = Scribe::new(choices, true).file(&to_document(&zone));
        let wanted = with_one_scalar(&zone, which);
        let edited = at_once(&file, &wanted).unwrap();
        let changed = file.split('\n').zip(edited.split('\n')).filter(|(old, new)| old != new).count();
        let expected = usize::from(wanted != zone);
        prop_assert_eq!(changed, expected, "{}\n=>\n{}", file, edited);
        prop_assert_eq!(file.matches('\n').count(), edited.matches('\n').count());
        prop_assert_eq!(comments(&file), comments(&edited));
    }

    #[test]
    fn no_comment_is_lost_when_one_scalar_changes(
        zone in zone(), choices in vec(any::<u8>(), 0..400), which in 0..40_usize,
    ) {
        let zone = without_replacement(zone);
        let file = Scribe::new(choices, false).file(&to_document(&zone));
        let edited = at_once(&file, &with_one_scalar(&zone, which)).unwrap();
        prop_assert_eq!(comments(&file), comments(&edited), "{}\n=>\n{}", file, edited);
    }

    #[test]
    fn a_topic_goes_and_comes_back_without_touching_the_others(
        zone in zone(), choices in vec(any::<u8>(), 0..400), which in 0..8_usize,
    ) {
        prop_assume!(zone.topics.len() > 1);
        let zone = without_replacement(zone);
        let file = Scribe::new(choices, true).file(&to_document(&zone));
        let mut fewer = zone.clone();
        fewer.topics.remove(which % zone.topics.len());
        let without = at_once(&file, &fewer).unwrap();
        prop_assert!(is_file_without_one_part(&file, &without), "{file}\n=>\n{without}");
        prop_assert!(at_once(&without, &zone).is_ok());
    }

    #[test]
    fn another_document_keeps_every_byte(zone in zone(), choices in vec(any::<u8>(), 0..400)) {
        let file = Scribe::new(choices, false).file(&to_document(&zone));
        let other: ZoneName = "the.other.zone".try_into().unwrap();
        if let Ok(Some(rest)) = remove(&file, &zone.name) {
            prop_assert!(is_file_without_one_part(&file, &rest), "{file}\n=>\n{rest}");
            prop_assert_eq!(remove(&rest, &other), Ok(None));
        } else {
            prop_assert_eq!(remove(&file, &zone.name), Ok(None));
            prop_assert_eq!(remove(&file, &other), Err(EditError::NotThere(other.clone())));
        }
    }

    #[test]
    fn a_new_file_is_what_was_asked_for(zone in zone()) {
        let file = new_file(&to_document(&zone)).unwrap();
        prop_assert!(file.starts_with("apiVersion: v2\nkind: PartnerZone\nmetadata:\n  name: "), "{file}");
        prop_assert!(file.ends_with('\n') && !file.ends_with("\n\n"), "{file}");
    }

    #[test]
    fn a_damaged_file_is_edited_rightly_or_not_at_all(
        (before, mut after) in (zone(), zone()),
        choices in vec(any::<u8>(), 0..400),
        damage in vec((any::<usize>(), prop::sample::select(PIECES.to_vec())), 1..4),
    ) {
        after.name = before.name.clone();
        let mut file = Scribe::new(choices, false).file(&to_document(&before));
        for (at, piece) in damage {
            let places: Vec<usize> = file.char_indices().map(|(at, _)| at).collect();
            file.insert_str(places[at % places.len()], piece);
        }
        if let Ok(edited) = put(&file, &after.name, &to_document(&after)) {
            prop_assert_eq!(&*read(&edited).zones[&after.name].zone, &after);
        }
        let _ = remove(&file, &before.name);
    }

    #[test]
    fn no_text_panics(text in any::<String>(), zone in zone()) {
        let text = format!("{text}\nmetadata:\n  name: {}\n{text}", zone.name);
        prop_assert!(put(&text, &zone.name, &to_document(&zone)).is_err());
        prop_assert!(remove(&text, &zone.name).is_err());
    }
}

const PIECES: &[&str] = &[
    "\n",
    "\r",
    "\r\n",
    "\n\n",
    " ",
    "  ",
    "\t",
    "# x\n",
    " # x",
    "\n# x\n",
    "---\n",
    "...\n",
    "--- ",
    "- ",
    "-",
    "? ",
    ": ",
    ":",
    "{",
    "}",
    "[",
    "]",
    ",",
    "'",
    "\"",
    "|",
    ">",
    "\\",
    "&a ",
    "*a",
    "!t ",
    "ä",
    "\u{feff}",
    "%YAML 1.2\n",
    "~",
    "x",
    "0",
];
