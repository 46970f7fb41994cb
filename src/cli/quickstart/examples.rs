//! The example repository, as it lies in `zones-example/`, inside the binary.

use super::folder::ExampleFile;
use crate::manifest::load::SourceFile;
use crate::zone::ZoneName;

/// A topic of the demo Kafka that no example shares; the printed exercise does.
pub(crate) const SPARE_TOPIC: &str = "finance.payments.v1";

macro_rules! example {
    ($path:literal) => {
        ($path, include_str!(concat!("../../../zones-example/", $path)))
    };
}

pub(crate) const FILES: [ExampleFile; 4] = [
    example!("README.md"),
    example!("zones/acme-logistics.yaml"),
    example!("zones/bluebird-retail.yaml"),
    example!("zones/sensor-works.yaml"),
];

/// The zones among them, as a source would give them.
pub(crate) fn zone_files() -> impl Iterator<Item = SourceFile> {
    FILES
        .iter()
        .filter(|(path, _)| path.starts_with("zones/"))
        .map(|(path, text)| SourceFile { path: (*path).to_owned(), content: Ok(text.as_bytes().into()) })
}

/// Where an example's zone is written, if it is one.
pub(crate) fn file_of(zone: &ZoneName) -> Option<&'static str> {
    FILES.iter().map(|(path, _)| *path).find(|path| *path == format!("zones/{zone}.yaml"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::load::{Known, load};

    #[test]
    fn every_example_is_a_zone_without_findings_that_can_be_served_now() {
        let loaded = load(zone_files(), &Known::default());
        let errors: Vec<_> = loaded.findings.iter().filter(|finding| finding.is_error()).collect();
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!(loaded.zones.len(), 3);
        for loaded in loaded.zones.values() {
            assert!(file_of(&loaded.zone.name).is_some());
        }
    }

    #[test]
    fn the_repository_holds_no_example_that_the_binary_lacks() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/zones-example/zones");
        let mut on_disk: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| format!("zones/{}", entry.unwrap().file_name().to_string_lossy()))
            .collect();
        on_disk.sort();
        let embedded: Vec<&str> =
            FILES.iter().map(|(path, _)| *path).filter(|path| path.starts_with("zones/")).collect();
        assert_eq!(on_disk, embedded);
    }
}
