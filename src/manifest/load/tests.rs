use std::fmt::Write as _;

use super::super::code::Severity;
use super::*;

fn file(path: &str, content: impl Into<Vec<u8>>) -> SourceFile {
    SourceFile { path: path.into(), content: Ok(content.into().into()) }
}

fn zone(name: &str, account: &str) -> String {
    format!(
        "apiVersion: v2\nkind: PartnerZone\nmetadata:\n  name: {name}\nspec:\n  cluster: gateway\n  serviceAccount: \
         {account}\n  topics:\n    - {{name: a, backingTopic: b, permission: READ}}\n"
    )
}

fn errors(loaded: &Loaded) -> Vec<(Code, String)> {
    let errors = loaded.findings.iter().filter(|finding| finding.severity() == Severity::Error);
    errors
        .map(|finding| {
            let at = finding.source.as_ref();
            (finding.code, at.map(|at| format!("{}:{}:{}", at.file, at.line, at.column)).unwrap_or_default())
        })
        .collect()
}

fn unreadable(loaded: &Loaded) -> Vec<&str> {
    loaded.unreadable.zones.keys().map(ZoneName::as_str).collect()
}

#[test]
fn good_files_become_zones_with_the_places_of_their_names() {
    let two = format!("{}---\n{}---\n", zone("b", "b"), zone("c", "c"));
    let loaded = load([file("zones/a.yaml", zone("a", "a")), file("zones/two.yml", two)], &Known::default());
    assert_eq!(errors(&loaded), []);
    assert_eq!(loaded.zones.keys().map(ZoneName::as_str).collect::<Vec<_>>(), ["a", "b", "c"]);
    let b = &loaded.zones["b"];
    assert_eq!((b.source.line, b.source.column), (4, 9));
    assert_eq!(b.topics.get(&"a".try_into().unwrap()).unwrap().line, 9);
    assert!(loaded.unreadable.is_empty());
}

#[test]
fn an_invalid_document_keeps_its_own_zone_and_lets_the_others_go_ahead() {
    let bad = zone("bad", "x").replace("READ", "read");
    let loaded = load([file("a.yaml", format!("{}---\n{bad}", zone("a", "a")))], &Known::default());
    assert_eq!(errors(&loaded), [(Code::UnknownValue, "a.yaml:19:46".into())]);
    assert!(loaded.zones.contains_key("a"));
    assert_eq!(unreadable(&loaded), ["bad"]);
}

#[test]
fn a_file_that_does_not_parse_keeps_every_zone_it_names() {
    let broken = format!("{}---\n{}<<<<<<< HEAD\n", zone("a", "a"), zone("b", "b"));
    let loaded = load([file("a.yaml", broken), file("c.yaml", zone("c", "c"))], &Known::default());
    assert_eq!(unreadable(&loaded), ["a", "b"]);
    assert!(loaded.unreadable.nameless_files.is_empty());
    assert_eq!(loaded.zones.len(), 1);
}

#[test]
fn a_file_whose_zone_is_unknown_is_listed_as_such() {
    let problem = |path: &str, problem| SourceFile { path: path.into(), content: Err(problem) };
    let loaded = load(
        [
            file("empty.yaml", "# nothing\n"),
            file("list.yaml", "- a\n"),
            problem("big.yaml", FileProblem::TooLarge { size: 10_000_000 }),
            problem("link.yaml", FileProblem::Symlink),
            problem("shared", FileProblem::Symlink),
            problem("vendor", FileProblem::Submodule),
            problem("x.yaml", FileProblem::Unreadable("permission denied".into())),
        ],
        &Known::default(),
    );
    let nameless: Vec<_> = loaded.unreadable.nameless_files.iter().map(|file| &**file).collect();
    assert_eq!(nameless, ["big.yaml", "empty.yaml", "link.yaml", "list.yaml", "shared", "vendor", "x.yaml"]);
    let codes: Vec<_> = errors(&loaded).into_iter().map(|(code, _)| code).collect();
    assert_eq!(
        codes,
        [
            Code::FileTooLarge,
            Code::EmptyFile,
            Code::NotAFile,
            Code::WrongType,
            Code::NotAFile,
            Code::NotAFile,
            Code::UnreadableFile
        ]
    );
}

