//! Manifests: what loads is written and read again as the same zone; what does not has a finding.

use std::path::Path;
use std::sync::Arc;

use crate::manifest::document::{from_document, to_document};
use crate::manifest::{Known, SourceFile, load};

pub(super) fn run(data: &[u8]) {
    let file = SourceFile { path: "zone.yaml".to_owned(), content: Ok(data.into()) };
    let loaded = load([file], &Known::default());
    for zone in loaded.zones.values() {
        let again = from_document(&to_document(&zone.zone)).expect("a zone has a written form");
        assert_eq!(Arc::new(again), zone.zone);
    }
}

/// What the tests know to be valid or to be a certain mistake, and the examples.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders =
        ["tests/manifests", "zones-example"].map(|name| std::fs::read_dir(root.join(name)).unwrap());
    let inside =
        folders.into_iter().flatten().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let files =
        inside.flat_map(|folder| std::fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path());
    files
        .filter(|file| file.extension().is_some_and(|extension| extension == "yaml"))
        .map(|file| std::fs::read(file).unwrap())
        .collect()
}
