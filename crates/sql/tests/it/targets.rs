//! The lineage of `lineage.txt` beside what real targets say: the columns that they describe are
//! those that the lineage names, and what is called clean of a column holds none of its values.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use portcullis_sql::postgres::lineage::{Columns, Origin};
use portcullis_testkit::servers::{Postgres, Version};

use super::lineage::{VIEWS, entries, shop, trace};
use super::random;

/// What the columns of customers hold, by which a value is known again wherever it goes.
const MARKS: [(&str, &str); 3] = [("ssn", "zqssnqz"), ("email", "zqemailqz"), ("name", "zqnameqz")];

const TABLES: &str = "
    create type mood as enum ('zqssnqz', 'b');
    create table customers (id int primary key, name text, email text, ssn text unique, doc jsonb, tags text[], created timestamptz default now());
    create table orders (id serial primary key, customer_id int, total numeric, status text, created timestamptz default now());
    create table items (order_id int, sku text, qty int);
    create table notes (id int unique, body text);
    create table generated (id int, name text, ssn text,
        name_upper text generated always as (upper(name)) stored, ssn_upper text generated always as (upper(ssn)) stored);
    insert into customers select n, 'zqnameqz', 'zqemailqz', 'zqssnqz' || n, '{\"a\": 1, \"street\": \"x\"}', '{x,y}' from generate_series(1, 3) n;
    insert into orders (customer_id, total, status) select n, 10 * n, 'open' from generate_series(1, 3) n;
    insert into items select n, 'sku', n from generate_series(1, 3) n;
    insert into notes values (1, 'note');
    insert into generated (id, name, ssn) values (1, 'zqnameqz', 'zqssnqz');
    create function slugify(text) returns text language sql immutable as $$ select lower($1) $$;
";

/// Separators that no value holds.
const FIELD: char = '\u{1f}';
const RECORD: char = '\u{1e}';

fn start(version: Version) -> Postgres {
    let postgres = Postgres::start(version).unwrap();
    let mut text = TABLES.to_owned();
    for (name, columns, definition) in VIEWS {
        writeln!(text, "create view {name} ({}) as {definition};", columns.replace(' ', ", ")).unwrap();
    }
    postgres.sql(&text).unwrap();
    postgres
}

/// How much psql is given at a time: no more than a pipe holds, for nobody reads while we write.
const AT_A_TIME: usize = 48 << 10;

/// Runs statements, each in a transaction of its own, with `before` and `after` around it, and tells
/// by statement what psql prints. What fails prints nothing.
fn run(postgres: &Postgres, statements: &[String], before: &str, after: &str) -> BTreeMap<String, String> {
    const SETTINGS: &str = "\\set ON_ERROR_STOP off\n\\pset fieldsep '\\037'\n\\pset recordsep '\\036'\n";
    let mut printed = String::new();
    let mut script = String::from(SETTINGS);
    for (n, statement) in statements.iter().enumerate() {
        let one = format!("\\echo @@{n}@@\n{before}\n{statement} {after}\nrollback;\n");
        if script.len() + one.len() > AT_A_TIME {
            printed += &postgres.sql(&std::mem::replace(&mut script, SETTINGS.to_owned())).unwrap();
        }
        script += &one;
    }
    printed += &postgres.sql(&script).unwrap();
    let mut found = BTreeMap::new();
    for (head, body) in printed.split("@@\n").zip(printed.split("@@\n").skip(1)) {
        let n: usize = head.rsplit("@@").next().unwrap().parse().unwrap();
        let body = body.rsplit_once("@@").map_or(body, |(body, _)| body);
        found.insert(statements[n].clone(), body.trim_end_matches('\n').to_owned());
    }
    found
}

/// The statements of the table that can be run as they are.
fn of_the_table() -> Vec<String> {
    entries().into_iter().map(|(statement, _)| statement).filter(|statement| stands_alone(statement)).collect()
}

