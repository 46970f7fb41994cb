//! A certificate's subject as text, in the form that Kafka's rules are written for: what Java's `X500Principal.getName()`
//! gives (RFC 2253).

use std::fmt::Write as _;

use thiserror::Error;
use x509_parser::asn1_rs::{Any, Tag};
use x509_parser::der_parser::oid::Oid;
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

/// The longest text of a name, in bytes. Directories stay far below it.
pub const LONGEST: usize = 2 * 1024;

/// Why a subject is not written as text. Java would write it, with characters in it that no rule is meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Unreadable {
    #[error("it has more than {LONGEST} bytes")]
    TooLong,
    #[error(
        "it holds text that is not UTF-8, or UTF-16 (a BMPString); issue the certificate with UTF8String"
    )]
    Encoding,
    #[error("it holds a control character or a line separator")]
    Control,
    #[error("an attribute's type is no object identifier")]
    Type,
}

/// RFC 2253, section 2.3. Whatever else there is stands there by number.
const KEYWORDS: [(&str, &str); 9] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "STREET"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("0.9.2342.19200300.100.1.25", "DC"),
];

/// Escaped wherever they stand: RFC 2253's, and `=` and `#` as Java does.
const SPECIAL: &str = ",=+<>#;\"\\";

/// The last part comes first; the attributes of one part keep their order.
pub fn text(name: &X509Name<'_>) -> Result<String, Unreadable> {
    let parts: Vec<_> = name.iter_rdn().collect();
    let mut out = String::new();
    for (index, part) in parts.into_iter().rev().enumerate() {
        for (place, attribute) in part.iter().enumerate() {
            match (index, place) {
                (0, 0) => {}
                (_, 0) => out.push(','),
                _ => out.push('+'),
            }
            put(&mut out, attribute)?;
            if out.len() > LONGEST {
                return Err(Unreadable::TooLong);
            }
        }
    }
    Ok(out)
}

fn put(out: &mut String, attribute: &AttributeTypeAndValue<'_>) -> Result<(), Unreadable> {
    let (kind, value) = (numbers(attribute.attr_type())?, attribute.attr_value());
    let keyword = KEYWORDS.iter().find(|(number, _)| *number == kind);
    out.push_str(keyword.map_or(kind.as_str(), |(_, keyword)| keyword));
    out.push('=');
    match value.tag() {
        _ if keyword.is_none() => put_encoded(out, value),
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::TeletexString | Tag::GeneralString => {
            put_text(out, std::str::from_utf8(value.data).map_err(|_| Unreadable::Encoding)?)
        }
        Tag::BmpString => Err(Unreadable::Encoding),
        _ => put_encoded(out, value),
    }
}

/// X.690, section 8.19: the first two numbers are one in the encoding.
fn numbers(kind: &Oid<'_>) -> Result<String, Unreadable> {
    let (mut numbers, mut number) = (Vec::new(), 0_u64);
    for byte in kind.as_bytes() {
        number = number.checked_mul(128).ok_or(Unreadable::Type)? + u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            if numbers.is_empty() {
                let first = (number / 40).min(2);
                numbers.push(first.to_string());
                number -= 40 * first;
            }
            numbers.push(number.to_string());
            number = 0;
        }
    }
    if numbers.is_empty() { Err(Unreadable::Type) } else { Ok(numbers.join(".")) }
}

fn put_text(out: &mut String, text: &str) -> Result<(), Unreadable> {
    let (leading, trailing) =
        (text.len() - text.trim_start_matches(' ').len(), text.trim_end_matches(' ').len());
    for (at, character) in text.char_indices() {
        if character.is_control() || matches!(character, '\u{2028}' | '\u{2029}') {
            return Err(Unreadable::Control);
        }
        if SPECIAL.contains(character) || at < leading || at >= trailing {
            out.push('\\');
        }
        out.push(character);
    }
    Ok(())
}

