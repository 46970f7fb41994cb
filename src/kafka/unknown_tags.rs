//! Tagged fields that must not pass, taken out of a message without changing its length.

/// The largest tag number that takes `len` bytes on the wire.
fn largest(len: usize) -> u32 {
    match len {
        1..=4 => (1 << (7 * len)) - 1,
        _ => i32::MAX.cast_unsigned(),
    }
}

/// Turns a tagged field into one that no peer knows: same length, another number, zeros for content.
///
/// `tagged` is the whole field (number, size, `size` bytes of content), `following` how many stand behind it: counting
/// down from the largest number keeps the order ascending among several.
pub(crate) fn neutralise(tagged: &mut [u8], size: usize, following: u32) {
    let content = tagged.len().saturating_sub(size);
    neutralise_number(tagged, following);
    if let Some(content) = tagged.get_mut(content..) {
        content.fill(0);
    }
}

/// The first half of [`neutralise`], for a field whose content is still on its way.
pub(crate) fn neutralise_number(prefix: &mut [u8], following: u32) {
    let len = prefix.iter().take_while(|byte| **byte & 0x80 != 0).count() + 1;
    let mut number = largest(len).saturating_sub(following);
    for (index, byte) in prefix.iter_mut().take(len).enumerate() {
        let [low, ..] = number.to_le_bytes();
        *byte = if index + 1 < len { low | 0x80 } else { low & 0x7f };
        number >>= 7;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::primitive::{put_varint, read_varint};

    #[test]
    fn the_number_changes_and_its_length_does_not() {
        for (tag, following, expected) in
            [(0, 0, 127), (5, 2, 125), (128, 0, 16383), (70_000, 1, 2_097_150), (300_000_000, 3, 0x7fff_fffc)]
        {
            let mut field = Vec::new();
            put_varint(&mut field, tag);
            let number_len = field.len();
            put_varint(&mut field, 3);
            field.extend([9, 9, 9]);
            neutralise(&mut field, 3, following);
            assert_eq!(read_varint(&field), Ok(Some((expected, number_len))), "{tag}");
            assert_eq!(field[number_len..], [3, 0, 0, 0]);
        }
    }
}