fn stands_alone(statement: &str) -> bool {
    let begins = |words: &[&str]| words.iter().any(|word| statement.starts_with(word));
    // The table's catalogue has but some columns of this one.
    let all_columns = statement != "select * from pg_stat_activity";
    all_columns
        && !statement.contains(';')
        && !statement.contains('$')
        && !begins(&["copy", "listen", "notify", "begin", "close"])
}

fn columns(statement: &str) -> Columns {
    trace(statement, &shop()).statements.remove(0).columns
}

/// The names that a target describes are those of the lineage, and as many.
fn check_names(postgres: &Postgres, statements: &[String], at_least: usize) {
    let mut wrong = Vec::new();
    let mut described = 0;
    for (statement, printed) in run(postgres, statements, "begin;", "\\gdesc") {
        let rows: Vec<&str> = printed.split(RECORD).filter(|row| row.contains(FIELD)).collect();
        // DDL and errors describe nothing.
        if rows.is_empty() {
            continue;
        }
        described += 1;
        let names: Vec<&str> = rows.iter().filter_map(|row| row.split(FIELD).next()).map(str::trim_start).collect();
        let columns = columns(&statement);
        let first = columns.first.iter().zip(&names);
        let last = columns.last.iter().rev().zip(names.iter().rev());
        let known = columns.first.len() + columns.last.len();
        let counted = known == names.len() || (known < names.len() && columns.gap.is_some());
        let same = first.chain(last).all(|(output, name)| *output.name == **name || &*output.name == "*");
        let unknown = columns.gap.as_ref().is_some_and(|gap| matches!(gap, Origin::Unknown(_)));
        if !(unknown || counted && same) {
            wrong.push(format!("{statement}\n    target {names:?}\n    lineage {columns:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(described > at_least, "{described}");
}

#[test]
fn postgres_15_describes_the_columns_that_the_lineage_names() {
    check_names(&start(Version::V15), &of_the_table(), 250);
}

#[test]
fn postgres_18_describes_the_columns_that_the_lineage_names() {
    check_names(&start(Version::V18), &of_the_table(), 250);
}

/// No value of a column is found where the lineage says that none is.
fn check_values(postgres: &Postgres, statements: &[String], at_least: usize) {
    let mut leaks = Vec::new();
    let (mut clean, mut tainted) = (0, 0);
    // Some of the table's recursive queries never end, and some statements sleep.
    for (statement, printed) in run(postgres, statements, "begin; set local statement_timeout = 50;", ";") {
        let columns = columns(&statement);
        for row in printed.split(RECORD).filter(|row| !row.is_empty()) {
            let values: Vec<&str> = row.split(FIELD).collect();
            for (n, value) in values.iter().enumerate() {
                let Origin::Columns(from) = columns.origin(n, values.len()) else { continue };
                for (column, mark) in MARKS {
                    let named = from.iter().any(|origin| *origin.column == *column);
                    let held = value.to_lowercase().contains(mark);
                    clean += usize::from(!named && !held);
                    tainted += usize::from(named && held);
                    if held && !named {
                        leaks.push(format!("{statement}: column {n} holds `{column}`: {value}"));
                    }
                }
            }
        }
    }
    assert!(leaks.is_empty(), "{}:\n{}", leaks.len(), leaks.join("\n"));
    assert!(clean > at_least && tainted > at_least, "{clean} {tainted}");
}

#[test]
fn what_postgres_15_returns_as_clean_holds_no_marked_value() {
    check_values(&start(Version::V15), &of_the_table(), 250);
}

#[test]
fn what_postgres_18_returns_as_clean_holds_no_marked_value() {
    check_values(&start(Version::V18), &of_the_table(), 250);
}

#[test]
fn queries_made_at_random_return_what_their_lineage_says() {
    let postgres = start(Version::V18);
    let statements = random::queries(10_000);
    check_names(&postgres, &statements, 300);
    check_values(&postgres, &statements, 300);
}
