use git2::Repository;

use super::*;

const MAIN: &str = "refs/heads/main";

fn proposal(paths: &[&str]) -> Proposal {
    Proposal {
        base: "1".repeat(40),
        files: paths.iter().map(|path| ((*path).to_owned(), Some(b"x".to_vec()))).collect(),
        author: Author { name: "Ada".to_owned(), email: "ada@example.com".to_owned() },
        message: "a change".to_owned(),
        onto: Onto::Source,
    }
}

fn check(proposal: &Proposal) -> Result<(), CommitError> {
    proposal.check(MAIN, &Limits::default()).map(|_| ())
}

fn is_invalid(proposal: &Proposal) -> bool {
    matches!(check(proposal), Err(CommitError::Invalid(_)))
}

#[test]
fn a_path_stays_inside_the_repository_and_away_from_what_is_gits() {
    for path in
        ["zones/acme.yaml", "a", "zones/Größe.yaml", "zones/a b.yaml", "zones/नि.yaml", "zones/git.yaml"]
    {
        assert!(check(&proposal(&[path])).is_ok(), "{path}");
    }
    for path in [
        "",
        "/etc/passwd",
        "zones//a.yaml",
        "zones/",
        "..",
        "zones/../../a",
        "./a",
        ".git/config",
        "zones/.GIT/hooks/update",
        "git~1/config",
        "zones/GIT~1",
        "\u{200c}.git/config",
        "\u{feff}",
        ".github/workflows/x.yml",
        "zones\\a.yaml",
        "a\0b",
        "a\nb",
    ] {
        assert!(is_invalid(&proposal(&[path])), "{path:?}");
    }
    assert!(is_invalid(&proposal(&[&"x".repeat(MAX_PATH + 1)])));
}

#[test]
fn each_file_is_named_once_and_none_is_the_folder_of_another() {
    for paths in [&[][..], &["a", "a"], &["a", "a/b"], &["a/b/c", "x", "a"]] {
        assert!(is_invalid(&proposal(paths)), "{paths:?}");
    }
    assert!(check(&proposal(&["a", "ab", "b/a", "b/ab"])).is_ok());
}

#[test]
fn a_base_is_a_full_id_and_a_message_is_wanted() {
    for base in ["", "1111", "main", &"0".repeat(40), &"g".repeat(40), &"1".repeat(64)] {
        assert!(is_invalid(&Proposal { base: base.to_owned(), ..proposal(&["a"]) }), "{base}");
    }
    for message in [" \n", "a\0b", &"x".repeat(MAX_MESSAGE + 1)] {
        assert!(is_invalid(&Proposal { message: message.to_owned(), ..proposal(&["a"]) }));
    }
}

#[test]
fn what_moves_is_a_branch() {
    let onto = |branch: &str| Proposal { onto: Onto::Branch(branch.to_owned()), ..proposal(&["a"]) };
    assert!(check(&onto("refs/heads/partner-zones/acme-1")).is_ok());
    for bad in
        ["", "proposal", "refs/tags/v1", "refs/heads/", "refs/heads/a..b", "refs/heads/a b", "refs/heads/a:b"]
    {
        assert!(is_invalid(&onto(bad)), "{bad}");
    }
    assert!(matches!(check(&onto(MAIN)), Err(CommitError::Exists(_))));
    let tag = proposal(&["a"]);
    assert!(matches!(tag.check("refs/tags/v1", &Limits::default()), Err(CommitError::Invalid(_))));
}

#[test]
fn what_could_not_be_read_again_is_not_written() {
    let one = Limits { file_bytes: 1, total_bytes: 2, ..Limits::default() };
    let judged = |paths: &[&str]| proposal(paths).check(MAIN, &one).is_ok();
    assert!(judged(&["a"]) && judged(&["a", "b"]) && !judged(&["a", "b", "c"]));
    let larger = Proposal { files: vec![("a".to_owned(), Some(b"xx".to_vec()))], ..proposal(&[]) };
    assert!(larger.check(MAIN, &one).is_err());
}

#[test]
fn an_author_is_one_line_of_what_git_keeps() {
    let signed = |name: &str, email: &str| {
        let author = Author { name: name.to_owned(), email: email.to_owned() };
        let signature = author.signature().unwrap();
        (signature.name().unwrap().to_owned(), signature.email().unwrap().to_owned())
    };
    let of = |name: &str, email: &str| (name.to_owned(), email.to_owned());
    assert_eq!(signed("Zoë  Ångström", "zoe@example.com"), of("Zoë Ångström", "zoe@example.com"));
    assert_eq!(signed("A <b@c>\ncommitter\0X", "<a@b>\n c@d "), of("A b@c committer X", "a@bc@d"));
    assert_eq!(signed("\u{202e}Ada\u{2028}L.", "\u{200b}a@b"), of("Ada L", "a@b"));
    for nothing in ["", " ", "<>", "...", "\"'\"", "\n\0"] {
        assert_eq!(signed(nothing, nothing), of(NOBODY.0, NOBODY.1), "{nothing:?}");
    }
    assert_eq!(signed(&"x".repeat(9_999), "a@b").0.len(), MAX_WHO);
}

#[test]
fn a_branch_that_is_this_very_change_is_found_and_any_other_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::init_bare(folder.path()).unwrap();
    let tree = repository.find_tree(repository.treebuilder(None).unwrap().write().unwrap()).unwrap();
    let who = Signature::now("Ada", "ada@example.com").unwrap();
    let base = repository.commit(Some(MAIN), &who, &who, "the beginning", &tree, &[]).unwrap();
    let onto = Onto::Branch("refs/heads/partner-zones/acme".to_owned());
    let ours = Proposal { base: base.to_string(), onto, ..proposal(&["zones/acme.yaml"]) };
    let commit = |proposal: &Proposal| {
        let step = proposal.check(MAIN, &Limits::default()).unwrap();
        local::commit(folder.path(), &step, proposal)
    };
    let made = commit(&ours).unwrap();
    // Another commit in Git's eyes, as one that is made later would be.
    let author = Author { name: "Bob".to_owned(), email: "bob@example.com".to_owned() };
    let again = commit(&Proposal { author, ..ours.clone() }).unwrap_err();
    let EditError::Answer(CommitError::Proposed(found)) = again else { panic!("{again:?}") };
    assert_eq!((found.commit, found.reference.as_str()), (made.to_string(), "refs/heads/partner-zones/acme"));
    let files = vec![("zones/acme.yaml".to_owned(), Some(b"another".to_vec()))];
    let in_other_words = Proposal { message: "in other words".to_owned(), ..ours.clone() };
    for other in [Proposal { files, ..ours.clone() }, in_other_words] {
        let refused = commit(&other).unwrap_err();
        assert!(matches!(refused, EditError::Answer(CommitError::Exists(_))), "{refused:?}");
    }
    assert_eq!(repository.refname_to_id("refs/heads/partner-zones/acme").unwrap(), made);
}
