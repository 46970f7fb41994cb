//! The kinds of findings: one list, which `docs/findings.md` explains and every report refers to.

use serde::ser::{Serialize, Serializer};

/// How much a finding weighs: an error keeps its zone as it was, a warning and a note do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    Error,
    Warning,
    Note,
}

impl Severity {
    /// Worst first.
    pub const ALL: [Self; 3] = [Self::Error, Self::Warning, Self::Note];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// What a file is checked for, one after the other: what a layer has refused, the next one does not complain about again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Layer {
    Bytes,
    Yaml,
    Schema,
    Zone,
    Zones,
    Live,
    Commit,
    Suppression,
}

impl Layer {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Yaml => "YAML",
            Self::Schema => "schema",
            Self::Zone => "one zone",
            Self::Zones => "across zones",
            Self::Live => "live",
            Self::Commit => "commit",
            Self::Suppression => "suppression",
        }
    }
}

/// A layer's codes, each with its meaning, its text and its severity. `suppressible` is said, never assumed.
macro_rules! codes {
    ($(
        $(#[doc = $about:literal])+
        $layer:ident {
            $(#[doc = $meaning:literal] $name:ident = $text:literal $severity:ident $($suppressible:ident)?,)+
        }
    )+) => {
        /// The kind of a finding. Its text never changes its meaning and is never used again for another.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code {
            $($(#[doc = $meaning] $name,)+)+
        }

        impl Code {
            pub const ALL: &[Self] = &[$($(Self::$name),+),+];

            /// `PZ` and four digits.
            pub fn as_str(self) -> &'static str {
                match self {
                    $($(Self::$name => $text,)+)+
                }
            }

            pub fn severity(self) -> Severity {
                match self {
                    $($(Self::$name => Severity::$severity,)+)+
                }
            }

            pub fn layer(self) -> Layer {
                match self {
                    $($(Self::$name => Layer::$layer,)+)+
                }
            }

            /// One sentence, without its full stop.
            pub fn meaning(self) -> &'static str {
                match self {
                    $($(Self::$name => $meaning.trim_ascii(),)+)+
                }
            }

            /// Whether a comment in the file may silence it: nothing that keeps a zone as it was, and nothing that
            /// weakens a protection.
            pub fn is_suppressible(self) -> bool {
                match self {
                    $($(Self::$name => codes!(@ $($suppressible)?),)+)+
                }
            }
        }
    };
    (@ suppressible) => { true };
    (@) => { false };
}

codes! {
    /// The file and its bytes.
    Bytes {
        /// The file is over the limit for one manifest, 1 MiB
        FileTooLarge = "PZ0001" Error,
        /// The file is not UTF-8
        NotUtf8 = "PZ0002" Error,
        /// The file, or a text in it, holds a control character
        ControlCharacter = "PZ0003" Error,
        /// The file holds a character that makes a reviewer see something else than what a program reads (CVE-2021-42574)
        InvisibleCharacter = "PZ0004" Error,
        /// A merge conflict is not resolved
        ConflictMarker = "PZ0005" Error,
        /// The file holds no document
        EmptyFile = "PZ0006" Error,
        /// The entry is a symbolic link or a submodule
        NotAFile = "PZ0007" Error,
        /// The file cannot be read
        UnreadableFile = "PZ0008" Error,
        /// The source has more files than are read
        TooManyFiles = "PZ0009" Error,
    }
    /// The text as YAML.
    Yaml {
        /// The text is not valid YAML
        Syntax = "PZ0010" Error,
        /// A tab is used for indentation
        Tab = "PZ0011" Error,
        /// A key is in one mapping twice
        DuplicateKey = "PZ0012" Error,
        /// An anchor or an alias is used
        Anchor = "PZ0013" Error,
        /// A value has a tag
        Tag = "PZ0014" Error,
        /// A merge key is used
        MergeKey = "PZ0015" Error,
        /// The file has more values than are read
        TooManyNodes = "PZ0016" Error,
        /// The file nests deeper than is read
        TooDeep = "PZ0017" Error,
        /// A key is no plain text
        KeyNotText = "PZ0018" Error,
        /// Stands for the rest of a very long list of findings in one file
        MoreFaults = "PZ0019" Note,
    }
    /// A document against the JSON Schema.
    Schema {
        /// The document is of another kind
        UnknownKind = "PZ0100" Error,
        /// A field is unknown at this place
        UnknownField = "PZ0101" Error,
        /// A required field is missing
        MissingField = "PZ0102" Error,
        /// A value has another type than is wanted
        WrongType = "PZ0103" Error,
        /// A value is none of the allowed ones
        UnknownValue = "PZ0104" Error,
        /// YAML reads the value as a number, a boolean or null where text is wanted
        QuoteNeeded = "PZ0105" Error,
        /// A value does not have the wanted form
        InvalidValue = "PZ0106" Error,
        /// The field is filled in by the server and ignored in a file
        ReadOnlyField = "PZ0107" Note suppressible,
    }
    /// Rules within one zone.
    Zone {
        /// A name is not legal
        InvalidName = "PZ0200" Error,
        /// An alias is in its zone twice
        DuplicateAlias = "PZ0201" Error,
        /// A backing topic has two writable aliases in one zone
        TwoWritableAliases = "PZ0202" Error,
        /// A backing topic has two aliases in one zone
        TwoAliases = "PZ0203" Note suppressible,
        /// The backing topic belongs to Kafka or to this system
        InternalTopic = "PZ0204" Error,
        /// The access ends before it begins
        EmptyValidity = "PZ0205" Error,
        /// The file holds a secret
        SecretInFile = "PZ0206" Error,
        /// The zone shares no topic
        NothingShared = "PZ0207" Warning suppressible,
        /// A group is mapped twice in one zone
        DuplicateGroup = "PZ0208" Error,
        /// Both spellings of the service account are there and differ
        TwoServiceAccounts = "PZ0209" Error,
        /// The replacement of a deprecated alias is no other alias of the zone
        UnknownReplacement = "PZ0210" Error,
        /// The backing group belongs to Kafka, to this system or to some zone
        ReservedGroup = "PZ0211" Error,
        /// A name is not in Unicode's composed form (NFC), so that it looks like another one
        NotComposed = "PZ0212" Error,
        /// A header that is added has a template that there is not
        UnknownTemplate = "PZ0213" Error,
        /// A regular expression cannot be used, or Java would read it in another way
        UnusablePattern = "PZ0214" Error,
        /// A header is added twice
        DuplicateHeader = "PZ0215" Error,
    }
    /// Rules across zones, and against the configuration.
    Zones {
        /// A zone is defined twice
        DuplicateZone = "PZ0300" Error,
        /// A service account belongs to two zones
        DuplicateServiceAccount = "PZ0301" Error,
        /// The zone names a gateway that this installation does not have
        OtherGateway = "PZ0302" Error,
        /// The zone names a cluster that is not configured
        UnknownCluster = "PZ0303" Error,
        /// The zone's name can be no host name, so that its partners connect by port
        NoHostName = "PZ0305" Warning suppressible,
        /// A backing group belongs to two zones
        DuplicateBackingGroup = "PZ0306" Error,
        /// The zone takes tokens of an issuer that is not configured
        UnknownIssuer = "PZ0307" Error,
    }
    /// Against live state, found while planning.
    Live {
        /// A backing topic does not exist
        BackingTopicMissing = "PZ0400" Warning suppressible,
        /// A zone got another name, which makes it a new zone
        ZoneRenamed = "PZ0401" Note,
        /// A service account or a backing group is still that of another zone
        StillClaimed = "PZ0402" Error,
        /// A cluster could not be asked for its topics
        ClusterNotAsked = "PZ0403" Warning,
        /// A backing cluster cannot be given the zones' principals
        ClusterNotAdministrable = "PZ0410" Error,
        /// A zone's principal is somebody else's
        PrincipalTaken = "PZ0411" Error,
        /// Somebody denies a zone's principal something
        PrincipalDenied = "PZ0412" Warning,
        /// Everybody may do with data what a zone's principal may not
        EverybodyAllowed = "PZ0413" Warning,
        /// Zones have principals on a cluster where none are made any more
        PrincipalsLeft = "PZ0414" Warning,
        /// The file with a zone's login is missing or cannot be used
        LoginFileUnusable = "PZ0415" Error,
        /// A cluster does not let in the user of a zone's login file, or cannot be asked
        LoginNotProved = "PZ0416" Error,
        /// The login files of two zones hold the same user
        LoginShared = "PZ0417" Warning,
        /// The user of a zone's login file reaches the state
        LoginReachesState = "PZ0418" Warning,
        /// A zone's user needs ACLs that are not made here
        AclsNotMadeHere = "PZ0419" Note,
    }
    /// The commit.
    Commit {
        /// A trailer that would lift a guard is not written as it must be
        TrailerUnusable = "PZ0500" Warning,
    }
    /// Comments that suppress findings.
    Suppression {
        /// A suppression comment suppresses nothing
        UnusedSuppression = "PZ0600" Warning,
        /// A suppression comment cannot be followed
        InvalidSuppression = "PZ0601" Warning,
    }
}

impl Code {
    /// The code of this text.
    pub fn find(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text)
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_unique_and_well_formed() {
        let mut seen = std::collections::BTreeSet::new();
        for code in Code::ALL {
            let text = code.as_str();
            assert!(text.len() == 6 && text.starts_with("PZ"), "{text}");
            assert!(text[2..].bytes().all(|b| b.is_ascii_digit()), "{text}");
            assert!(seen.insert(text), "{text} is used twice");
            assert_eq!(Code::find(text), Some(*code));
            assert!(!code.meaning().is_empty() && !code.meaning().ends_with('.'), "{text}");
        }
    }

    #[test]
    fn no_error_can_be_suppressed() {
        for code in Code::ALL.iter().filter(|code| code.is_suppressible()) {
            assert_ne!(code.severity(), Severity::Error, "{}", code.as_str());
        }
    }

    /// The table of `docs/findings.md` is for people; this keeps it true.
    #[test]
    fn the_documented_table_says_the_same() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/findings.md");
        let text = std::fs::read_to_string(path).unwrap();
        let rows: Vec<Vec<&str>> = text
            .lines()
            .filter(|line| line.starts_with("| PZ"))
            .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
            .collect();
        let documented: Vec<_> = rows.iter().map(|row| row[0]).collect();
        let known: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(documented, known);
        for (row, code) in rows.iter().zip(Code::ALL) {
            let suppressible = if code.is_suppressible() { "yes" } else { "no" };
            let wanted = [code.layer().as_str(), code.severity().as_str(), code.meaning()];
            assert_eq!((&row[1..4], row[5]), (&wanted[..], suppressible), "{}", code.as_str());
            assert!(!row[4].is_empty(), "{}: what to do is missing", code.as_str());
        }
    }
}
