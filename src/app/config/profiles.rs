//! Profiles: the servers that somebody talks to, by name, in a file of their own. It holds no secret, only where one is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::environment::Environment;
use super::settings::{Setting, Value};
use super::{file, parse};

/// Below the folder of users' settings.
const FILE: &str = "partner-zones/profiles.yaml";

/// A server, and what it takes to talk to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profile {
    pub url: Option<String>,
    /// Holds the API key and nothing else.
    pub api_key_file: Option<PathBuf>,
    /// Authorities of the server's certificate beside the system's.
    pub ca_file: Option<PathBuf>,
}

/// Why there is no profile.
#[derive(Debug, Error)]
pub enum ProfileError {
    #[error("neither XDG_CONFIG_HOME nor HOME is set, so there are no profiles")]
    NoHome,
    #[error("cannot read the profiles in {}: {cause}", path.display())]
    Unreadable { path: PathBuf, cause: std::io::Error },
    /// Every problem, each with its place.
    #[error("the profiles are not valid:\n  {}", .0.join("\n  "))]
    Invalid(Vec<String>),
    #[error("{} has no profile `{name}`, only {known}", path.display())]
    Unknown { path: PathBuf, name: String, known: String },
}

impl Profile {
    /// The profile of this name. All profiles of the file have to be right.
    pub fn load(name: &str, environment: &Environment) -> Result<Self, ProfileError> {
        let path = path(environment).ok_or(ProfileError::NoHome)?;
        let bytes =
            std::fs::read(&path).map_err(|cause| ProfileError::Unreadable { path: path.clone(), cause })?;
        let mut profiles = read(&path, &bytes)?;
        let profile = profiles.remove(name);
        profile.ok_or_else(|| {
            let known: Vec<String> = profiles.into_keys().collect();
            let known = if known.is_empty() { "none at all".to_owned() } else { known.join(", ") };
            ProfileError::Unknown { path, name: name.to_owned(), known }
        })
    }
}

/// As the XDG Base Directory Specification has it: what is not absolute does not count.
fn path(environment: &Environment) -> Option<PathBuf> {
    let absolute = |name: &str| environment.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = absolute("XDG_CONFIG_HOME").or_else(|| absolute("HOME").map(|home| home.join(".config")));
    folder.map(|folder| folder.join(FILE))
}

fn read(path: &Path, bytes: &[u8]) -> Result<BTreeMap<String, Profile>, ProfileError> {
    let mut problems = Vec::new();
    let leaves = file::leaves(&path.display().to_string(), bytes, &mut problems);
    // What a file is named by is relative to this one.
    let folder = path.parent().unwrap_or(Path::new("/"));
    let mut profiles = BTreeMap::<String, Profile>::new();
    for Setting { path, value, place } in leaves {
        if let Err(problem) = take(&mut profiles, folder, &path, &value) {
            problems.push(format!("{place}: {problem}"));
        }
    }
    if problems.is_empty() { Ok(profiles) } else { Err(ProfileError::Invalid(problems)) }
}

fn take(
    profiles: &mut BTreeMap<String, Profile>,
    folder: &Path,
    path: &[String],
    value: &Value,
) -> Result<(), String> {
    let shown = path.join(".");
    let [name, key] = path else {
        let wanted = "a profile is a name with `url`, `apiKeyFile` and `caFile` below it";
        return Err(format!("`{shown}` is no setting of a profile; {wanted}"));
    };
    let profile = profiles.entry(name.clone()).or_default();
    let text = match value {
        Value::Text(text) => parse::not_empty(text),
        Value::Nothing => Err("has no value".to_owned()),
        Value::List(_) => Err("takes one value, not a list".to_owned()),
    };
    let text = text.map_err(|error| format!("`{shown}` {error}"))?;
    match key.as_str() {
        "url" => profile.url = Some(parse::base_url(&text).map_err(|error| format!("`{shown}` {error}"))?),
        "apiKeyFile" => profile.api_key_file = Some(folder.join(text)),
        "caFile" => profile.ca_file = Some(folder.join(text)),
        "apiKey" => {
            return Err(format!(
                "`{shown}`: a key does not stand here; write it into a file that only you can read, and its path as `apiKeyFile`"
            ));
        }
        _ => return Err(format!("unknown key `{shown}`; a profile has `url`, `apiKeyFile` and `caFile`")),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(yaml: &str) -> String {
        read(Path::new("/home/ada/p.yaml"), yaml.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn a_profile_is_a_server_and_files_beside_it() {
        let yaml = "test: {url: 'http://a:8080/'}\nproduction:\n  url: https://b\n  apiKeyFile: keys/b\n  caFile: /etc/ca.pem\n";
        let profiles = read(Path::new("/home/ada/p.yaml"), yaml.as_bytes()).unwrap();
        assert_eq!(profiles["test"], Profile { url: Some("http://a:8080".to_owned()), ..Profile::default() });
        assert_eq!(
            profiles["production"],
            Profile {
                url: Some("https://b".to_owned()),
                api_key_file: Some("/home/ada/keys/b".into()),
                ca_file: Some("/etc/ca.pem".into()),
            }
        );
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place_and_no_key_stands_in_the_file() {
        for (yaml, wanted) in [
            ("a:\n  uri: x\n", "/home/ada/p.yaml:2:3: unknown key `a.uri`"),
            ("a:\n  apiKey: pzk_a_hunter2\n", "2:3: `a.apiKey`: a key does not stand here"),
            ("url: http://a\n", "1:1: `url` is no setting of a profile"),
            ("a: {url: kafka}\n", "`a.url` is `kafka`; wanted is an address"),
            ("a: {url: [x, y]}\n", "takes one value"),
            ("a: {url: }\n", "has no value"),
            ("a: {url: http://a}\na: {url: http://b}\n", "2:1"),
        ] {
            let told = told(yaml);
            assert!(told.contains(wanted) && !told.contains("hunter2"), "{yaml}: {told}");
        }
        // All at once.
        assert_eq!(told("a: {x: 1}\nb: {y: 2}\n").lines().count(), 3);
    }

    #[test]
    fn the_file_is_where_users_settings_are() {
        let at = |variables: [(&str, &str); 2]| path(&Environment::from(variables));
        let file = |folder: &str| Some(Path::new(folder).join(FILE));
        assert_eq!(at([("HOME", "/home/ada"), ("XDG_CONFIG_HOME", "/x")]), file("/x"));
        assert_eq!(at([("HOME", "/home/ada"), ("XDG_CONFIG_HOME", "x")]), file("/home/ada/.config"));
        assert_eq!(at([("HOME", "/home/ada"), ("XDG_CONFIG_HOME", "")]), file("/home/ada/.config"));
        assert_eq!(path(&Environment::default()), None);
        let home = tempfile::tempdir().unwrap();
        let environment = Environment::from([("HOME", home.path().to_str().unwrap())]);
        let missing = Profile::load("a", &environment).unwrap_err();
        assert!(matches!(missing, ProfileError::Unreadable { .. }), "{missing}");
        std::fs::create_dir_all(home.path().join(".config/partner-zones")).unwrap();
        std::fs::write(home.path().join(".config").join(FILE), "b: {url: http://b}\n").unwrap();
        let unknown = Profile::load("a", &environment).unwrap_err().to_string();
        assert!(unknown.ends_with("has no profile `a`, only b"), "{unknown}");
        assert!(Profile::load("b", &environment).unwrap().url.is_some());
    }
}
