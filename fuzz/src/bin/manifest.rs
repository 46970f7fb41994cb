//! Manifests: what loads is written and read again as the same zone; what does not has a finding.
#![no_main]

use std::sync::Arc;

use partner_zones::manifest::document::{from_document, to_document};
use partner_zones::manifest::{Known, SourceFile, load};
use partner_zones_fuzz::limited;

libfuzzer_sys::fuzz_target!(|data: &[u8]| limited(data, |data| {
    let file = SourceFile { path: "zone.yaml".to_owned(), content: Ok(data.into()) };
    let loaded = load([file], &Known::default());
    for zone in loaded.zones.values() {
        let again = from_document(&to_document(&zone.zone)).expect("a zone has a written form");
        assert_eq!(Arc::new(again), zone.zone);
    }
}));
