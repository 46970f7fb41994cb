//! `http.signIn`.

use super::*;
use crate::zone::ApiKeyRole;

const WHOLE: &str = "
http:
  publicUrl: https://zones.example.com/
  signIn:
    issuer: https://login.example.com/realms/streams
    name: Example login
    clientId: partner-zones
    clientSecret: ${OIDC}
    scopes: [openid, groups]
    caFile: /etc/ca.pem
    claim: groups
    roles:
      platform: {role: admin}
      /audit/all: {role: viewer}
      sales: {role: owner, topics: ['sales.*', returns]}
      acme: {role: partner, zone: acme}
";

/// The least that there can be.
const LEAST: &str = "{issuer: 'https://login.example.com/realm', clientId: zones, claim: groups, roles: {platform: {role: admin}}}";

#[test]
fn where_people_sign_in_arrives_with_what_they_are_here() {
    let config = good(WHOLE, &Environment::from([("OIDC", "hunter2")]));
    assert!(!format!("{config:?}").contains("hunter2"), "a secret never shows");
    assert_eq!(config.http.public_url, "https://zones.example.com");
    let sign_in = config.sign_in.unwrap();
    assert_eq!(sign_in.issuer, "https://login.example.com/realms/streams");
    assert_eq!((sign_in.name.as_str(), sign_in.client_id.as_str()), ("Example login", "partner-zones"));
    assert_eq!(sign_in.client_secret.unwrap().expose(), "hunter2");
    assert_eq!(
        (sign_in.scopes, sign_in.ca_file),
        (vec!["openid".to_owned(), "groups".to_owned()], Some("/etc/ca.pem".into()))
    );
    assert_eq!(sign_in.redirect.as_str(), "https://zones.example.com/ui/sign-in/callback");
    let roles: Vec<_> =
        sign_in.roles.rules.iter().map(|rule| (rule.value.as_str(), rule.role.name())).collect();
    assert_eq!(
        roles,
        [("platform", "admin"), ("/audit/all", "viewer"), ("sales", "owner"), ("acme", "partner")],
        "in the order of the file"
    );
    let ApiKeyRole::Owner { topics } = &sign_in.roles.rules[2].role else { panic!("{roles:?}") };
    assert_eq!(topics.iter().map(ToString::to_string).collect::<Vec<_>>(), ["sales.*", "returns"]);
}

#[test]
fn a_public_client_on_this_machine_needs_little() {
    let config = good(&format!("http: {{signIn: {LEAST}}}"), &Environment::default());
    let sign_in = config.sign_in.unwrap();
    assert!(sign_in.client_secret.is_none() && sign_in.ca_file.is_none());
    assert_eq!((sign_in.name.as_str(), sign_in.roles.claim.as_str()), ("login.example.com", "groups"));
    assert_eq!(sign_in.scopes, ["openid", "profile", "email"]);
    assert_eq!(sign_in.redirect.as_str(), "http://127.0.0.1:8080/ui/sign-in/callback");
    assert!(good("", &Environment::default()).sign_in.is_none());
}

