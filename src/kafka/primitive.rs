//! The smallest pieces of the wire: unsigned varints and zero-copy reading of fixed-size numbers.
//!
//! `None` always means that more bytes are needed to tell.

use super::walker::WalkError;

/// The longest encoding of an unsigned varint.
pub const MAX_VARINT_LEN: usize = 5;

/// Reads an unsigned varint (KIP-482) from the front; answers its value and how many bytes it took.
///
/// Refuses what a Kafka encoder never writes: more than 32 bits, and encodings longer than needed. A second spelling of
/// a length would let two readers of the same bytes disagree.
pub fn read_varint(bytes: &[u8]) -> Result<Option<(u32, usize)>, WalkError> {
    let mut value = 0_u32;
    for (index, &byte) in bytes.iter().take(MAX_VARINT_LEN).enumerate() {
        let last = index + 1 == MAX_VARINT_LEN;
        if last && byte > 0x0f {
            return Err(WalkError::Varint);
        }
        value |= u32::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let overlong = byte == 0 && index > 0;
            return if overlong { Err(WalkError::Varint) } else { Ok(Some((value, index + 1))) };
        }
    }
    Ok(None)
}

/// Appends an unsigned varint.
pub fn put_varint(out: &mut impl bytes::BufMut, mut value: u32) {
    while value >= 0x80 {
        out.put_u8(low_byte(value) | 0x80);
        value >>= 7;
    }
    out.put_u8(low_byte(value));
}

/// How many bytes [`put_varint`] writes.
pub fn varint_len(value: u32) -> usize {
    match value {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        0x20_0000..0x1000_0000 => 4,
        _ => MAX_VARINT_LEN,
    }
}

fn low_byte(value: u32) -> u8 {
    let [low, ..] = (value & 0x7f).to_le_bytes();
    low
}

/// A big-endian `i16` from the front.
pub fn read_i16(bytes: &[u8]) -> Option<i16> {
    bytes.first_chunk().map(|chunk| i16::from_be_bytes(*chunk))
}

/// A big-endian `i32` from the front.
pub fn read_i32(bytes: &[u8]) -> Option<i32> {
    bytes.first_chunk().map(|chunk| i32::from_be_bytes(*chunk))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_varint_reads_back_as_written(value: u32) {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, value);
            prop_assert_eq!(bytes.len(), varint_len(value));
            prop_assert_eq!(read_varint(&bytes).unwrap(), Some((value, bytes.len())));
            for cut in 0..bytes.len() {
                prop_assert_eq!(read_varint(&bytes[..cut]).unwrap(), None);
            }
        }
    }

    #[test]
    fn an_overlong_or_oversized_varint_is_refused() {
        for bytes in [&[0x80, 0x00][..], &[0xff, 0x80, 0x00], &[0xff, 0xff, 0xff, 0xff, 0x10], &[0xff; 5]] {
            assert_eq!(read_varint(bytes), Err(WalkError::Varint), "{bytes:02x?}");
        }
        assert_eq!(read_varint(&[0xff, 0xff, 0xff, 0xff, 0x0f]), Ok(Some((u32::MAX, 5))));
    }
}
