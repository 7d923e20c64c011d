//! A million rows on one leg, read and copied.

use std::time::{Duration, Instant};

use anyhow::ensure;
use bytes::Bytes;
use futures::{SinkExt, TryStreamExt};
use portcullis_testkit::servers::Postgres;

use crate::arena::Leg;
use crate::client::connect;

/// How the rows travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Select,
    CopyOut,
    CopyIn,
}

/// Makes the table of rows, and an empty one that takes copies.
pub(crate) fn fill(postgres: &Postgres, rows: u32) -> anyhow::Result<()> {
    postgres.sql_as_app(&format!(
        "CREATE TABLE many AS SELECT i AS id, md5(i::text) AS name, i::bigint * 1000 AS amount FROM generate_series(1, {rows}) i;\n\
         CREATE UNLOGGED TABLE taken (id int, name text, amount bigint);\n"
    ))?;
    postgres.sql("VACUUM ANALYZE many")?;
    Ok(())
}

/// Moves all rows once and says how long it took, without the time to connect.
pub(crate) fn run(leg: &Leg, way: Way, rows: u32) -> anyhow::Result<Duration> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = connect(leg).await?;
        client.simple_query("SELECT count(*) FROM many WHERE id < 10").await?;
        let start = Instant::now();
        let moved = match way {
            Way::Select => select(&client, "SELECT id, name, amount FROM many").await?,
            Way::CopyOut => copy_out(&client).await?,
            Way::CopyIn => copy_in(&client, rows).await?,
        };
        let took = start.elapsed();
        ensure!(moved == u64::from(rows), "{way:?} moved {moved} rows of {rows}");
        Ok(took)
    })
}

/// Reads a result to its end and counts its rows.
pub(crate) async fn select(client: &tokio_postgres::Client, sql: &str) -> anyhow::Result<u64> {
    let mut rows = std::pin::pin!(client.query_raw(sql, Vec::<i32>::new()).await?);
    let mut count = 0;
    while rows.try_next().await?.is_some() {
        count += 1;
    }
    Ok(count)
}

async fn copy_out(client: &tokio_postgres::Client) -> anyhow::Result<u64> {
    let out = client.copy_out("COPY many TO STDOUT").await?;
    // PostgreSQL sends a message a row.
    Ok(out.try_fold(0, |count, _| async move { Ok(count + 1) }).await?)
}

async fn copy_in(client: &tokio_postgres::Client, rows: u32) -> anyhow::Result<u64> {
    let mut sink = std::pin::pin!(client.copy_in::<_, Bytes>("COPY taken FROM STDIN WHERE id < 0").await?);
    let line = |id: u32| format!("{id}\t0123456789abcdef0123456789abcdef\t{id}000\n");
    let mut sent = 0;
    while sent < rows {
        let until = rows.min(sent + 1000);
        sink.send(Bytes::from((sent..until).map(line).collect::<String>())).await?;
        sent = until;
    }
    sink.as_mut().finish().await?;
    Ok(u64::from(sent))
}
