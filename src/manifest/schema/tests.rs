use super::*;

#[test]
fn the_built_in_schema_compiles() {
    assert!(VALIDATOR.is_ok(), "{:?}", VALIDATOR.as_ref().err());
}

#[test]
fn the_committed_schema_is_what_the_types_say() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/partner-zone.json");
    let committed = std::fs::read_to_string(path).unwrap();
    assert!(
        committed == schema_text(),
        "schema/partner-zone.json is stale: run `cargo run -- schema > schema/partner-zone.json` and commit it"
    );
}
