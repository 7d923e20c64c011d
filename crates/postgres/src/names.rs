//! Names: which relation a statement means, given the session's search path and the catalogue.
//! Pure; the catalogue's answers are given to it.
//!
//! Where the path is not known for certain, a name stands for every relation that it could mean,
//! so that the strictest rule about any of them decides.

use std::sync::Arc;

/// Names of relations, each with the schemas that hold one of that name.
pub(crate) type Answers = Vec<(Box<str>, Vec<Box<str>>)>;

/// Where a name may be looked for that no schema holds: PostgreSQL will say that it does not exist.
pub(crate) const NOWHERE: &str = "?";

/// The schema of the session's temporary relations.
pub(crate) const TEMPORARY: &str = "pg_temp";

const SYSTEM: &str = "pg_catalog";

/// The most search paths that may be meant at a time; more are as good as unknown.
const MAX_PATHS: usize = 8;

/// One search path: schemas, in order.
type Path = Arc<[Box<str>]>;

/// The session's search path, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SearchPath {
    /// One of these.
    OneOf(Vec<Path>),
    /// It was changed in a way that the gate cannot follow.
    Unknown,
}

impl SearchPath {
    /// A path of these schemas.
    pub(crate) fn of(schemas: impl IntoIterator<Item = impl Into<Box<str>>>) -> Self {
        Self::OneOf(vec![schemas.into_iter().map(Into::into).collect()])
    }

    /// The schemas, where there is no doubt.
    pub(crate) fn certain(&self) -> Option<Vec<Box<str>>> {
        match self {
            Self::OneOf(paths) => match &paths[..] {
                [only] => Some(only.to_vec()),
                _ => None,
            },
            Self::Unknown => None,
        }
    }

    /// This path or the other: what was set may yet be undone.
    pub(crate) fn or(self, other: &Self) -> Self {
        let (Self::OneOf(mut paths), Self::OneOf(others)) = (self, other) else { return Self::Unknown };
        for path in others {
            if !paths.contains(path) {
                paths.push(Arc::clone(path));
            }
        }
        if paths.len() > MAX_PATHS { Self::Unknown } else { Self::OneOf(paths) }
    }

    /// Reads the value of the setting, as the target reports it (PostgreSQL 18 and later). A path
    /// with `$user` depends on roles and is not followed.
    pub(crate) fn parse(setting: &str) -> Self {
        let mut schemas = Vec::new();
        for part in split(setting) {
            let part = part.trim();
            let quoted = part.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            let name = quoted.map_or_else(|| part.to_lowercase(), |inner| inner.replace("\"\"", "\""));
            if name == "$user" {
                return Self::Unknown;
            }
            if !name.is_empty() {
                schemas.push(name);
            }
        }
        Self::of(schemas)
    }

    /// The schemas in which a new relation without a schema may be made, as far as they are known.
    pub(crate) fn creation(&self) -> Vec<Box<str>> {
        let paths = match self {
            Self::OneOf(paths) => &paths[..],
            Self::Unknown => &[],
        };
        let mut found: Vec<Box<str>> = Vec::new();
        for schema in paths.iter().filter_map(|path| path.first()) {
            if !found.contains(schema) {
                found.push(schema.clone());
            }
        }
        found
    }
}

/// The parts of a list, cut at the commas outside quotes.
fn split(list: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    list.split(move |c| {
        quoted ^= c == '"';
        c == ',' && !quoted
    })
}

/// Every schema whose relation of one name may be meant. `holders` are the schemas that have a
/// relation of that name; `temporary` is whether this session has used it for a temporary one.
pub(crate) fn candidates(path: &SearchPath, holders: &[Box<str>], temporary: bool) -> Vec<Box<str>> {
    let mut found: Vec<Box<str>> = Vec::new();
    // A temporary relation may have been dropped or rolled back since: both are meant.
    if temporary {
        found.push(TEMPORARY.into());
    }
    match path {
        SearchPath::Unknown => found.extend(holders.iter().cloned()),
        SearchPath::OneOf(paths) => {
            for holder in paths.iter().filter_map(|path| first_holder(path, holders)) {
                if !found.contains(&holder) {
                    found.push(holder);
                }
            }
        }
    }
    if found.is_empty() {
        found.push(NOWHERE.into());
    }
    found
}

/// `pg_catalog` comes first unless the path names it.
fn first_holder(schemas: &[Box<str>], holders: &[Box<str>]) -> Option<Box<str>> {
    let holds = |schema: &str| holders.iter().any(|holder| &**holder == schema);
    if !schemas.iter().any(|schema| &**schema == SYSTEM) && holds(SYSTEM) {
        return Some(SYSTEM.into());
    }
    schemas.iter().find(|schema| holds(schema)).cloned()
}

#[cfg(test)]
mod tests {
    use super::{SearchPath, candidates};

    fn check(path: &SearchPath, holders: &[&str], temporary: bool, expected: &[&str]) {
        let holders: Vec<Box<str>> = holders.iter().map(|name| (*name).into()).collect();
        let found = candidates(path, &holders, temporary);
        assert_eq!(found.iter().map(AsRef::as_ref).collect::<Vec<&str>>(), expected);
    }

    #[test]
    fn a_name_means_the_first_schema_that_holds_it() {
        let path = SearchPath::of(["app", "public"]);
        check(&path, &["public"], false, &["public"]);
        check(&path, &["public", "app"], false, &["app"]);
        check(&path, &["elsewhere"], false, &["?"]);
        check(&path, &["public", "pg_catalog"], false, &["pg_catalog"]);
        check(&SearchPath::of(["public", "pg_catalog"]), &["public", "pg_catalog"], false, &["public"]);
    }

    #[test]
    fn an_unknown_path_means_every_schema_that_holds_it() {
        check(&SearchPath::Unknown, &["a", "b"], false, &["a", "b"]);
    }

    #[test]
    fn one_of_several_paths_means_the_first_holder_of_each() {
        let path = SearchPath::of(["a", "b"]).or(&SearchPath::of(["b"])).or(&SearchPath::of(["c", "a"]));
        check(&path, &["a", "b", "d"], false, &["a", "b"]);
        assert_eq!(path.creation(), [Box::from("a"), "b".into(), "c".into()]);
        assert_eq!(path.or(&SearchPath::Unknown), SearchPath::Unknown);
    }

    #[test]
    fn a_temporary_name_means_both() {
        check(&SearchPath::of(["public"]), &["public"], true, &["pg_temp", "public"]);
    }

    #[test]
    fn a_reported_path_is_read_as_the_target_quotes_it() {
        assert_eq!(
            SearchPath::parse("App, \"Odd \"\"one, two\", public"),
            SearchPath::of(["app", "Odd \"one, two", "public"])
        );
        assert_eq!(SearchPath::parse("\"$user\", public"), SearchPath::Unknown);
        assert_eq!(SearchPath::parse("\"\""), SearchPath::of(Vec::<String>::new()));
    }
}
