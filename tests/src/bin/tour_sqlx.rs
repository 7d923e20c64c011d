//! A tour of sqlx: cached statements, transactions, streams, COPY, listeners, a pool.
//! Connects by PG* variables and prints a transcript.
#![expect(clippy::print_stdout, reason = "the transcript goes to standard output")]

use std::fmt::Debug;

use futures::TryStreamExt;
use portcullis_tests::digest;
use portcullis_tests::environment::variable;
use sqlx::postgres::{
    PgConnectOptions, PgConnection, PgDatabaseError, PgListener, PgPoolCopyExt, PgPoolOptions, PgSslMode,
};
use sqlx::{Column, ConnectOptions, Connection, Error, Executor, Row, SqlSafeStr, Statement, TypeInfo};

fn say(name: &str, value: impl Debug) {
    println!("{name}: {value:?}");
}

/// Everything that the target said of an error, or the good result.
fn told<T: Debug>(name: &str, result: Result<T, Error>) {
    match result {
        Ok(value) => say(name, value),
        Err(Error::Database(error)) => {
            let error = error.downcast_ref::<PgDatabaseError>();
            say(
                name,
                (error.severity(), error.code(), error.message(), error.detail(), error.hint(), error.position()),
            );
            say(name, (error.r#where(), error.schema(), error.table(), error.column(), error.data_type()));
            say(name, (error.constraint(), error.file(), error.line(), error.routine()));
        }
        Err(error) => say(name, error.to_string()),
    }
}

fn options() -> anyhow::Result<PgConnectOptions> {
    let options = PgConnectOptions::new_without_pgpass().host("localhost").port(variable("PGPORT")?.parse()?);
    let options = options.username(&variable("PGUSER")?).password(&variable("PGPASSWORD")?);
    let options = options.database(&variable("PGDATABASE")?).ssl_mode(PgSslMode::VerifyFull);
    Ok(options.ssl_root_cert(variable("PGSSLROOTCERT")?))
}

async fn data(conn: &mut PgConnection) -> Result<(), Error> {
    conn.execute(sqlx::raw_sql("CREATE SCHEMA tour; SET search_path = tour")).await?;
    conn.execute("CREATE TABLE item (id int PRIMARY KEY, name text, big int8, f float8, raw bytea, list int[])")
        .await?;
    for id in 0..5_i32 {
        let insert = sqlx::query("INSERT INTO item VALUES ($1, $2, $3, $4, $5, $6) RETURNING id, name").bind(id);
        let insert = insert.bind((id % 2 == 0).then(|| format!("ünï 🦀 {id}"))).bind(i64::from(id) << 40).bind(0.1);
        let row = insert.bind(vec![0_u8, 255]).bind(vec![Some(id), None]).fetch_one(&mut *conn).await?;
        say("insert", (row.get::<i32, _>(0), row.get::<Option<String>, _>("name")));
    }
    let rows = sqlx::query("SELECT * FROM item WHERE id > $1 ORDER BY id").bind(0).fetch_all(&mut *conn).await?;
    for row in &rows {
        say("columns", row.columns().iter().map(|c| (c.name(), c.type_info().name())).collect::<Vec<_>>());
        say("row", (row.get::<i32, _>(0), row.get::<Option<&str>, _>(1), row.get::<i64, _>(2), row.get::<f64, _>(3)));
        say("row", (row.get::<&[u8], _>(4), row.get::<Vec<Option<i32>>, _>(5)));
    }
    let done = sqlx::query("UPDATE item SET name = 'x' WHERE id > $1").bind(2).execute(&mut *conn).await?;
    say("updated", done.rows_affected());
    let prepared = conn.prepare("SELECT id, name, $1::bool AS b FROM item".into_sql_str()).await?;
    say("prepared", prepared.columns().iter().map(|c| (c.name(), c.type_info().name())).collect::<Vec<_>>());
    drop(prepared);
    let mut text = String::new();
    let mut many = sqlx::query("SELECT i, md5(i::text) FROM generate_series(1, 20000) i").fetch(&mut *conn);
    while let Some(row) = many.try_next().await? {
        text += &format!("{}{}", row.get::<i32, _>(0), row.get::<&str, _>(1));
    }
    say("many", digest(text.as_bytes()));
    drop(many);
    let big: String = sqlx::query_scalar("SELECT repeat('big ü', 1000000)").fetch_one(&mut *conn).await?;
    say("big", (big.len(), digest(big.as_bytes())));
    let several = conn.fetch_all(sqlx::raw_sql("SELECT 1 AS a; UPDATE item SET f = 0; SELECT 2, 'text'")).await?;
    say("multi", several.iter().map(|row| row.len()).collect::<Vec<_>>());
    told("empty", conn.execute("").await.map(|done| done.rows_affected()));
    Ok(())
}

async fn errors(conn: &mut PgConnection) -> Result<(), Error> {
    told("syntax", conn.execute("SELECT FROM WHERE").await.map(|_| ()));
    told("duplicate", sqlx::query("INSERT INTO item (id) VALUES ($1)").bind(1).execute(&mut *conn).await.map(|_| ()));
    told("late", conn.fetch_all("SELECT 10 / (5 - i) FROM generate_series(1, 9) i").await.map(|rows| rows.len()));
    told("middle", conn.execute(sqlx::raw_sql("SELECT 1; SELECT 1/0; SELECT 2")).await.map(|_| ()));
    let raised = "DO $$BEGIN RAISE 'no' USING ERRCODE = 'P0042', DETAIL = 'd', COLUMN = 'c'; END$$";
    told("raised", conn.execute(raised).await.map(|_| ()));
    let mut outer = conn.begin().await?;
    sqlx::query("INSERT INTO item (id) VALUES (10)").execute(&mut *outer).await?;
    let mut inner = outer.begin().await?;
    told("inside", inner.execute("SELECT 1/0").await.map(|_| ()));
    told("aborted", inner.execute("SELECT 1").await.map(|_| ()));
    inner.rollback().await?;
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM item").fetch_one(&mut *outer).await?;
    say("inside", count);
    outer.commit().await?;
    // A stream that is dropped half-way leaves the connection usable.
    let mut stream = conn.fetch("SELECT i FROM generate_series(1, 1000) i");
    say("first", stream.try_next().await?.map(|row| row.get::<i32, _>(0)));
    drop(stream);
    say("after", conn.fetch_one("SELECT 'alive'").await?.get::<String, _>(0));
    Ok(())
}

async fn pooled(options: PgConnectOptions) -> Result<(), Error> {
    let pool = PgPoolOptions::new().max_connections(3).connect_with(options).await?;
    pool.execute("CREATE TABLE tour.bulk (i int, t text)").await?;
    let mut copy = pool.copy_in_raw("COPY tour.bulk FROM STDIN").await?;
    for i in 0..5000 {
        copy.send(format!("{i}\trow ü {i}\n").into_bytes()).await?;
    }
    say("copy in", copy.finish().await?);
    let mut broken = pool.copy_in_raw("COPY tour.bulk FROM STDIN").await?;
    broken.send(b"1\tfine\nx\tbroken\n".as_slice()).await?;
    told("broken", broken.finish().await);
    let given_up = pool.copy_in_raw("COPY tour.bulk FROM STDIN").await?;
    told("given up", given_up.abort("changed my mind").await);
    for options in ["", "(FORMAT csv, HEADER)", "(FORMAT binary)"] {
        let sql = format!("COPY (SELECT * FROM tour.item ORDER BY id) TO STDOUT {options}");
        let out = pool.copy_out_raw(&sql).await?;
        say("copy out", out.try_collect::<Vec<_>>().await?.concat());
    }
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.listen("news").await?;
    pool.execute("NOTIFY news, 'hello ü'").await?;
    let heard = listener.recv().await?;
    say("notify", (heard.channel(), heard.payload()));
    let queries = (0..6).map(|i| sqlx::query_scalar::<_, i32>("SELECT $1").bind(i).fetch_one(&pool));
    say("pool", futures::future::try_join_all(queries).await?);
    drop(listener);
    pool.close().await;
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    portcullis_tests::environment::install_provider();
    let options = options()?;
    let mut conn = options.connect().await?;
    data(&mut conn).await?;
    errors(&mut conn).await?;
    pooled(options.clone()).await?;
    conn.execute(sqlx::raw_sql("SET client_min_messages = warning; DROP SCHEMA tour CASCADE")).await?;
    conn.close().await?;
    told("no such database", options.database("nowhere").connect().await.map(|_| ()));
    Ok(())
}
