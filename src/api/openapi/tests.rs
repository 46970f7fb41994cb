//! The document against the table and against every answer that the tests of the API see.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use jsonschema::{Draft, PatternOptions, Validator};

use super::*;

#[test]
fn the_committed_document_is_what_the_table_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/openapi.json");
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == text(),
        "schema/openapi.json is stale: run `cargo run -- schema openapi > schema/openapi.json` and commit it"
    );
}

#[test]
fn no_path_is_added_beside_the_table() {
    let router = include_str!("../mod.rs");
    assert!(router.contains(".nest(\"/api/v1\", ours)") && !router.contains(".route(\"/api/"));
}

/// Its methods, each with its path.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let methods = |(path, methods): (&String, &Value)| {
        let methods = methods.as_object().unwrap().clone();
        let path = path.clone();
        methods.into_iter().map(move |(method, operation)| (method.to_uppercase(), path.clone(), operation))
    };
    document["paths"].as_object().unwrap().iter().flat_map(methods).collect()
}

/// Everything that is referred to below a value.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[test]
fn every_method_is_told_of_in_full_and_what_it_refers_to_is_there() {
    let document = document();
    let operations = operations(&document);
    assert_eq!(
        operations.len(),
        routes::all().len() + routes::open().len(),
        "two rows of one path and method"
    );
    let ids: BTreeSet<_> = operations.iter().map(|(.., it)| it["operationId"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), operations.len(), "{ids:?}");
    for (method, path, operation) in &operations {
        assert!(!operation["summary"].as_str().unwrap().is_empty(), "{method} {path}");
        let answers = operation["responses"].as_object().unwrap();
        assert!(answers.keys().any(|status| status.starts_with('2')), "{method} {path}");
        let has_key = operation.get("security").is_none();
        let told = ["401", "429", "503"].iter().all(|status| answers.contains_key(*status));
        assert!(told || !has_key, "{method} {path}");
        let takes = operation.get("requestBody").is_some();
        assert!(!takes || method != "GET" && answers.contains_key("413"), "{method} {path}");
    }
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    for to in &found {
        assert!(document.pointer(to.trim_start_matches('#')).is_some(), "{to}");
    }
    for kind in ["schemas", "responses"] {
        for name in document["components"][kind].as_object().unwrap().keys() {
            assert!(
                found.contains(&format!("#/components/{kind}/{name}")),
                "nothing refers to {kind}/{name}"
            );
            let is_twice = name.ends_with(|last: char| last.is_ascii_digit());
            assert!(!is_twice, "two forms have the name of {name}");
        }
    }
}

#[test]
fn what_can_be_asked_next_is_there_and_takes_what_it_is_given() {
    let document = document();
    let operations = operations(&document);
    let links = |answer: &Value| {
        answer["links"].as_object().into_iter().flatten().map(|(_, link)| link.clone()).collect::<Vec<_>>()
    };
    let all: Vec<_> = operations
        .iter()
        .flat_map(|(.., it)| it["responses"].as_object().unwrap().values().flat_map(links))
        .collect();
    for link in &all {
        let next = operations.iter().find(|(.., it)| it["operationId"] == link["operationId"]);
        let takes = next.unwrap_or_else(|| panic!("{link}")).2["parameters"].as_array().unwrap();
        for parameter in link["parameters"].as_object().unwrap().keys() {
            assert!(takes.iter().any(|it| it["name"] == parameter.as_str()), "{link}");
        }
    }
    assert!(all.len() > 5);
}

#[test]
fn the_zone_that_is_shown_as_an_example_is_a_right_one() {
    crate::manifest::document::from_document(&published::example()).unwrap();
}

#[test]
fn every_form_is_a_right_schema() {
    let document = document();
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        validator(&document, &json!({"$ref": format!("#/components/schemas/{name}")}));
    }
}

