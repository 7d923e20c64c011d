//! Looking names up in the target's catalogue, on a connection of the gate's own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use portcullis_core::gate::TargetSpec;
use portcullis_core::protocol::ServeError;
use tokio::sync::Semaphore;

use super::target::{self, TargetEnd, rows};
use crate::Postgres;
use crate::catalogue::Catalogue;
use crate::wire::startup::Startup;

/// How long a lookup may take, login included.
const DEADLINE: Duration = Duration::from_secs(10);

/// Relations that were asked for, each with the schemas that hold one of that name.
pub(super) type Answers = Vec<(Box<str>, Vec<Box<str>>)>;

/// Connections of the gate's own for lookups at one target.
pub(crate) struct Lookups {
    /// Those that wait for the next lookup, by their database.
    idle: Mutex<HashMap<String, Vec<TargetEnd>>>,
    turns: Semaphore,
}

/// The most lookups at a time at one target; so many connections for them are opened at most, and
/// as many are kept a database.
const MAX_LOOKUPS: usize = 4;

/// The most databases that connections are kept for.
const MAX_IDLE: usize = 32;

impl Default for Lookups {
    fn default() -> Self {
        Self { idle: Mutex::default(), turns: Semaphore::new(MAX_LOOKUPS) }
    }
}

impl Lookups {
    fn take(&self, database: &str) -> Option<TargetEnd> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).get_mut(database)?.pop()
    }

    fn put(&self, database: String, end: TargetEnd) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MAX_IDLE || idle.contains_key(&database) {
            idle.entry(database).or_default().push(end);
        }
    }
}

/// Looks relations up, and keeps the answers in the catalogue.
pub(super) async fn look_up(
    postgres: &Postgres,
    spec: TargetSpec,
    database: String,
    catalogue: Arc<Catalogue>,
    names: Vec<Box<str>>,
) -> Result<Answers, ServeError> {
    let looked_up = tokio::time::timeout(DEADLINE, in_turn(postgres, spec, &database, &catalogue, names));
    looked_up.await.map_err(|_| ServeError::Target("it does not answer a catalogue query in time".into()))?
}

async fn in_turn(
    postgres: &Postgres,
    spec: TargetSpec,
    database: &str,
    catalogue: &Catalogue,
    names: Vec<Box<str>>,
) -> Result<Answers, ServeError> {
    let _turn = postgres.lookups.turns.acquire().await.map_err(|why| ServeError::Gate(why.to_string()))?;
    // Another session may have asked the same while this one waited.
    let (generation, now) = (catalogue.generation(), Instant::now());
    let known = names.iter().map(|name| Some((name.clone(), catalogue.schemas(name, now)?.to_vec())));
    if let Some(answers) = known.collect() {
        return Ok(answers);
    }
    let found = ask(postgres, spec, database, &query(&names)).await?;
    let mut answers: HashMap<Box<str>, Vec<Box<str>>> = names.into_iter().map(|name| (name, Vec::new())).collect();
    for row in &found {
        if let [relation, schema] = row.as_slice()
            && let Some(schemas) = answers.get_mut(relation.as_str())
        {
            schemas.push(schema.as_str().into());
        }
    }
    let answers: Answers = answers.into_iter().collect();
    catalogue.learn(generation, Instant::now(), answers.clone());
    Ok(answers)
}

async fn ask(
    postgres: &Postgres,
    spec: TargetSpec,
    database: &str,
    query: &str,
) -> Result<Vec<Vec<String>>, ServeError> {
    // A connection that waited may have been closed meanwhile: then a new one is asked.
    if let Some(mut end) = postgres.lookups.take(database)
        && let Ok(found) = rows(end.stream(), query).await
    {
        postgres.lookups.put(database.to_owned(), end);
        return Ok(found);
    }
    let login = &postgres.config.login;
    let parameter = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let parameters = vec![
        parameter("user", &login.user),
        parameter("database", database),
        parameter("application_name", "portcullis catalogue"),
        parameter("client_encoding", "UTF8"),
    ];
    let mut end =
        target::log_in(Arc::new(spec), login, &Startup { minor: 0, parameters }, &mut BytesMut::new()).await?;
    let found = rows(end.stream(), query).await?;
    postgres.lookups.put(database.to_owned(), end);
    Ok(found)
}

/// Temporary relations of all sessions are left out: a session's own are followed by itself.
fn query(names: &[Box<str>]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| literal(name)).collect();
    format!(
        "SELECT c.relname, n.nspname FROM pg_catalog.pg_class c \
         JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace \
         WHERE c.relname OPERATOR(pg_catalog.=) ANY (ARRAY[{}]::pg_catalog.name[]) \
         AND c.relpersistence OPERATOR(pg_catalog.<>) 't'::pg_catalog.\"char\"",
        quoted.join(",")
    )
}

/// A string literal that means the same whatever `standard_conforming_strings` says.
fn literal(text: &str) -> String {
    let mut out = String::from(" E'");
    for c in text.chars().filter(|c| *c != '\0') {
        if matches!(c, '\'' | '\\') {
            out.push(c);
        }
        out.push(c);
    }
    out.push('\'');
    out
}

#[cfg(test)]
mod tests {
    use super::literal;

    #[test]
    fn a_literal_cannot_be_left() {
        assert_eq!(literal(r"a'b\"), r" E'a''b\\'");
    }
}
