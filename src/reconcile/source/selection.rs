//! Which files of a repository are this installation's manifests: `source.path` and `source.exclude`. Pure.

use globset::{Glob, GlobBuilder, GlobMatcher, GlobSet, GlobSetBuilder};

use super::LocationError;
use super::location::inner_path;
use crate::manifest::is_manifest;

const WILDCARDS: [char; 5] = ['*', '?', '[', '{', '!'];

/// Folders and globs over files, without what is excluded. Never everything by accident: the whole repository is spelled `.`.
#[derive(Debug, Clone)]
pub(super) struct Selection {
    pub(super) paths: Vec<Path>,
    exclude: GlobSet,
}

/// One entry of `source.path`.
#[derive(Debug, Clone)]
pub(super) struct Path {
    /// As it is written.
    pub(super) shown: String,
    /// The folder to look in; empty is the root.
    pub(super) folder: String,
    /// Without one, all manifests in the folder are meant.
    glob: Option<GlobMatcher>,
}

impl Selection {
    pub(super) fn new(paths: &[String], exclude: &[String]) -> Result<Self, LocationError> {
        if paths.is_empty() {
            return Err(LocationError::Path(String::new()));
        }
        let mut excluded = GlobSetBuilder::new();
        for pattern in exclude {
            let pattern = inner_path(pattern)?;
            if says_nothing(&pattern) {
                return Err(LocationError::ExcludesAll(pattern));
            }
            excluded.add(glob(&pattern)?).add(glob(&format!("{pattern}/**"))?);
        }
        let exclude = excluded.build().map_err(|error| LocationError::Glob(error.to_string()))?;
        Ok(Self { paths: paths.iter().map(|path| Path::new(path)).collect::<Result<_, _>>()?, exclude })
    }

    /// All of one folder, whatever its name is.
    pub(super) fn folder(inner: &str) -> Self {
        let path = Path { shown: inner.to_owned(), folder: inner.to_owned(), glob: None };
        Self { paths: vec![path], exclude: GlobSet::empty() }
    }

    /// The one folder, if that is all there is to it: its tree's id then says all about its files.
    pub(super) fn one_folder(&self) -> Option<&Path> {
        match self.paths.as_slice() {
            [path] if path.glob.is_none() && self.exclude.is_empty() => Some(path),
            _ => None,
        }
    }

    /// Where a new file of this name is one of those that are meant: in the first folder that takes it.
    pub(super) fn place(&self, name: &str) -> Option<String> {
        // What is named like a file is one.
        let mut folders = self.paths.iter().filter(|path| !is_manifest(&path.folder));
        folders.find_map(|path| {
            let file =
                if path.folder.is_empty() { name.to_owned() } else { format!("{}/{name}", path.folder) };
            (path.selects(&file) && !self.excludes(&file)).then_some(file)
        })
    }

    /// Whether nothing under this file or folder is meant.
    pub(super) fn excludes(&self, path: &str) -> bool {
        self.exclude.is_match(path)
    }
}

impl Path {
    fn new(shown: &str) -> Result<Self, LocationError> {
        let path = inner_path(shown)?;
        let shown = shown.to_owned();
        if !path.contains(WILDCARDS) {
            return Ok(Self { shown, folder: path, glob: None });
        }
        if says_nothing(&path) {
            return Err(LocationError::Everything(shown));
        }
        if ![".yaml", ".yml", ".{yaml,yml}"].iter().any(|end| path.ends_with(end)) {
            return Err(LocationError::GlobOfFiles(shown));
        }
        let literal: Vec<&str> = path.split('/').take_while(|part| !part.contains(WILDCARDS)).collect();
        Ok(Self { shown, folder: literal.join("/"), glob: Some(glob(&path)?.compile_matcher()) })
    }

    pub(super) fn is_glob(&self) -> bool {
        self.glob.is_some()
    }

    /// Whether this file of the folder is meant.
    pub(super) fn selects(&self, file: &str) -> bool {
        self.glob.as_ref().is_none_or(|glob| glob.is_match(file))
    }
}

/// `*` stays inside a folder, `**` does not.
fn glob(pattern: &str) -> Result<Glob, LocationError> {
    let built = GlobBuilder::new(pattern).literal_separator(true).backslash_escape(false).build();
    built.map_err(|error| LocationError::Glob(error.to_string()))
}

/// Whether a pattern names no folder and no file, only what every manifest has.
fn says_nothing(pattern: &str) -> bool {
    let named = pattern.replace("yaml", "").replace("yml", "");
    !named.contains(|c: char| c.is_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_is_put_where_it_is_read() {
        for (paths, exclude, place) in [
            (&["zones"][..], &[][..], Some("zones/acme.yaml")),
            (&["."], &[], Some("acme.yaml")),
            (&["a", "b"], &["a"], Some("b/acme.yaml")),
            (&["a/*.yml", "b/**/*.yaml"], &[], Some("b/acme.yaml")),
            (&["a/only.yaml"], &[], None),
            (&["a/x-*.yaml"], &[], None),
            (&["a"], &["a/acme.yaml"], None),
        ] {
            let selection = selection(paths, exclude).unwrap();
            assert_eq!(selection.place("acme.yaml").as_deref(), place, "{paths:?}");
        }
    }

    fn selection(paths: &[&str], exclude: &[&str]) -> Result<Selection, LocationError> {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        Selection::new(&owned(paths), &owned(exclude))
    }

    #[test]
    fn a_star_stays_in_its_folder_and_two_do_not() {
        let chosen =
            selection(&["teams/*/zones/*.yaml", "zones/**/*.{yaml,yml}"], &["zones/old", "**/*.draft.yaml"]);
        let chosen = chosen.unwrap();
        let [teams, zones] = chosen.paths.as_slice() else { panic!("{chosen:?}") };
        assert_eq!((teams.folder.as_str(), zones.folder.as_str()), ("teams", "zones"));
        assert!(teams.selects("teams/a/zones/x.yaml") && !teams.selects("teams/a/b/zones/x.yaml"));
        assert!(
            zones.selects("zones/x.yml")
                && zones.selects("zones/a/b/x.yaml")
                && !zones.selects("other/x.yaml")
        );
        assert!(chosen.excludes("zones/old") && chosen.excludes("zones/old/x.yaml"));
        assert!(chosen.excludes("zones/x.draft.yaml") && !chosen.excludes("zones/older/x.yaml"));
        assert!(chosen.one_folder().is_none());
        assert_eq!(selection(&["./zones/"], &[]).unwrap().one_folder().unwrap().folder, "zones");
        assert!(selection(&["zones"], &["zones/old"]).unwrap().one_folder().is_none());
    }

    #[test]
    fn everything_is_never_meant_by_accident() {
        assert_eq!(selection(&["."], &[]).unwrap().one_folder().unwrap().folder, "");
        for everything in ["*", "**", "**/*", "**/*.yaml", "*.yml", "**/*.{yaml,yml}", "?*"] {
            let refused = selection(&[everything], &[]).unwrap_err();
            assert!(matches!(refused, LocationError::Everything(_)), "{everything}: {refused}");
        }
        for nothing in ["", "/", "..", "zones/../..", "/zones"] {
            assert!(selection(&[nothing], &[]).is_err(), "{nothing}");
        }
        assert!(selection(&[], &[]).is_err());
        assert!(matches!(selection(&["zones"], &["**"]), Err(LocationError::ExcludesAll(_))));
        assert!(matches!(selection(&["zones/*"], &[]), Err(LocationError::GlobOfFiles(_))));
        assert!(matches!(selection(&["zones/[.yaml"], &[]), Err(LocationError::Glob(_))));
    }
}
