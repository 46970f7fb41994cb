//! The first look at a file: is it text that a reviewer and a parser read the same way?

use std::ops::Range;

use super::code::Code;
use super::fault::Fault;

/// Largest manifest file.
pub const MAX_FILE_BYTES: usize = 1024 * 1024;

/// The text of a file, or why it cannot be read.
pub fn text(bytes: &[u8]) -> Result<&str, Vec<Fault>> {
    if bytes.len() > MAX_FILE_BYTES {
        return Err(vec![too_large(bytes.len())]);
    }
    let text = std::str::from_utf8(bytes).map_err(|error| vec![not_utf8(bytes, error.valid_up_to())])?;
    let mut faults = conflict_markers(text);
    faults.extend(unwanted_characters(text));
    if faults.is_empty() && is_blank(text) {
        faults.push(
            Fault::new(Code::EmptyFile, 0..0, "the file holds no document")
                .help("write a PartnerZone into it, or delete the file to remove its zone"),
        );
    }
    if faults.is_empty() { Ok(text) } else { Err(faults) }
}

pub fn too_large(size: usize) -> Fault {
    Fault::new(
        Code::FileTooLarge,
        0..0,
        format!("the file has {size} bytes, the limit is {MAX_FILE_BYTES} (1 MiB)"),
    )
    .help("a zone is a few kilobytes; give each zone its own file")
}

fn not_utf8(bytes: &[u8], valid: usize) -> Fault {
    let utf16 = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    let (span, message) = match bytes.get(valid) {
        _ if utf16 => (0..2, "the file is UTF-16, not UTF-8".to_owned()),
        Some(byte) => (
            valid..valid.saturating_add(1),
            format!(
                "byte 0x{byte:02x} is not UTF-8; the file is probably ISO 8859-1 (latin-1) or Windows-1252"
            ),
        ),
        None => (valid..valid, "the file is not UTF-8".to_owned()),
    };
    Fault::new(Code::NotUtf8, span, message).help("save the file as UTF-8")
}

/// `=======` alone could underline a heading in a block scalar, but not at column 0 of a manifest.
fn conflict_markers(text: &str) -> Vec<Fault> {
    const MARKERS: [&str; 4] = ["<<<<<<<", "|||||||", "=======", ">>>>>>>"];
    lines(text)
        .filter(|(_, line)| {
            MARKERS.iter().any(|marker| {
                line.strip_prefix(marker).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\r']))
            })
        })
        // One conflict is one fault: the marker that opens it, or the first that is left of it.
        .take(1)
        .map(|(start, line)| {
            Fault::new(
                Code::ConflictMarker,
                start..start + line.trim_end().len(),
                "the file holds an unresolved merge conflict",
            )
            .help("resolve the conflict and remove the lines with <<<<<<<, ||||||| , ======= and >>>>>>>")
        })
        .collect()
}

/// The first of each kind: a file that is full of them has one fault, not a thousand.
fn unwanted_characters(text: &str) -> Vec<Fault> {
    let body = text.strip_prefix('\u{feff}').map_or(0, |_| '\u{feff}'.len_utf8());
    let (mut control, mut invisible) = (None, None);
    for (at, character) in text.char_indices().skip_while(|(at, _)| *at < body) {
        let span = at..at + character.len_utf8();
        if is_control(character) {
            control.get_or_insert((span, character));
        } else if is_invisible(character) {
            invisible.get_or_insert((span, character));
        }
    }
    let control = control.map(|(span, character)| {
        let message = format!("the file holds {}", control_named(character));
        Fault::new(Code::ControlCharacter, span, message).help("remove it")
    });
    let invisible = invisible.map(|(span, character)| {
        Fault::new(
            Code::InvisibleCharacter,
            span,
            format!(
                "the file holds {}, which changes how the line looks in a review",
                named("the invisible", character)
            ),
        )
        .help("remove it; names and texts need no formatting characters")
    });
    control.into_iter().chain(invisible).collect()
}

/// `a NUL character`, `the control character U+001B`.
pub(super) fn control_named(character: char) -> String {
    if character == '\0' { "a NUL character".to_owned() } else { named("control", character) }
}

fn named(kind: &str, character: char) -> String {
    let article = if kind == "control" { "the control" } else { kind };
    format!("{article} character U+{:04X}", u32::from(character))
}

/// Whether a file may hold this character.
pub(super) fn is_visible(character: char) -> bool {
    !is_control(character) && !is_invisible(character)
}

/// Whether no text may hold this character: it is none that is shown, and neither a tab nor the end of a line.
pub(super) fn is_control(character: char) -> bool {
    character.is_control() && !matches!(character, '\t' | '\n' | '\r')
}

