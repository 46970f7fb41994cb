use kafka_protocol::messages::RequestHeader as Reference;
use kafka_protocol::protocol::{Encodable, StrBytes};
use proptest::prelude::*;

use super::*;

fn header(client_id: Option<&str>) -> RequestHeader {
    RequestHeader { api_key: 3, version: 12, correlation_id: 7, client_id: client_id.map(str::to_owned) }
}

#[test]
fn a_length_that_no_frame_can_have_is_refused() {
    assert_eq!(request_length([0xff; 4], 100), Err(FrameError::NegativeLength(-1)));
    assert_eq!(request_length([0; 4], 100), Err(FrameError::TooShort(0)));
    assert_eq!(request_length([0, 0, 0, 7], 100), Err(FrameError::TooShort(7)));
    assert_eq!(request_length([0, 0, 0, 101], 100), Err(FrameError::TooLong { len: 101, limit: 100 }));
    assert_eq!(request_length([0, 0, 0, 100], 100), Ok(100));
    assert_eq!(response_length([0, 0, 0, 4], 100), Ok(4));
    assert_eq!(response_length([0, 0, 0, 3], 100), Err(FrameError::TooShort(3)));
}

#[test]
fn a_header_reads_back_as_written_however_it_is_cut() {
    for (flexible, client_id) in [(false, None), (true, None), (false, Some("")), (true, Some("rdkafka"))] {
        let written = header(client_id);
        let mut frame = Vec::new();
        written.put(&mut frame, flexible, 3).unwrap();
        frame.extend([1, 2, 3]);
        let len = request_length(frame[..4].try_into().unwrap(), 100).unwrap();
        let frame = &frame[4..];
        assert_eq!(len, frame.len());
        for cut in 0..frame.len() - 3 {
            assert_eq!(RequestHeader::read(&frame[..cut], len, |_, _| flexible), Ok(None), "{cut}");
        }
        let (read, body) = RequestHeader::read(frame, len, |_, _| flexible).unwrap().unwrap();
        assert_eq!((&read, &frame[body..]), (&written, &[1, 2, 3][..]));
    }
}

#[test]
fn a_header_is_what_kafka_protocol_writes() {
    for (version, flexible) in [(1, false), (2, true)] {
        let reference = Reference::default()
            .with_request_api_key(3)
            .with_request_api_version(12)
            .with_correlation_id(7)
            .with_client_id(Some(StrBytes::from_static_str("rdkafka")));
        let (mut ours, mut theirs) = (Vec::new(), bytes::BytesMut::new());
        header(Some("rdkafka")).put(&mut ours, flexible, 0).unwrap();
        reference.encode(&mut theirs, version).unwrap();
        assert_eq!(ours[4..], theirs[..]);
    }
}

#[test]
fn an_unknown_api_key_is_read_and_not_a_panic() {
    let frame = [0x7f, 0xff, 0, 9, 0, 0, 0, 1, 0xff, 0xff];
    let (read, body) = RequestHeader::read(&frame, 10, |_, _| false).unwrap().unwrap();
    assert_eq!((read.api_key, read.version, read.client_id, body), (0x7fff, 9, None, 10));
}

#[test]
fn a_header_that_does_not_fit_its_frame_is_an_error_and_not_a_wait() {
    let claims_more = [0, 3, 0, 12, 0, 0, 0, 7, 0x7f, 0xff];
    assert_eq!(RequestHeader::read(&claims_more, 10, |_, _| false), Err(FrameError::Header));
    assert_eq!(RequestHeader::read(&claims_more[..9], 9, |_, _| false), Err(FrameError::Header));
    let negative = [0, 3, 0, 12, 0, 0, 0, 7, 0xff, 0xfe];
    assert_eq!(RequestHeader::read(&negative, 10, |_, _| false), Err(FrameError::ClientId));
    let latin1 = [0, 3, 0, 12, 0, 0, 0, 7, 0, 1, 0xe9];
    assert_eq!(RequestHeader::read(&latin1, 11, |_, _| false), Err(FrameError::ClientId));
}

#[test]
fn header_tags_are_bounded_in_number_size_and_order() {
    assert_eq!(tags_len(&[17]), Err(FrameError::Tags(WalkError::TooManyTaggedFields)));
    assert_eq!(tags_len(&[1, 0, 0xff, 0x7f]), Err(FrameError::Tags(WalkError::TaggedFieldTooLarge)));
    assert_eq!(tags_len(&[2, 1, 0, 1, 0]), Err(FrameError::Tags(WalkError::TagOrder)));
    assert_eq!(tags_len(&[2, 0, 1, 9, 1, 0, 42]), Ok(Some(6)));
}

proptest! {
    #[test]
    fn random_bytes_never_panic_and_never_wait_beyond_the_frame(
        bytes in proptest::collection::vec(any::<u8>(), 0..64),
        flexible: bool,
    ) {
        let read = RequestHeader::read(&bytes, bytes.len(), |_, _| flexible);
        prop_assert!(!matches!(read, Ok(None)), "a complete frame cannot need more");
        for version in [ResponseHeader::V0, ResponseHeader::V1] {
            prop_assert!(!matches!(version.read(&bytes, bytes.len()), Ok(None)));
        }
    }
}