#[test]
fn what_is_wrong_with_it_is_said_with_its_place() {
    let long = "x".repeat(256);
    for (yaml, place, wanted) in [
        ("{issuer: 'https://a.example.com'}", "r.yaml:2:12", "`http.signIn.clientId` is missing"),
        ("{clientId: zones}", "r.yaml:2:12", "`http.signIn.issuer` is missing"),
        ("{clientId: zones}", "r.yaml:2:12", "`http.signIn.claim` is missing"),
        ("{clientId: zones, roles: {}}", "r.yaml:2:12", "`http.signIn.roles` is missing"),
        ("{issuer: 'http://a.example.com'}", "r.yaml:2:12", "wanted is https"),
        ("{clientId: ''}", "r.yaml:2:12", "is not one line of 1 to 255 letters"),
        (&format!("{{clientId: {long}}}"), "r.yaml:2:12", "is not one line of 1 to 255 letters"),
        ("{name: \"a\\nb\"}", "r.yaml:2:12", "is not one line of 1 to 60 letters"),
        ("{scopes: [profile]}", "r.yaml:2:12", "lacks `openid`"),
        ("{scopes: [openid, 'a b']}", "r.yaml:2:12", "a space in it"),
        ("{clientSecretFile: /nonexistent/secret}", "r.yaml:2:12", "cannot be read from /nonexistent/secret"),
        ("{clientSecret: '${NONE}'}", "r.yaml:2:12", "asks for ${NONE}, which is not set"),
        ("{clientSecret: a, clientSecretFile: b}", "r.yaml:2:12", "there is one secret"),
        ("{secret: a}", "r.yaml:2:12", "unknown key `http.signIn.secret`"),
        ("{roles: {a: {role: root}}}", "r.yaml:2:24", "wanted is admin or viewer or owner or partner"),
        ("{roles: {a: {topics: [a]}}}", "r.yaml:2:24", "`http.signIn.roles.a.role` is missing"),
        ("{roles: {a: {role: owner}}}", "r.yaml:2:24", "`http.signIn.roles.a.topics` is missing"),
        ("{roles: {a: {role: owner, topics: []}}}", "r.yaml:2:37", "has not 1 to 100 patterns"),
        ("{roles: {a: {role: owner, topics: ['.*']}}}", "r.yaml:2:37", "holds `.*`, which"),
        ("{roles: {a: {role: admin, topics: [a]}}}", "r.yaml:2:37", "is for another role"),
        ("{roles: {a: {role: owner, topics: [a], zone: b}}}", "r.yaml:2:50", "is for another role"),
        ("{roles: {a: {role: partner}}}", "r.yaml:2:24", "`http.signIn.roles.a.zone` is missing"),
        ("{roles: {a: {role: partner, zone: 'a b'}}}", "r.yaml:2:39", "is `a b`, which"),
        ("{roles: {a: {role: viewer, group: b}}}", "r.yaml:2:38", "unknown key `http.signIn.roles.a.group`"),
        (
            &format!("{{roles: {{{long}: {{role: viewer}}}}}}"),
            "r.yaml:2:279",
            "is for a value that is not one line",
        ),
    ] {
        let found = problems(&format!("http:\n  signIn: {yaml}"), &Environment::default());
        assert!(
            found
                .iter()
                .any(|problem| problem.starts_with(&format!("{place}: ")) && problem.contains(wanted)),
            "{yaml}: {found:#?}"
        );
    }
}

#[test]
fn people_come_over_https_or_not_at_all() {
    for (rest, refused) in [
        ("", false),
        ("publicUrl: 'https://zones.example.com'", false),
        ("publicUrl: 'http://zones.example.com'", true),
        ("advertisedUrl: 'http://controller-1:8080'", true),
        ("advertisedUrl: 'http://controller-1:8080', publicUrl: 'https://zones.example.com'", false),
    ] {
        let yaml = format!("http: {{signIn: {LEAST}, {rest}}}");
        match parse("r.yaml", yaml.as_bytes(), &Environment::default()) {
            Ok(_) => assert!(!refused, "{rest}"),
            Err(error) => {
                assert!(
                    refused && error.to_string().contains("set `http.publicUrl` to the https address"),
                    "{rest}: {error}"
                );
            }
        }
    }
    assert!(
        problems("http: {publicUrl: 'https://zones.example.com/zones'}", &Environment::default())[0]
            .contains("wanted is an address")
    );
}

/// The first that fits counts, and a variable does not change which is the first.
#[test]
fn a_variable_takes_the_place_of_what_it_stands_for() {
    let environment =
        Environment::from([("OIDC", "s"), ("RECONCILER_HTTP__SIGN_IN__ROLES__PLATFORM__ROLE", "viewer")]);
    let rules = good(WHOLE, &environment).sign_in.unwrap().roles.rules;
    assert_eq!((rules[0].value.as_str(), &rules[0].role), ("platform", &ApiKeyRole::Viewer));
    let clusters = "clusters: {home: {bootstrapServers: 'a:1'}, other: {bootstrapServers: 'b:1', brokerPortBase: 20000}}";
    let environment = Environment::from([("RECONCILER_CLUSTERS__HOME__BOOTSTRAP_SERVERS", "c:1")]);
    let home = good(clusters, &environment).home().unwrap().clone();
    assert_eq!((home.name.as_str(), home.bootstrap_servers.as_str()), ("home", "c:1"));
}

/// What sessions are sealed with is of all nodes with a master key, whatever it does beside that.
#[test]
fn a_master_key_may_be_for_sessions_alone() {
    let cluster = "clusters: {a: {bootstrapServers: 'a:1', isolation: shared}}";
    let environment = Environment::from([("KEY", "0123456789abcdef0123456789abcdef")]);
    let key = "masterKey: ${KEY}";
    let config = good(&format!("http: {{signIn: {LEAST}}}\n{cluster}\n{key}"), &environment);
    assert!(config.master_keys.is_some());
    assert!(problems(&format!("{cluster}\n{key}"), &environment)[0].contains("it would have no effect"));
}