/// `#` and the value's DER form in hexadecimal digits.
fn put_encoded(out: &mut String, value: &Any<'_>) -> Result<(), Unreadable> {
    use x509_parser::asn1_rs::ToDer as _;
    if value.data.len() > LONGEST {
        return Err(Unreadable::TooLong);
    }
    out.push('#');
    for byte in value.to_der_vec().map_err(|_| Unreadable::Encoding)? {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02x}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use x509_parser::prelude::FromDer as _;

    use super::*;

    fn read(hex: &str) -> Result<String, Unreadable> {
        let der: Vec<u8> =
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
        let (rest, name) = X509Name::from_der(&der).unwrap();
        assert!(rest.is_empty());
        text(&name)
    }

    /// Each name with what `X500Principal.getName()` of Java 17 printed for it.
    #[test]
    fn names_read_as_java_writes_them() {
        for (hex, java) in [
            (
                "307d310b3009060355040613024445310f300d06035504080c0642617965726e3111300f06035504070c084dc3bc6e6368656e31\
                 133011060355040a0c0a41636d652c20496e632e311a3018060355040b0c11612b623d633b643c653e6622675c682369311930\
                 1706035504030c10206c65616420616e6420747261696c20",
                "CN=\\ lead and trail\\ ,OU=a\\+b\\=c\\;d\\<e\\>f\\\"g\\\\h\\#i,O=Acme\\, Inc.,L=München,ST=Bayern,C=DE",
            ),
            (
                "305e31133011060a0992268993f22c6401191603636f6d31173015060a0992268993f22c64011916076578616d706c6531123010\
                 060a0992268993f22c6401010c027531310a300806035504090c0173310e300c06035504030c052368617368",
                "CN=\\#hash,STREET=s,UID=u1,DC=example,DC=com",
            ),
            (
                "3038311c301a06092a864886f70d010901160d61406578616d706c652e636f6d310c300a06035504051303313233310a30080603\
                 5504030c0178",
                "CN=x,2.5.4.5=#1303313233,1.2.840.113549.1.9.1=#160d61406578616d706c652e636f6d",
            ),
            ("3020311e3008060355040b0c0175300806035504030c017a3008060355040a0c016f", "OU=u+CN=z+O=o"),
            ("300f310d300b0603550403120431322033", "CN=#120431322033"),
            ("300b3109300706035504030c00", "CN="),
            ("3000", ""),
            (
                "302d310e300c060355040c0c057469746c65310e300c060355042a0c05676976656e310b300906035504030c022020",
                "CN=\\ \\ ,2.5.4.42=#0c05676976656e,2.5.4.12=#0c057469746c65",
            ),
            (
                "301f310f300d06088837a3f78fec894b0c0171310c300a06035504031b0367656e",
                "CN=gen,2.999.1234567890123=#0c0171",
            ),
            (
                "301d311b301906035504030c1261c2a0e38080622728292f3a3f2a26405f7c",
                "CN=a\u{a0}\u{3000}b'()/:?*&@_|",
            ),
        ] {
            assert_eq!(read(&hex.replace(' ', "")).as_deref(), Ok(java));
        }
    }

    #[test]
    fn what_no_rule_is_meant_for_is_not_written_at_all() {
        for (hex, why) in [
            ("300f310d300b06035504031e0400610062", Unreadable::Encoding),
            ("300f310d300b06035504031404636166e9", Unreadable::Encoding),
            ("30143112301006035504030c096101620a63e280a864", Unreadable::Control),
            ("300f310d300b06035504030c0461e280a8", Unreadable::Control),
        ] {
            assert_eq!(read(hex), Err(why), "{hex}");
        }
    }

    #[test]
    fn a_name_has_an_end() {
        let attribute = |len: usize| {
            let body =
                [&[6, 3, 0x55, 4, 3, 12, 0x81, u8::try_from(len).unwrap()][..], &vec![b'a'; len]].concat();
            let sequence = [&[0x30, 0x81, u8::try_from(body.len()).unwrap()][..], &body].concat();
            [&[0x31, 0x81, u8::try_from(sequence.len()).unwrap()][..], &sequence].concat()
        };
        let many: Vec<u8> = (0..20).flat_map(|_| attribute(200)).collect();
        let len = u16::try_from(many.len()).unwrap().to_be_bytes();
        let der = [&[0x30, 0x82, len[0], len[1]][..], &many].concat();
        let (_, name) = X509Name::from_der(&der).unwrap();
        assert_eq!(text(&name), Err(Unreadable::TooLong));
    }
}
