use proptest::prelude::*;

use super::*;

const DN: &str = "CN=Duke,OU=ServiceUsers,O=Org,C=US";

fn named(rules: &str, subject: &str) -> Option<String> {
    rules.parse::<PrincipalMapping>().unwrap().name(subject)
}

fn problem(rules: &str) -> (usize, String) {
    let error = rules.parse::<PrincipalMapping>().unwrap_err();
    (error.at, error.problem)
}

#[test]
fn the_first_rule_that_applies_gives_the_name() {
    let rules = r"RULE:^CN=(.*?),OU=ServiceUsers.*$/$1/,
        RULE:^CN=(.*?), ?OU=(.*?),O=(.*?),L=(.*?),ST=(.*?),C=(.*?)$/$1@$2/L,
        RULE:^.*[Cc][Nn]=([a-zA-Z0-9.]*).*$/$1/U , DEFAULT";
    for (subject, name) in [
        (DN, "Duke"),
        ("CN=Adm,OU=Ops,O=Org,L=Ulm,ST=BW,C=DE", "adm@ops"),
        ("OU=x,CN=a.b", "A.B"),
        ("O=Org", "O=Org"),
    ] {
        assert_eq!(named(rules, subject).as_deref(), Some(name), "{subject}");
    }
    assert_eq!(named("RULE:^CN=(.*?),OU=ServiceUsers.*$/$1/", "O=Org"), None);
    assert_eq!(named(", DEFAULT ,,", "O=Org").as_deref(), Some("O=Org"));
}

#[test]
fn a_rule_is_for_subjects_that_match_as_a_whole() {
    assert_eq!(named("RULE:CN=Duke/x/", DN), None);
    assert_eq!(
        named("RULE:CN=a|CN=ab/x/", "CN=ab").as_deref(),
        Some("xb"),
        "replaced is what is found first"
    );
    assert_eq!(named("RULE:CN=(.)(.*)/$2-$1/", "CN=ab").as_deref(), Some("b-a"));
}

/// Each with what Java's `replaceAll` makes of it.
#[test]
fn replacements_are_those_of_java() {
    for (rules, subject, name) in [
        (r"RULE:(.*)/$1/", "ab", "ab"),
        (r"RULE:(.*)/$1;/", "ab", "ab;;"),
        (r"RULE:.*?/-/", "äb", "-ä-b-"),
        (r"RULE:CN=(a)?(.*)/[$1][$2]/", "CN=b", "[][b]"),
        (r"RULE:(a)(.*)/$0:$12/", "ab", "ab:a2"),
        (r"RULE:(.*)x/\$1\\\/$1/", "ax", r"$1\/a"),
        (r"RULE:CN=\w+\/\d/ok/", "CN=a_1/7", "ok"),
        (r"RULE:CN=(.*)/$1/L", "CN=ÄB", "äb"),
        (r"RULE:CN=(.*)/$1/U", "CN=straße", "STRASSE"),
    ] {
        assert_eq!(named(rules, subject).as_deref(), Some(name), "{rules}");
    }
}

#[test]
fn what_java_reads_in_another_way_is_refused_with_its_place() {
    for (rules, at, word) in [
        (r"RULE:(?=a)a/x/", 6, "look-around"),
        (r"RULE:(a)\1/x/", 9, "backreferences"),
        (r"RULE:\Qa\E/x/", 6, "unrecognized escape"),
        (r"RULE:CN=a*+/x/", 11, "possessive"),
        (r"RULE:CN=(?i)a/x/", 9, "flags"),
        (r"RULE:CN=(?i:a)/x/", 9, "flags"),
        (r"RULE:CN=(?<n>a)/x/", 9, "names"),
        (r"RULE:CN=\ba/x/", 9, "word boundaries"),
        (r"RULE:CN=\<a/x/", 9, "word boundaries"),
        (r"RULE:CN=\p{L}/x/", 9, "list the characters"),
        (r"RULE:CN=[\p{L}]/x/", 10, "list the characters"),
        (r"RULE:CN=[a[b]]/x/", 11, "in one class"),
        (r"RULE:CN=[a&&b]/x/", 10, "in one class"),
        (r"RULE:CN=[a--b]/x/", 10, "in one class"),
        (r"RULE:CN=[[:alpha:]]/x/", 10, "in one class"),
        (r"RULE:CN=(a*)*/x/", 9, "capture outside"),
        (r"RULE:CN=(?:(a)){2}/x/", 12, "capture outside"),
        (r"RULE:CN=\v/x/", 9, "class in Java"),
        (r"RULE:CN=(a/x/", 9, "unclosed group"),
    ] {
        let (found, problem) = problem(rules);
        assert!(found == at && problem.contains(word), "{rules}: {found} {problem}");
    }
    assert_eq!(named(r"RULE:CN=(a(?:b*)*)?[\d\w.-]+/x/", "CN=abb.7-").as_deref(), Some("x"));
    for (rules, subject) in
        [(r"RULE:\w/x/", "é"), (r"RULE:\d/x/", "٣"), (r"RULE:[^\W]/x/", "é"), (r"RULE:\s/x/", "\u{a0}")]
    {
        assert_eq!(named(rules, subject), None, "{rules} is of ASCII");
    }
}

#[test]
fn what_is_no_rule_is_refused_with_its_place() {
    for (rules, at, word) in [
        ("", 1, "no rule"),
        (" , ", 1, "no rule"),
        ("DEFAULT, default", 10, "no rule begins here"),
        ("DEFAULTS", 8, "a rule ends here"),
        ("RULE:a/b", 1, "does not end"),
        (r"RULE:a\/b/c", 1, "does not end"),
        ("RULE:é/b/LU", 11, "a rule ends here"),
        ("RULE:a/b/ RULE:a/b/", 11, "a rule ends here"),
        ("RULE:é(a)/b$2/", 12, "no group 2"),
        ("RULE:a/$1/", 8, "no group 1"),
        ("RULE:a/${n}/", 8, "`$` is a group"),
        ("RULE:a/b$/", 9, "`$` is a group"),
        ("RULE:(?:(?:.{99}){99}){99}/b/", 6, "too large"),
    ] {
        let (found, problem) = problem(rules);
        assert!(found == at && problem.contains(word), "{rules}: {found} {problem}");
    }
    assert!(problem(&"DEFAULT,".repeat(LONGEST)).1.contains("limit"));
}

proptest! {
    #[test]
    fn no_text_panics(text in r"(RULE:|DEFAULT|[/$\\()\[\]*+?{}|,a-c1é^.&-]){0,20}", subject in ".{0,20}") {
        if let Ok(mapping) = text.parse::<PrincipalMapping>() {
            let _ = mapping.name(&subject);
        }
    }
}
