//! What was configured, where, before it has a type: the file's leaves, with environment variables over them.

use std::collections::BTreeMap;
use std::fmt;

use super::environment::Environment;
use super::keys::{self, KEYS, Use};

/// Variables of this prefix are settings, except [`NOT_KEYS`].
const PREFIX: &str = "RECONCILER_";

/// They say where to look, not what to do.
const NOT_KEYS: [&str; 4] =
    ["RECONCILER_CONFIG", "RECONCILER_URL", "RECONCILER_API_KEY", "RECONCILER_PROFILE"];

/// Where a setting was written, for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    File { file: String, line: usize, column: usize },
    Variable(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, line, column } => write!(f, "{file}:{line}:{column}"),
            Self::Variable(name) => write!(f, "environment variable {name}"),
        }
    }
}

/// What a leaf of the configuration holds.
pub(super) enum Value {
    /// `url:`
    Nothing,
    Text(String),
    List(Vec<String>),
}

/// One leaf of the configuration.
pub(super) struct Setting {
    pub path: Vec<String>,
    pub value: Value,
    pub place: Place,
}

impl Value {
    pub(super) fn texts(&self) -> &[String] {
        match self {
            Self::Nothing => &[],
            Self::Text(text) => std::slice::from_ref(text),
            Self::List(texts) => texts,
        }
    }
}

/// All settings that have a value and a known, built key, in the order of the file.
pub(super) struct Settings(Vec<Setting>);

impl Settings {
    /// Checks every setting against the table of keys; what is wrong is added to `problems`.
    pub(super) fn new(file: Vec<Setting>, environment: &Environment, problems: &mut Vec<String>) -> Self {
        let mut settings: Vec<Setting> = Vec::new();
        let mut overriding = from_environment(&file, environment, problems);
        // In its place: what is first in the file may mean something.
        for setting in file {
            settings.push(overriding.remove(&setting.path).unwrap_or(setting));
        }
        settings.extend(overriding.into_values());
        settings.retain_mut(|setting| match check(setting) {
            Ok(keep) => keep,
            Err(problem) => {
                problems.push(format!("{}: {problem}", setting.place));
                false
            }
        });
        Self(settings)
    }

    pub(super) fn get(&self, path: &[&str]) -> Option<&Setting> {
        self.0.iter().find(|setting| setting.path == path)
    }

    /// The names directly below a path, in the order of the file.
    pub(super) fn names_below(&self, path: &[&str]) -> Vec<&Setting> {
        let mut seen = Vec::new();
        let mut first = Vec::new();
        for setting in &self.0 {
            if let Some(name) = setting.path.get(path.len())
                && setting.path.iter().zip(path).all(|(given, wanted)| given == wanted)
                && !seen.contains(&name)
            {
                seen.push(name);
                first.push(setting);
            }
        }
        first
    }
}

/// Whether the setting is kept: an empty section says nothing.
fn check(setting: &mut Setting) -> Result<bool, String> {
    let name = setting.path.join(".");
    let Some(key) = keys::find(&setting.path) else {
        if keys::is_section(&setting.path) {
            return match setting.value {
                Value::Nothing => Ok(false),
                Value::Text(_) | Value::List(_) => Err(format!("`{name}` takes keys below it, not a value")),
            };
        }
        let hint = keys::nearest(&setting.path).map(|near| format!("; did you mean `{near}`?"));
        return Err(format!("unknown key `{name}`{}", hint.unwrap_or_default()));
    };
    if key.used_as == Use::Later {
        return Err(format!("`{name}` needs a later version; remove it, it would have no effect"));
    }
    let refers = |value: &String| value.contains("${") || value.starts_with("file:");
    match &setting.value {
        Value::Nothing => Err(format!("`{name}` has no value")),
        Value::List(_) if key.used_as != Use::List => Err(format!("`{name}` takes one value, not a list")),
        value if key.used_as != Use::Secret && value.texts().iter().any(refers) => Err(format!(
            "`{name}` is no secret: `${{NAME}}` and `file:PATH` are for secrets only; set {} instead",
            variable_of(&setting.path)
        )),
        Value::Text(_) | Value::List(_) => Ok(true),
    }
}

/// The settings that the environment holds, by path.
fn from_environment(
    file: &[Setting],
    environment: &Environment,
    problems: &mut Vec<String>,
) -> BTreeMap<Vec<String>, Setting> {
    let mut found = BTreeMap::new();
    for (name, value) in environment.iter() {
        let Some(rest) = name.strip_prefix(PREFIX).filter(|_| !NOT_KEYS.contains(&name)) else { continue };
        let segments: Vec<&str> = rest.split("__").collect();
        let place = Place::Variable(name.to_owned());
        match KEYS.iter().find_map(|key| Some((key, path_of(key.path, &segments, file)?))) {
            Some((key, path)) => {
                let value = match key.used_as {
                    Use::List => Value::List(value.split(',').map(|item| item.trim().to_owned()).collect()),
                    Use::Text | Use::Secret | Use::Later => Value::Text(value.to_owned()),
                };
                found.insert(path.clone(), Setting { path, value, place });
            }
            None => problems.push(format!("{place}: names no key of the configuration")),
        }
    }
    found
}

/// The path that a variable's segments spell, if they fit this key. A name chosen by the user is the file's one that is
/// spelled alike, else the segment in lower case.
fn path_of(key: &[&str], segments: &[&str], file: &[Setting]) -> Option<Vec<String>> {
    if key.len() != segments.len() {
        return None;
    }
    let mut path: Vec<String> = Vec::new();
    for (wanted, given) in key.iter().zip(segments) {
        if *wanted == "*" {
            let in_file = file
                .iter()
                .filter(|setting| setting.path.starts_with(&path))
                .filter_map(|setting| setting.path.get(path.len()))
                .find(|name| upper_snake(name) == *given);
            path.push(in_file.cloned().unwrap_or_else(|| given.to_lowercase()));
        } else if upper_snake(wanted) == *given {
            path.push((*wanted).to_owned());
        } else {
            return None;
        }
    }
    Some(path)
}

fn variable_of(path: &[String]) -> String {
    let segments: Vec<String> = path.iter().map(|segment| upper_snake(segment)).collect();
    format!("{PREFIX}{}", segments.join("__"))
}

/// `pollInterval` → `POLL_INTERVAL`, `sasl.password` → `SASL_PASSWORD`.
fn upper_snake(segment: &str) -> String {
    let mut text = String::new();
    for letter in segment.chars() {
        match letter {
            '.' | '-' => text.push('_'),
            upper if upper.is_ascii_uppercase() && !text.is_empty() => text.extend(['_', upper]),
            other => text.push(other.to_ascii_uppercase()),
        }
    }
    text
}