/// Unicode's format characters that hide or reorder text: bidi controls, zero width, tags, a stray byte order mark.
/// Zero width joiner and non-joiner stay: Persian, Hindi and emoji need them.
fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{00ad}' | '\u{061c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2028}' | '\u{2029}' | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{206f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn is_blank(text: &str) -> bool {
    lines(text.trim_start_matches('\u{feff}')).all(|(_, line)| {
        let line = line.trim();
        line.is_empty() || line.starts_with('#') || line == "---" || line == "..."
    })
}

/// Lines with the byte at which each starts.
pub fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split_inclusive('\n').scan(0, |next, line| {
        let start = *next;
        *next += line.len();
        Some((start, line))
    })
}

/// Where the lines of a file begin.
#[derive(Debug)]
pub struct Lines<'a> {
    bytes: &'a [u8],
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        let newlines = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        Self { bytes, starts: std::iter::once(0).chain(newlines.map(|(at, _)| at + 1)).collect() }
    }

    /// Byte offset → line and column, both from 1, a column counting characters.
    pub fn locate(&self, offset: usize) -> (usize, usize) {
        let offset = offset.min(self.bytes.len());
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = line.checked_sub(1).and_then(|index| self.starts.get(index)).copied().unwrap_or(0);
        let before = self.bytes.get(start..offset).unwrap_or_default();
        let before = if start == 0 { before.strip_prefix(b"\xef\xbb\xbf").unwrap_or(before) } else { before };
        // Every byte that does not continue a UTF-8 sequence begins a character.
        (line, before.iter().filter(|byte| **byte & 0xc0 != 0x80).count() + 1)
    }

    /// How far behind the start of a span that holds `text`, maybe in quotes, the byte `within` of the text is. None if the text is
    /// not written there as it is, but with escapes, or over several lines.
    pub fn into_text(&self, span: &Range<usize>, text: &str, within: usize) -> Option<usize> {
        let written = self.bytes.get(span.clone())?;
        let quote = usize::from(within > 0 && matches!(written.first(), Some(b'"' | b'\'')));
        let same = written.get(quote..quote + within)? == text.as_bytes().get(..within)?;
        same.then_some(quote + within).filter(|at| *at < written.len())
    }
}

/// [`Lines::locate`] for a single place.
pub fn line_and_column(bytes: &[u8], offset: usize) -> (usize, usize) {
    Lines::new(bytes).locate(offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(bytes: &[u8]) -> Vec<(Code, usize, usize)> {
        let faults = text(bytes).expect_err("a fault");
        faults
            .iter()
            .map(|fault| {
                let (line, column) = line_and_column(bytes, fault.span.start);
                (fault.finding.code, line, column)
            })
            .collect()
    }

    #[test]
    fn each_byte_level_oddity_is_named_at_its_place() {
        let utf16: Vec<u8> =
            [0xff, 0xfe].into_iter().chain("kind: x".encode_utf16().flat_map(u16::to_le_bytes)).collect();
        for (bytes, expected) in [
            (&b"a: 1\nb: caf\xe9\n"[..], (Code::NotUtf8, 2, 7)),
            (&utf16, (Code::NotUtf8, 1, 1)),
            (b"a: \0", (Code::ControlCharacter, 1, 4)),
            (b"a: 1\nb: \x1b[31m", (Code::ControlCharacter, 2, 4)),
            ("ä: \u{202e}x".as_bytes(), (Code::InvisibleCharacter, 1, 4)),
            ("a: 1\n\u{feff}b: 1".as_bytes(), (Code::InvisibleCharacter, 2, 1)),
            (b"a: 1\n<<<<<<< HEAD\nb: 1\n=======\n", (Code::ConflictMarker, 2, 1)),
            (b"a: 1\n=======\r\n", (Code::ConflictMarker, 2, 1)),
            (b"", (Code::EmptyFile, 1, 1)),
            (b"# nothing\n---\n", (Code::EmptyFile, 1, 1)),
        ] {
            assert_eq!(codes(bytes), [expected], "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn a_leading_byte_order_mark_and_windows_line_ends_are_fine() {
        assert!(text("\u{feff}a: 1\r\nb: 2\r\n".as_bytes()).is_ok());
        assert_eq!(line_and_column("\u{feff}a: 1".as_bytes(), 3), (1, 1));
    }

    #[test]
    fn the_size_limit_is_exact() {
        assert!(text(&vec![b'x'; MAX_FILE_BYTES]).is_ok());
        assert_eq!(codes(&vec![b'x'; MAX_FILE_BYTES + 1]), [(Code::FileTooLarge, 1, 1)]);
    }
}