#[test]
fn two_zones_of_one_name_both_stay_as_they_were() {
    let loaded = load([file("b.yaml", zone("a", "x")), file("a.yaml", zone("a", "y"))], &Known::default());
    assert_eq!(errors(&loaded), [(Code::DuplicateZone, "b.yaml:4:9".into())]);
    assert_eq!(&*loaded.findings[0].related[0].0.file, "a.yaml");
    assert!(loaded.zones.is_empty());
    assert_eq!(unreadable(&loaded), ["a"]);
}

#[test]
fn a_good_twin_does_not_win_over_a_broken_file_of_the_same_zone() {
    let broken = format!("{}bogus: 1\n", zone("a", "x"));
    let loaded = load([file("a.yaml", broken), file("b.yaml", zone("a", "x"))], &Known::default());
    assert!(loaded.zones.is_empty());
    assert_eq!(
        errors(&loaded),
        [(Code::UnknownField, "a.yaml:10:1".into()), (Code::DuplicateZone, "b.yaml:4:9".into())]
    );
}

#[test]
fn a_service_account_belongs_to_one_zone() {
    let loaded = load([file("a.yaml", zone("a", "x")), file("b.yaml", zone("b", "x"))], &Known::default());
    assert_eq!(errors(&loaded), [(Code::DuplicateServiceAccount, "b.yaml:7:19".into())]);
    assert_eq!(unreadable(&loaded), ["a", "b"]);
}

#[test]
fn a_backing_group_belongs_to_one_zone() {
    let with = |name: &str, groups: &str| {
        format!("{}  consumerGroups:\n    - {{name: g, backingGroup: {groups}}}\n", zone(name, name))
    };
    let files = |other: &str| {
        [
            file("a.yaml", with("a", "shared")),
            file("b.yaml", with("b", other)),
            file("c.yaml", zone("c", "c")),
        ]
    };
    let loaded = load(files("shared"), &Known::default());
    assert_eq!(errors(&loaded), [(Code::DuplicateBackingGroup, "b.yaml:11:31".into())]);
    assert_eq!(unreadable(&loaded), ["a", "b"]);
    assert!(loaded.zones.contains_key("c"));
    assert_eq!(errors(&load(files("another"), &Known::default())), []);
}

#[test]
fn a_zone_for_tokens_needs_an_issuer_that_is_configured() {
    let zone = |rest: &str| {
        let tokens = format!("authenticationMode: {{type: OAUTHBEARER, serviceAccount: a{rest}}}");
        zone("a", "a").replace("serviceAccount: a", &tokens)
    };
    let found = |text: String, issuers: &[&str]| {
        let issuers = issuers.iter().map(|name| IssuerName::try_from(*name).unwrap()).collect();
        let known = Known { issuers: Some(issuers), ..Known::default() };
        let loaded = load([file("a.yaml", text)], &known);
        assert_eq!(loaded.misplaced.len(), errors(&loaded).len());
        loaded.findings.first().map(|finding| (finding.code, finding.help.clone().unwrap_or_default()))
    };
    assert_eq!(found(zone(""), &["main"]), None);
    assert_eq!(found(zone(", issuer: main"), &["main", "other"]), None);
    for (text, issuers, help) in [
        (zone(""), &[][..], "configure one under `oauth.issuers`"),
        (zone(", issuer: mian"), &["main", "other"], "did you mean `main`?"),
        (zone(", issuer: x"), &["main", "other"], "the configured issuers are main, other"),
    ] {
        assert_eq!(found(text, issuers), Some((Code::UnknownIssuer, help.to_owned())));
    }
    let without = load([file("a.yaml", zone(", issuer: x"))], &Known::default());
    assert_eq!(errors(&without), [], "nothing is known of the configuration");
}

#[test]
fn the_configuration_is_checked_only_where_it_is_known() {
    let text = zone("a", "a").replace("cluster: gateway", "cluster: gatewy\n  underlyingCluster: west");
    assert_eq!(errors(&load([file("a.yaml", text.clone())], &Known::default())), []);
    let clusters = [ClusterName::try_from("east").unwrap()].into();
    let known = Known { gateway: Some("gateway".into()), clusters: Some(clusters), ..Known::default() };
    let loaded = load([file("a.yaml", text)], &known);
    assert_eq!(
        errors(&loaded),
        [(Code::OtherGateway, "a.yaml:6:12".into()), (Code::UnknownCluster, "a.yaml:7:22".into())]
    );
    assert!(loaded.zones.is_empty() && unreadable(&loaded) == ["a"], "one in force stays as it was");
    let misplaced = &loaded.misplaced["a"].zone;
    assert!(loaded.wanted(&misplaced.name, None).is_some(), "a new one is kept, to be seen as FAILED");
    assert!(loaded.wanted(&misplaced.name, Some(misplaced)).is_none());
}

