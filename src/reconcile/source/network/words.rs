//! What a server says to people, made fit to be shown to others: bounded, on one line, and without what moves a cursor.

use crate::manifest::finding::printable;

/// Bytes that are listened to.
const HEARD: usize = 8 << 10;
/// Characters that are shown.
const SHOWN: usize = 600;

/// The first of what a server says.
#[derive(Debug, Default)]
pub(in crate::reconcile::source) struct Words(Vec<u8>);

impl Words {
    pub(in crate::reconcile::source) fn hear(&mut self, bytes: &[u8]) {
        let room = HEARD.saturating_sub(self.0.len()).min(bytes.len());
        self.0.extend_from_slice(bytes.get(..room).unwrap_or_default());
    }

    pub(in crate::reconcile::source) fn is_full(&self) -> bool {
        self.0.len() >= HEARD
    }

    /// `status`, and what was said about it. Bars of progress and ornaments say nothing.
    pub(in crate::reconcile::source) fn after(&self, status: &str) -> String {
        let said = String::from_utf8_lossy(&self.0);
        let lines = said.split(['\n', '\r']).map(str::trim).filter(|line| {
            line.contains(char::is_alphanumeric)
                && !line.contains("% (")
                && !line.starts_with("Unpacking objects")
        });
        let lines: Vec<&str> = lines.collect();
        let whole =
            if lines.is_empty() { status.to_owned() } else { format!("{status}: {}", lines.join(" ")) };
        let shown = printable(&whole);
        if shown.chars().count() <= SHOWN {
            return shown;
        }
        shown.chars().take(SHOWN).chain(['…']).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(status: &str, said: &[&[u8]]) -> String {
        let mut words = Words::default();
        for bytes in said {
            words.hear(bytes);
        }
        words.after(status)
    }

    #[test]
    fn progress_and_ornaments_are_left_out_and_lines_become_one() {
        let said: [&[u8]; 3] = [
            b"Resolving deltas:  50% (1/2)\rResolving deltas: 100% (2/2), done.\n",
            b"=====\nmain is pro",
            b"tected.\n  Ask Ada.\n",
        ];
        assert_eq!(shown("hook declined", &said), "hook declined: main is protected. Ask Ada.");
        assert_eq!(shown("hook declined", &[b"\r\n ---- \n"]), "hook declined");
    }

    #[test]
    fn nothing_moves_the_cursor_and_nothing_is_without_end() {
        assert_eq!(shown("no", &[b"\x1b[31mred\0\xff"]), "no: \\u{1b}[31mred\\0\u{fffd}");
        let long = "x".repeat(1 << 20);
        let shown = shown("no", &[long.as_bytes()]);
        assert_eq!((shown.chars().count(), shown.ends_with('…')), (SHOWN + 1, true));
    }
}
