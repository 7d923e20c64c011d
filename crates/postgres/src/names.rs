//! Names: which relation a statement means, given the session's search path and the catalogue.
//! Pure; the catalogue's answers are given to it.
//!
//! Where the path is not known for certain, a name stands for every relation that it could mean,
//! so that the strictest rule about any of them decides.

use std::collections::HashSet;
use std::sync::Arc;

/// Where a name may be looked for that no schema holds: PostgreSQL will say that it does not exist.
pub(crate) const NOWHERE: &str = "?";

/// The schema of the session's temporary relations.
const TEMPORARY: &str = "pg_temp";

const SYSTEM: &str = "pg_catalog";

/// The session's search path, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SearchPath {
    /// These schemas, in order.
    Known(Arc<[Box<str>]>),
    /// It was changed in a way that the gate cannot follow.
    Unknown,
}

impl SearchPath {
    /// A path of these schemas.
    pub(crate) fn of(schemas: impl IntoIterator<Item = impl Into<Box<str>>>) -> Self {
        Self::Known(schemas.into_iter().map(Into::into).collect())
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

    /// The schema in which a new relation without a schema is made, if that is known.
    pub(crate) fn creation(&self) -> Option<&str> {
        match self {
            Self::Known(schemas) => schemas.first().map(AsRef::as_ref),
            Self::Unknown => None,
        }
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

/// Every schema whose relation `name` may mean. `holders` are the schemas that have a relation of
/// that name; `temporary` holds names that this session has used for temporary relations.
pub(crate) fn candidates(
    name: &str,
    path: &SearchPath,
    holders: &[Box<str>],
    temporary: &HashSet<Box<str>>,
) -> Vec<Box<str>> {
    let mut found = Vec::new();
    // A temporary relation may have been dropped or rolled back since: both are meant.
    if temporary.contains(name) {
        found.push(TEMPORARY.into());
    }
    match path {
        SearchPath::Unknown => found.extend(holders.iter().cloned()),
        SearchPath::Known(schemas) => found.extend(first_holder(schemas, holders)),
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
    use std::collections::HashSet;

    use super::{SearchPath, candidates};

    fn check(path: &SearchPath, holders: &[&str], temporary: &[&str], expected: &[&str]) {
        let holders: Vec<Box<str>> = holders.iter().map(|name| (*name).into()).collect();
        let temporary: HashSet<Box<str>> = temporary.iter().map(|name| (*name).into()).collect();
        let found = candidates("t", path, &holders, &temporary);
        assert_eq!(found.iter().map(AsRef::as_ref).collect::<Vec<&str>>(), expected);
    }

    #[test]
    fn a_name_means_the_first_schema_that_holds_it() {
        let path = SearchPath::of(["app", "public"]);
        check(&path, &["public"], &[], &["public"]);
        check(&path, &["public", "app"], &[], &["app"]);
        check(&path, &["elsewhere"], &[], &["?"]);
        check(&path, &["public", "pg_catalog"], &[], &["pg_catalog"]);
        check(&SearchPath::of(["public", "pg_catalog"]), &["public", "pg_catalog"], &[], &["public"]);
    }

    #[test]
    fn an_unknown_path_means_every_schema_that_holds_it() {
        check(&SearchPath::Unknown, &["a", "b"], &[], &["a", "b"]);
    }

    #[test]
    fn a_temporary_name_means_both() {
        check(&SearchPath::of(["public"]), &["public"], &["t"], &["pg_temp", "public"]);
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
