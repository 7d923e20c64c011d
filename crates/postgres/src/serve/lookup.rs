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
use crate::names::Answers;
use crate::relations::{Attribute, Code, CodeName, Found, Place, Relation, Sort, Source, Wanted};
use crate::wire::startup::Startup;

/// How long a lookup may take, login included.
const DEADLINE: Duration = Duration::from_secs(10);

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
    pub(super) fn take(&self, database: &str) -> Option<TargetEnd> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).get_mut(database)?.pop()
    }

    pub(super) fn put(&self, database: String, end: TargetEnd) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MAX_IDLE || idle.contains_key(&database) {
            idle.entry(database).or_default().push(end);
        }
    }
}

/// Looks relations up, and keeps the answers in the catalogue.
async fn look_up(
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

/// Looks up what relations are made of, and which schemas hold names, and keeps it in the catalogue.
pub(super) async fn look_up_relations(
    postgres: &Postgres,
    spec: TargetSpec,
    database: String,
    catalogue: Arc<Catalogue>,
    wanted: Wanted,
) -> Result<(Answers, Found), ServeError> {
    let names: Vec<Box<str>> = wanted.names.iter().cloned().collect();
    let answers = if names.is_empty() {
        Answers::new()
    } else {
        look_up(postgres, spec.clone(), database.clone(), Arc::clone(&catalogue), names).await?
    };
    let looking = async {
        let _turn = postgres.lookups.turns.acquire().await.map_err(|why| ServeError::Gate(why.to_string()))?;
        let generation = catalogue.generation();
        let rows = ask(postgres, spec, &database, &relations_query(&wanted)).await?;
        let found = found(rows, wanted)?;
        catalogue.learn_relations(generation, Instant::now(), &found);
        Ok(found)
    };
    let looked_up = tokio::time::timeout(DEADLINE, looking).await;
    Ok((answers, looked_up.map_err(|_| ServeError::Target("it does not answer a catalogue query in time".into()))??))
}

/// Results that are told apart by the first value of their rows. With an empty path PostgreSQL writes
/// every name of a view with its schema, and every name here means PostgreSQL's own.
fn relations_query(wanted: &Wanted) -> String {
    let oids: Vec<String> = wanted.oids.iter().map(u32::to_string).collect();
    let places: Vec<String> =
        wanted.places.iter().map(|place| format!("({},{})", literal(&place.schema), literal(&place.name))).collect();
    let places = if places.is_empty() {
        String::new()
    } else {
        format!(
            " UNION SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE (n.nspname, c.relname) IN ({})",
            places.join(",")
        )
    };
    let these = format!("WITH RECURSIVE these AS (SELECT unnest(ARRAY[{}]::oid[]) AS oid{places})", oids.join(","));
    let mut query = format!(
        "SELECT pg_catalog.set_config('search_path', '', true); \
         {these} SELECT 'r', c.oid, n.nspname, c.relname, \
         CASE WHEN c.relkind IN ('v', 'm') THEN 'v' WHEN c.relhasrules THEN 'u' ELSE 's' END, \
         CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END \
         FROM these JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace; \
         {these} SELECT 'c', a.attrelid, a.attnum, a.attname, a.atttypid, \
         CASE WHEN a.attgenerated <> '' THEN pg_get_expr(d.adbin, d.adrelid) END \
         FROM these JOIN pg_attribute a ON a.attrelid = these.oid \
         LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
         WHERE a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum; \
         {these}, kin (whose, kin, up) AS (SELECT i.inhrelid, i.inhparent, true FROM these \
         JOIN pg_inherits i ON i.inhrelid = these.oid \
         UNION SELECT i.inhparent, i.inhrelid, false FROM these JOIN pg_inherits i ON i.inhparent = these.oid \
         UNION SELECT kin.whose, CASE WHEN kin.up THEN i.inhparent ELSE i.inhrelid END, kin.up FROM kin \
         JOIN pg_inherits i ON CASE WHEN kin.up THEN i.inhrelid ELSE i.inhparent END = kin.kin) \
         SELECT 'k', kin.whose, n.nspname, c.relname, '', '' FROM kin JOIN pg_class c ON c.oid = kin.kin \
         JOIN pg_namespace n ON n.oid = c.relnamespace"
    );
    for sort in [Sort::Function, Sort::Operator, Sort::Type] {
        let of_sort = wanted.codes.iter().filter(|code| code.sort == sort);
        let names: Vec<String> = of_sort.map(|code| literal(&code.name)).collect();
        if !names.is_empty() {
            query.push_str(&codes_query(sort, &names.join(",")));
        }
    }
    query
}

fn codes_query(sort: Sort, names: &str) -> String {
    let (letter, table, prefix, inert) = match sort {
        Sort::Function => ('f', "pg_proc", "pro", "''"),
        Sort::Operator => ('o', "pg_operator", "opr", "''"),
        Sort::Type => ('t', "pg_type", "typ", "CASE WHEN x.typtype IN ('e', 'd') THEN 'i' ELSE '' END"),
    };
    format!(
        "; SELECT DISTINCT '{letter}', x.{prefix}name, n.nspname, {inert}, '', '' FROM {table} x \
         JOIN pg_namespace n ON n.oid = x.{prefix}namespace WHERE x.{prefix}name = ANY (ARRAY[{names}]::name[])"
    )
}

/// Reads the rows that [`relations_query`] brings.
fn found(rows: Vec<Vec<String>>, wanted: Wanted) -> Result<Found, ServeError> {
    let broken = || ServeError::Target("it answers a catalogue query with what was not asked for".into());
    let mut relations: HashMap<u32, Relation> = HashMap::new();
    let mut codes = Vec::new();
    for row in rows {
        // The one value of the first result is nothing to learn.
        let Ok([what, one, two, three, four, five]) = <[String; 6]>::try_from(row) else { continue };
        let sort = match what.as_str() {
            "f" => Some(Sort::Function),
            "o" => Some(Sort::Operator),
            "t" => Some(Sort::Type),
            _ => None,
        };
        if let Some(sort) = sort {
            codes.push((CodeName { sort, name: one.into() }, Code { schema: two.into(), inert: three == "i" }));
            continue;
        }
        let oid: u32 = one.parse().map_err(|_| broken())?;
        if what == "r" {
            let source = match four.as_str() {
                "s" => Source::Stored,
                "v" => Source::View(Some(five.into())),
                _ => Source::View(None),
            };
            let place = Place::new(two, three);
            relations.insert(oid, Relation { oid, place, columns: Vec::new(), kin: Vec::new(), source });
            continue;
        }
        // It was made between two of the queries: it will be looked up again.
        let Some(relation) = relations.get_mut(&oid) else { continue };
        match what.as_str() {
            "c" => relation.columns.push(Attribute {
                number: two.parse().map_err(|_| broken())?,
                name: three.into(),
                kind: four.parse().map_err(|_| broken())?,
                generated: Some(five).filter(|generated| !generated.is_empty()).map(Into::into),
            }),
            "k" => relation.kin.push(Place::new(two, three)),
            _ => return Err(broken()),
        }
    }
    Ok(Found { wanted, relations: relations.into_values().map(Arc::new).collect(), codes })
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
