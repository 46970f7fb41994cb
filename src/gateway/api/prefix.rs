//! What a partner names by itself, groups and transactional ids, stands apart from every other zone's: `<zone>:` in front
//! towards the broker, and off again on the way back. A zone's name has no `:`, so no id belongs to two zones.

use kafka_protocol::protocol::StrBytes;

use crate::policy::ZoneView;

/// The longest id that Kafka takes, in bytes.
pub(super) const LIMIT: usize = 32_767;

/// The id the broker knows; none if it would be too long for Kafka.
pub(super) fn put(view: &ZoneView, id: &str) -> Option<StrBytes> {
    let id = format!("{}:{id}", view.name);
    (id.len() <= LIMIT).then(|| StrBytes::from_string(id))
}

/// The id the partner knows; none if it is not the zone's.
pub(super) fn strip(view: &ZoneView, id: &str) -> Option<StrBytes> {
    view.name.unprefixed(id).map(|own| StrBytes::from_string(own.to_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::gateway::api::fixture;

    #[test]
    fn another_zones_id_is_nobodys() {
        let view = fixture::view(&[]);
        for id in ["acme", "acme2:g", "acm:g", "acme-:g", ":g", "g", "x:acme:g", "ACME:g"] {
            assert_eq!(strip(&view, id), None, "{id}");
        }
    }

    #[test]
    fn an_id_may_be_as_long_as_kafka_takes_it_with_its_prefix() {
        let view = fixture::view(&[]);
        let longest = LIMIT - "acme:".len();
        assert!(put(&view, &"g".repeat(longest)).is_some());
        assert_eq!(put(&view, &"g".repeat(longest + 1)), None);
    }

    proptest! {
        #[test]
        fn what_was_put_on_comes_off(id in ".{0,60}") {
            let view = fixture::view(&[]);
            let inside = put(&view, &id).unwrap();
            let back = strip(&view, &inside).unwrap();
            prop_assert_eq!(back.as_str(), id);
        }
    }
}
