//! Frames as they arrive: whatever was said of the front of one must still hold when all of it is there.

use crate::kafka::frame::{RequestHeader, ResponseHeader, request_length, response_length};

pub(super) fn run(data: &[u8]) {
    let Some((prefix, rest)) = data.split_first_chunk() else { return };
    for limit in [64 << 10, 8 << 20, 100 << 20] {
        if let Ok(len) = request_length(*prefix, limit) {
            header(rest, len);
        }
        if let Ok(len) = response_length(*prefix, limit) {
            for header in [ResponseHeader::V0, ResponseHeader::V1] {
                let whole = header.read(rest, len);
                for cut in 0..rest.len().min(64) {
                    let part = header.read(&rest[..cut], len);
                    assert!(part == Ok(None) || part == whole, "{part:?}, then {whole:?}");
                }
            }
        }
    }
}

fn header(rest: &[u8], len: usize) {
    let flexible = |key: i16, version: i16| key % 2 == 0 && version > 3;
    let whole = RequestHeader::read(rest, len, flexible);
    for cut in 0..rest.len().min(64) {
        let part = RequestHeader::read(&rest[..cut], len, flexible);
        assert!(part == Ok(None) || part == whole, "{part:?}, then {whole:?}");
    }
    if let Ok(Some((read, at))) = whole {
        let mut out = Vec::new();
        read.put(&mut out, flexible(read.api_key, read.version), len - at).expect("it was in a frame");
        let again = RequestHeader::read(&out[4..], out.len() - 4 + len - at, flexible).unwrap().unwrap().0;
        assert_eq!(again, read);
    }
}

/// What real clients and brokers sent.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let texts =
        [include_str!("../../tests/frames/java.txt"), include_str!("../../tests/frames/librdkafka.txt")];
    let lines = texts.iter().flat_map(|text| text.lines());
    lines.filter_map(|line| line.rsplit(' ').next().map(framed)).collect()
}

fn framed(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks_exact(2);
    let frame: Vec<u8> =
        digits.filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect();
    [&u32::try_from(frame.len()).unwrap_or_default().to_be_bytes()[..], &frame].concat()
}