#[test]
fn a_secret_reaches_no_text_that_could_be_printed() {
    let text = zone("a", "a") + "  password: hunter2\n  description: 'password=hunter2'\n# token: hunter2\n";
    let loaded = load([file("a.yaml", text)], &Known::default());
    assert_eq!(errors(&loaded).iter().filter(|(code, _)| *code == Code::SecretInFile).count(), 3);
    assert!(!format!("{loaded:?}").contains("hunter2"));
    assert_eq!(unreadable(&loaded), ["a"]);
}

#[test]
fn very_many_faults_are_cut_off_and_said_to_be() {
    let topics = "    - {name: A B, backingTopic: c, permission: READ}\n".repeat(1000);
    let loaded = load([file("a.yaml", zone("a", "a") + &topics)], &Known::default());
    assert_eq!(loaded.findings.len(), 201);
    assert!(loaded.findings.iter().any(|finding| finding.code == Code::MoreFaults));
}

#[test]
fn a_manifest_is_told_by_its_ending() {
    for (name, is) in
        [("a.yaml", true), ("a.b.yml", true), ("a.YAML", false), (".yaml", false), ("yaml", false)]
    {
        assert_eq!(is_manifest(name), is, "{name}");
    }
}

#[test]
fn a_zone_that_can_have_no_host_name_is_told_where_its_name_stands() {
    let sni = SniDomain::new("partners.example.com", "kafka.partners.example.com").unwrap();
    let known = Known { sni: Some(sni), ..Known::default() };
    for (name, finds) in [("acme", false), ("acme.eu", true), ("b1-acme", true), ("kafka", true)] {
        let loaded = load([file("a.yaml", zone(name, name))], &known);
        assert_eq!(loaded.zones.len(), 1, "{name} is served by port all the same");
        let places: Vec<_> = loaded
            .findings
            .iter()
            .filter(|finding| finding.code == Code::NoHostName)
            .map(|finding| (finding.severity(), finding.source.as_ref().map(|at| at.line)))
            .collect();
        let line = loaded.zones.values().next().map(|zone| zone.source.line);
        let wanted = if finds { vec![(Severity::Warning, line)] } else { vec![] };
        assert_eq!(places, wanted, "{name}: {:?}", loaded.findings);
        // Without SNI any name will do.
        assert_eq!(errors(&load([file("a.yaml", zone(name, name))], &Known::default())), []);
    }
}

fn with_comment(comment: &str) -> Loaded {
    let text = zone("acme", "acme").replace("metadata:\n", &format!("metadata:\n  id: x # {comment}\n"));
    load([file("a.yaml", text)], &Known::default())
}

#[test]
fn a_suppressed_finding_is_kept_apart_with_its_reason() {
    let noted = with_comment("nothing");
    assert_eq!(noted.findings.iter().map(|it| it.code).collect::<Vec<_>>(), [Code::ReadOnlyField]);
    let silent = with_comment("reconciler-ignore: PZ0107 exported as it is");
    assert_eq!((silent.findings.len(), silent.zones.len()), (0, 1), "{:?}", silent.findings);
    let [suppressed] = silent.suppressed.as_slice() else { panic!("{:?}", silent.suppressed) };
    assert_eq!((suppressed.finding.code, &*suppressed.by.reason), (Code::ReadOnlyField, "exported as it is"));
    assert_eq!((suppressed.by.source.line, suppressed.by.source.column), (4, 9));
}