fn validator(document: &Value, schema: &Value) -> Validator {
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .should_validate_formats(true)
        .with_pattern_options(PatternOptions::regex())
        .build(&json!({"allOf": [schema], "components": document["components"]}))
        .unwrap_or_else(|error| panic!("{schema}: {error}"))
}

/// With no member in an object that is not named.
fn closed(mut document: Value) -> Value {
    fn close(value: &mut Value) {
        match value {
            Value::Object(members) => {
                members.values_mut().for_each(close);
                if members.get("type").is_some_and(|kind| kind == "object")
                    && members.contains_key("properties")
                {
                    members.entry("additionalProperties").or_insert(false.into());
                }
            }
            Value::Array(items) => items.iter_mut().for_each(close),
            _ => {}
        }
    }
    close(&mut document["components"]["schemas"]);
    document
}

/// By status and media type; none where nothing is answered.
type Answers = BTreeMap<(u16, String), Option<Validator>>;

static KNOWN: LazyLock<Vec<(String, String, Answers)>> = LazyLock::new(|| {
    let document = closed(document());
    let known = operations(&document).into_iter().map(|(method, path, operation)| {
        let mut answers = Answers::new();
        for (status, answer) in operation["responses"].as_object().unwrap() {
            let status = status.parse().unwrap();
            let common = answer["$ref"].as_str().and_then(|to| document.pointer(to.trim_start_matches('#')));
            let answer = common.unwrap_or(answer);
            match answer["content"].as_object() {
                None => drop(answers.insert((status, String::new()), None)),
                Some(content) => answers.extend(content.iter().map(|(media_type, of)| {
                    ((status, media_type.clone()), Some(validator(&document, &of["schema"])))
                })),
            }
        }
        (method, path, answers)
    });
    known.collect()
});

/// Whether a path is one of those that a path of the document stands for.
fn fits(path: &str, template: &str) -> bool {
    let (path, template): (Vec<_>, Vec<_>) = (path.split('/').collect(), template.split('/').collect());
    let is_one =
        |(part, wanted): (&&str, &&str)| part == wanted || wanted.starts_with('{') && !part.is_empty();
    path.len() == template.len() && path.iter().zip(&template).all(is_one)
}

/// Holds an answer of `/api/v1` against the document.
///
/// # Panics
/// If it is another one than the document tells of.
pub(in crate::api) fn hold(method: &str, path: &str, status: u16, media_type: &str, body: &Value) {
    let path = path.split('?').next().unwrap();
    let Some(path) = path.strip_prefix("/api/v1") else { return };
    let of_path = KNOWN.iter().filter(|(known, template, _)| known == method && fits(path, template));
    // There may be a plain part where another path has a name.
    let Some((.., answers)) = of_path.min_by_key(|(_, template, _)| template.matches('{').count()) else {
        assert!(
            [401, 404, 405].contains(&status),
            "{method} {path} is not in the document, and answers {status}"
        );
        return;
    };
    let media_type = media_type.split(';').next().unwrap().to_owned();
    let what = format!("{method} {path} {status} {media_type}: {body:#}");
    match answers.get(&(status, media_type)) {
        None => panic!("the document does not tell of {what}"),
        Some(None) => assert_eq!(body, "", "{what}"),
        Some(Some(form)) => {
            let wrong: Vec<_> =
                form.iter_errors(body).map(|it| format!("{}: {it}", it.instance_path())).collect();
            assert!(wrong.is_empty(), "{wrong:#?}\n{what}");
        }
    }
}

#[test]
#[should_panic(expected = "surprise")]
fn a_member_that_is_not_told_of_is_found() {
    let list = json!({"items": [], "surprise": 1});
    hold("GET", "/api/v1/api-keys", 200, "application/json", &list);
}

#[test]
#[should_panic(expected = "does not tell of")]
fn a_status_that_is_not_told_of_is_found() {
    hold("GET", "/api/v1/api-keys?x=1", 418, "application/json", &json!({}));
}
