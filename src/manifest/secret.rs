//! Secrets that somebody put into a manifest: found, and hidden from everything that is printed.

use std::ops::Range;

use super::bytes::lines;
use super::code::Code;
use super::fault::Fault;
use super::finding::quote;
use super::scalar::{Kind, Scalar};
use super::tree::{Content, Node};

/// What was found, and the bytes that must not be shown.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    pub(super) faults: Vec<Fault>,
    pub(super) hidden: Vec<Range<usize>>,
}

/// Looks at the text, so that comments and broken files count too, and at the tree, which knows every way to write a value.
pub(super) fn find(text: &str, documents: &[Node]) -> Secrets {
    let mut secrets = Secrets::default();
    private_keys(text, &mut secrets);
    for (start, line) in lines(text) {
        if let Some((name, value)) = assignment(line) {
            secrets.named(
                line.get(name.clone()).unwrap_or_default(),
                shift(&name, start),
                shift(&value, start),
            );
        }
    }
    let mut open: Vec<&Node> = documents.iter().collect();
    while let Some(node) = open.pop() {
        match &node.content {
            Content::Scalar(scalar) => secrets.value(scalar, &node.span),
            Content::Sequence(items) => open.extend(items),
            Content::Mapping(entries) => {
                for entry in entries {
                    let named = entry
                        .value
                        .scalar()
                        .is_some_and(|scalar| is_filled(scalar) && is_secret_name(&entry.key));
                    if named {
                        secrets.named(&entry.key, entry.key_span.clone(), entry.value.span.clone());
                    }
                    open.push(&entry.value);
                }
            }
        }
    }
    secrets
}

impl Secrets {
    /// Whether any of a span is hidden.
    pub(super) fn hides(&self, span: &Range<usize>) -> bool {
        self.hidden
            .iter()
            .any(|hidden| hidden.start < span.end.max(span.start + 1) && span.start < hidden.end)
    }

    /// The text with every secret replaced by as many asterisks: places stay the same.
    pub(super) fn mask(&self, text: &str) -> String {
        let mut hidden = self.hidden.clone();
        hidden.sort_by_key(|span| span.start);
        let mut masked = String::with_capacity(text.len());
        let mut done = 0;
        for span in hidden {
            let start = span.start.max(done);
            masked.push_str(text.get(done..start).unwrap_or_default());
            for character in text.get(start..span.end).unwrap_or_default().chars() {
                if character == '\n' {
                    masked.push('\n');
                } else {
                    masked.extend(std::iter::repeat_n('*', character.len_utf8()));
                }
            }
            done = done.max(span.end);
        }
        masked.push_str(text.get(done..).unwrap_or_default());
        masked
    }

    fn add(&mut self, at: Range<usize>, hidden: Range<usize>, what: &str) {
        if self.hides(&hidden) {
            return;
        }
        self.faults.push(
            Fault::new(Code::SecretInFile, at, format!("{what} is in the file; it is not shown here")).help(
                "remove it, and replace the secret itself: everybody who can read the repository has it",
            ),
        );
        self.hidden.push(hidden);
    }

    fn named(&mut self, name: &str, at: Range<usize>, hidden: Range<usize>) {
        self.add(at, hidden, &format!("a secret under the name {}", quote(name)));
    }

    fn value(&mut self, scalar: &Scalar, span: &Range<usize>) {
        if let Some(what) = known_form(&scalar.text) {
            self.add(span.clone(), span.clone(), what);
        }
    }
}

fn shift(span: &Range<usize>, by: usize) -> Range<usize> {
    span.start + by..span.end + by
}

/// PEM (RFC 7468), in values and in comments; one that does not end hides the rest of the file.
fn private_keys(text: &str, secrets: &mut Secrets) {
    const BEGIN: &str = "-----BEGIN ";
    let mut from = 0;
    while let Some(start) = text.get(from..).and_then(|rest| rest.find(BEGIN)).map(|at| from + at) {
        let rest = text.get(start..).unwrap_or_default();
        let line = rest.lines().next().unwrap_or_default();
        from = start + BEGIN.len();
        if line.contains("PRIVATE KEY") {
            let end = rest
                .find("-----END ")
                .and_then(|end| rest.get(end..).map(|last| end + last.find('\n').unwrap_or(last.len())));
            let end = start + end.unwrap_or(rest.len());
            secrets.add(start..start + line.len(), start..end, "a private key");
            from = end.max(from);
        }
    }
}

