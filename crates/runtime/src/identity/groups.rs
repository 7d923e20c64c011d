//! A subject's groups: where in the claims they are, how many there may be, and their prefix.
//!
//! It does not know what any group means.

use serde_json::{Map, Value};

use super::claims::is_name;
use super::rejection::Rejection;

/// More groups than an issuer puts into a token (Entra ID stops at 200).
const MAX_GROUPS: usize = 1000;
const MAX_GROUP: usize = 256;
const MALFORMED: Rejection = Rejection::MalformedClaim("groups");

/// The groups at `path`, each prefixed by `prefix:`. No such claim means no groups.
pub(super) fn read(claims: &Map<String, Value>, path: &str, prefix: &str) -> Result<Vec<String>, Rejection> {
    if is_elsewhere(claims, path) {
        return Err(Rejection::GroupsElsewhere);
    }
    let found: Vec<&Value> = match at(claims, path) {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(all)) => all.iter().collect(),
        Some(one) => vec![one],
    };
    if found.len() > MAX_GROUPS {
        return Err(Rejection::TooManyGroups);
    }
    let name = |value: &Value| match value.as_str() {
        Some(group) if is_name(group, MAX_GROUP) => Ok(format!("{prefix}:{group}")),
        Some(_) | None => Err(MALFORMED),
    };
    found.into_iter().map(name).collect()
}

/// A claim of that very name (some issuers use URLs), else the dotted path.
fn at<'c>(claims: &'c Map<String, Value>, path: &str) -> Option<&'c Value> {
    if let Some(value) = claims.get(path) {
        return Some(value);
    }
    let mut steps = path.split('.');
    let first = claims.get(steps.next()?)?;
    steps.try_fold(first, |value, step| value.get(step))
}

/// Whether the issuer left the groups out and points elsewhere: distributed claims (OIDC
/// Core §5.6.2) and Entra ID's `hasgroups`. Whoever is in too many groups must not pass for
/// somebody who is in none, for a policy may forbid by group.
fn is_elsewhere(claims: &Map<String, Value>, path: &str) -> bool {
    let first = path.split('.').next().unwrap_or(path);
    let pointed = claims.get("_claim_names").and_then(Value::as_object);
    let flagged = match claims.get("hasgroups") {
        None => false,
        Some(Value::Bool(flag)) => *flag,
        Some(other) => other != "false",
    };
    pointed.is_some_and(|names| names.contains_key(first) || names.contains_key(path)) || (flagged && first == "groups")
}
