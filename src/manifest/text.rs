//! The texts of files, for snippets.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use super::bytes::MAX_FILE_BYTES;
use super::secret::Secrets;

/// The text of a file, its secrets masked. That of a file without secrets is the file as it was read, and no second copy of it.
#[derive(Clone, Default)]
pub struct Text(Arc<[u8]>);

impl Text {
    /// What is no text in `content` is replaced, and what is beyond the limit is left out.
    pub(super) fn of(content: &Arc<[u8]>, secrets: &Secrets) -> Self {
        let within = content.get(..MAX_FILE_BYTES).unwrap_or(content);
        match String::from_utf8_lossy(within) {
            Cow::Borrowed(text) if secrets.hidden.is_empty() && text.len() == content.len() => {
                Self(Arc::clone(content))
            }
            text => secrets.mask(&text).into(),
        }
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text.into_bytes().into())
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        // Made of text only: looked at again, since the bytes alone are shared, but never anything else.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(content: &[u8], hidden: Option<std::ops::Range<usize>>) -> (Text, bool) {
        let content: Arc<[u8]> = content.into();
        let text =
            Text::of(&content, &Secrets { hidden: hidden.into_iter().collect(), ..Secrets::default() });
        let is_shared = Arc::ptr_eq(&content, &text.0);
        (text, is_shared)
    }

    #[test]
    fn a_file_is_held_once_unless_it_must_not_be_shown_as_it_is() {
        let (plain, is_shared) = text("a: \u{e4}\n".as_bytes(), None);
        assert!(is_shared && &*plain == "a: \u{e4}\n");
        let (masked, is_shared) = text(b"password: x1y2\n", Some(10..14));
        assert!(!is_shared && &*masked == "password: ****\n");
        let (odd, is_shared) = text(b"a: \xff\n", None);
        assert!(!is_shared && &*odd == "a: \u{fffd}\n");
        let (cut, is_shared) = text(&vec![b'x'; MAX_FILE_BYTES + 1], None);
        assert!(!is_shared && cut.len() == MAX_FILE_BYTES);
    }
}