#[test]
fn a_secret_in_a_reason_is_found_and_not_shown() {
    let loaded = with_comment("reconciler-ignore: PZ0107 see\n  # password: hunter2");
    assert!(loaded.findings.iter().any(|it| it.code == Code::SecretInFile));
    let said = format!("{:?}", (&loaded.findings, &loaded.suppressed));
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn an_error_is_never_suppressed_and_its_zone_stays_as_it_was() {
    let text = zone("acme", "acme").replace("permission: READ", "permission: read");
    for code in ["PZ0104", "PZ0101", "PZ0206"] {
        let above = text.replace("    - {", &format!("    # reconciler-ignore: {code} please\n    - {{"));
        let loaded = load([file("a.yaml", above)], &Known::default());
        let codes: Vec<_> = loaded.findings.iter().map(|it| it.code).collect();
        assert_eq!(codes, [Code::InvalidSuppression, Code::UnknownValue], "{code}");
        assert!(loaded.suppressed.is_empty() && unreadable(&loaded) == ["acme"]);
    }
}

#[test]
fn a_file_that_cannot_be_parsed_has_no_suppressions() {
    let loaded = load([file("a.yaml", "a: [ # reconciler-ignore: PZ0203 x\n")], &Known::default());
    assert_eq!(loaded.findings.iter().map(|it| it.code).collect::<Vec<_>>(), [Code::Syntax]);
}

#[test]
fn columns_are_those_of_the_file_whatever_its_line_ends() {
    let text = zone("acme", "acme").replace("permission: READ", "permission: read");
    let unix = errors(&load([file("a.yaml", text.clone())], &Known::default()));
    let windows = errors(&load([file("a.yaml", text.replace('\n', "\r\n"))], &Known::default()));
    assert_eq!(unix, [(Code::UnknownValue, "a.yaml:9:46".into())]);
    assert_eq!(windows, unix);
}

#[test]
fn a_bomb_of_aliases_is_refused_at_its_first_anchor_and_never_grows() {
    let mut bomb = "a0: &a0 [x]\n".to_owned();
    for level in 1..10 {
        writeln!(bomb, "a{level}: &a{level} [{}]", vec![format!("*a{}", level - 1); 9].join(", ")).unwrap();
    }
    let loaded = load([file("a.yaml", bomb)], &Known::default());
    assert!(
        loaded
            .findings
            .iter()
            .all(|it| matches!(it.code, Code::Anchor | Code::MissingField | Code::UnknownField))
    );
    assert!(loaded.findings.iter().filter(|it| it.code == Code::Anchor).count() >= 10);
    assert!(loaded.zones.is_empty());
}

#[test]
fn what_did_not_change_is_what_it_was_and_what_did_is_read_again() {
    let mut loader = Loader::new(Known::default());
    let files = |second: &str| [file("a.yaml", zone("a", "a")), file("b.yaml", zone("b", second))];
    let before = loader.load(files("b"), &BTreeMap::new());
    let after = loader.load(files("other"), &BTreeMap::new());
    let of = |loaded: &Loaded, name: &str| loaded.zones[&ZoneName::try_from(name).unwrap()].zone.clone();
    assert!(Arc::ptr_eq(&of(&before, "a"), &of(&after, "a")), "parsed again");
    assert_eq!(of(&after, "b").authentication.service_account.as_str(), "other");
    // A clash between two files is one whoever of them is new, and goes with it.
    let clash = loader.load(files("a"), &BTreeMap::new());
    assert_eq!((clash.zones.len(), errors(&clash).len()), (0, 1));
    assert_eq!(loader.load(files("b"), &BTreeMap::new()).zones.len(), 2);
    // Another name is another file, and what is gone is forgotten.
    assert_eq!(loader.load([file("c.yaml", zone("a", "a"))], &BTreeMap::new()).zones.len(), 1);
    assert_eq!(loader.held.len(), 1);
}

#[test]
fn what_is_in_force_as_its_file_asks_for_it_is_in_memory_once() {
    let files = || [file("a.yaml", zone("a", "a")), file("b.yaml", zone("b", "b"))];
    let copy = |zone: &LoadedZone| Arc::new((*zone.zone).clone());
    let loaded = load(files(), &Known::default());
    let mut in_force: BTreeMap<_, _> =
        loaded.zones.iter().map(|(name, zone)| (name.clone(), copy(zone))).collect();
    let b: ZoneName = "b".try_into().unwrap();
    Arc::make_mut(in_force.get_mut(&b).unwrap()).display_name = Some("other".to_owned());
    let again = Loader::new(Known::default()).load(files(), &in_force);
    let shared: Vec<_> =
        again.zones.iter().map(|(name, zone)| Arc::ptr_eq(&zone.zone, &in_force[name])).collect();
    assert_eq!(shared, [true, false]);
    assert_eq!(again.zones[&b].zone, loaded.zones[&b].zone);
}