/// `name: value` or `name=value` on a line of its own, also in a comment, where the name is one of a secret and the value is
/// one word. Spans are within the line.
fn assignment(line: &str) -> Option<(Range<usize>, Range<usize>)> {
    let separator = line.find([':', '='])?;
    let (name, rest) = line.split_at_checked(separator)?;
    let trimmed =
        name.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '#' | '-' | '"' | '\'' | '{'));
    let start = name.len() - trimmed.len();
    let trimmed = trimmed.trim_end_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\''));
    if !is_secret_name(trimmed) {
        return None;
    }
    let value = rest.get(1..)?;
    let word = value.trim();
    let scalar = Scalar { text: word.to_owned(), plain: true };
    // Block scalars and collections are the tree's.
    let simple = is_filled(&scalar)
        && !word.contains(char::is_whitespace)
        && !word.starts_with(['|', '>', '{', '[', '&', '*', '!', '#']);
    simple.then(|| {
        let begin = separator + 1 + (value.len() - value.trim_start().len());
        (start..start + trimmed.len(), begin..begin + word.len())
    })
}

fn is_filled(scalar: &Scalar) -> bool {
    !matches!(scalar.kind(), Kind::Null | Kind::Boolean)
        && !scalar.text.trim_matches(['*', '"', '\'']).is_empty()
}

fn is_secret_name(name: &str) -> bool {
    const ENDINGS: [&str; 8] =
        ["password", "passwd", "secret", "apikey", "privatekey", "secretkey", "accesstoken", "jaasconfig"];
    let name: String =
        name.chars().filter(|c| !matches!(c, '_' | '-' | '.' | ' ')).collect::<String>().to_lowercase();
    matches!(name.as_str(), "token" | "authtoken" | "bearertoken" | "pwd" | "masterkey" | "credential")
        || ENDINGS.iter().any(|ending| name.ends_with(ending))
}

/// Secrets whose form gives them away, wherever they stand.
fn known_form(text: &str) -> Option<&'static str> {
    let words = || text.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | ';' | '='));
    let long_enough = |word: &str, prefix: &str, length: usize| {
        word.strip_prefix(prefix).is_some_and(|rest| {
            rest.len() >= length
                && rest.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
        })
    };
    let jwt = |word: &str| {
        word.starts_with("eyJ") && word.len() >= 40 && word.bytes().filter(|b| *b == b'.').count() == 2
    };
    if words().any(jwt) {
        return Some("a token (JWT)");
    }
    if words().any(|word| word.len() == 20 && long_enough(word, "AKIA", 16)) {
        return Some("an access key");
    }
    let forge = ["ghp_", "gho_", "ghs_", "github_pat_", "glpat-", "xoxb-", "xoxp-"];
    if words().any(|word| forge.iter().any(|prefix| long_enough(word, prefix, 16))) {
        return Some("an access token");
    }
    let credentials_in_url = |word: &str| {
        let authority = word.split_once("://").map(|(_, rest)| rest.split('/').next().unwrap_or_default());
        let user = authority.and_then(|authority| authority.rsplit_once('@')).map(|(user, _)| user);
        user.and_then(|user| user.split_once(':')).is_some_and(|(_, password)| !password.is_empty())
    };
    if words().any(credentials_in_url) {
        return Some("a password in a URL");
    }
    let jaas = text
        .split_once("password=")
        .is_some_and(|(_, value)| !value.trim_matches(['"', '\'', '*', ';']).is_empty());
    jaas.then_some("a password")
}

#[cfg(test)]
mod tests {
    use super::super::tree::parse;
    use super::*;

    fn masked(text: &str) -> (usize, String) {
        let (documents, _) = parse(text);
        let secrets = find(text, &documents);
        (secrets.faults.len(), secrets.mask(text))
    }

    #[test]
    fn a_secret_is_found_once_and_hidden_however_it_is_written() {
        for (text, expected) in [
            ("password: hunter2\n", "password: *******\n"),
            ("x: {sasl.password: 'hünter'}\n", "x: {sasl.password: *********}\n"),
            ("clientSecret: 12345\n", "clientSecret: *****\n"),
            ("# api_key=abc\na: 1\n", "# api_key=***\na: 1\n"),
            ("password: [broken\n  token: abc\n", "password: [broken\n  token: ***\n"),
            ("url: https://me:hunter2@example.com/x\n", "url: ********************************\n"),
            ("a: AKIAIOSFODNN7EXAMPLE\n", "a: ********************\n"),
        ] {
            assert_eq!(masked(text), (1, expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn a_private_key_is_hidden_to_its_last_line() {
        let text =
            "key: |\n  -----BEGIN RSA PRIVATE KEY-----\n  MIIE\n  -----END RSA PRIVATE KEY-----\nb: 1\n";
        let (count, shown) = masked(text);
        assert_eq!((count, shown.len()), (1, text.len()));
        assert!(!shown.contains("MIIE") && shown.ends_with("\nb: 1\n"), "{shown}");
    }

    #[test]
    fn talking_about_secrets_is_allowed() {
        for text in [
            "# password: ask the data owner\n",
            "description: passwords and tokens are issued by the portal\n",
            "# -----BEGIN CERTIFICATE-----\na: 1\n",
            "password:\n",
            "password: ****\n",
            "labels: {secret: false}\n",
            "url: https://example.com:8443/@me\n",
            "contact: mailto:ada@example.com\n",
        ] {
            assert_eq!(masked(text), (0, text.to_owned()));
        }
    }
}
