//! A tour of tokio-postgres: typed binary results, portals, COPY, pipelining, notices, cancel.
//! Connects by PG* variables and prints a transcript.
#![expect(clippy::print_stdout, reason = "the transcript goes to standard output")]

use std::fmt::Debug;
use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use futures::{SinkExt, StreamExt, TryStreamExt};
use portcullis_tests::digest;
use portcullis_tests::environment::{tls, variable};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_postgres::{AsyncMessage, Client, Config, Error, SimpleQueryMessage};

type Results<T> = Result<T, Error>;

fn say(name: &str, value: impl Debug) {
    println!("{name}: {value:?}");
}

/// Everything that the target said of an error, or the good result.
fn told<T: Debug>(name: &str, result: Results<T>) {
    match result {
        Ok(value) => say(name, value),
        Err(error) => match error.as_db_error() {
            Some(error) => say(name, error),
            None => say(name, error.to_string()),
        },
    }
}

fn config() -> anyhow::Result<Config> {
    let mut config = Config::new();
    config.host("localhost").port(variable("PGPORT")?.parse()?).user(variable("PGUSER")?);
    config.password(variable("PGPASSWORD")?).dbname(variable("PGDATABASE")?);
    config.ssl_mode(tokio_postgres::config::SslMode::Require);
    Ok(config)
}

/// Connects, and says notices on the way and collects notifications.
async fn connect(config: &Config) -> anyhow::Result<(Client, mpsc::UnboundedReceiver<String>, JoinHandle<()>)> {
    let (client, mut connection) = config.connect(tls()?).await?;
    let (heard, notifications) = mpsc::unbounded_channel();
    let task = tokio::spawn(async move {
        while let Some(message) = poll_fn(|cx| connection.poll_message(cx)).await {
            match message {
                Ok(AsyncMessage::Notice(notice)) => say("notice", notice),
                Ok(AsyncMessage::Notification(n)) => drop(heard.send(format!("{} {}", n.channel(), n.payload()))),
                Ok(_) => {}
                Err(error) => say("connection", error.to_string()),
            }
        }
    });
    Ok((client, notifications, task))
}

async fn simple(client: &Client, name: &str, sql: &str) {
    match client.simple_query(sql).await {
        Ok(messages) => messages.iter().for_each(|message| match message {
            SimpleQueryMessage::Row(row) => {
                say(name, (0..row.len()).map(|i| row.get(i)).collect::<Vec<_>>());
            }
            other => say(name, other),
        }),
        Err(error) => told::<()>(name, Err(error)),
    }
}

async fn data(client: &Client) -> anyhow::Result<()> {
    simple(client, "schema", "CREATE SCHEMA tour; SET search_path = tour").await;
    client
        .batch_execute("CREATE TABLE item (id int PRIMARY KEY, name text, big int8, f float8, raw bytea, yes bool)")
        .await?;
    let insert = client.prepare("INSERT INTO item VALUES ($1, $2, $3, $4, $5, $6) RETURNING id, name").await?;
    say("parameters", insert.params());
    say("columns", insert.columns().iter().map(|c| (c.name(), c.type_().clone(), c.column_id())).collect::<Vec<_>>());
    for id in 0..5 {
        let name = (id % 2 == 0).then(|| format!("ünï 🦀 {id}"));
        let raw: &[u8] = &[0, 255];
        let row = client.query_one(&insert, &[&id, &name, &(i64::from(id) << 40), &0.1, &raw, &Some(true)]).await?;
        say("insert", (row.get::<_, i32>(0), row.get::<_, Option<String>>(1)));
    }
    for row in client.query("SELECT * FROM item WHERE id >= $1 ORDER BY id", &[&1_i32]).await? {
        say("row", (row.get::<_, i32>(0), row.get::<_, Option<&str>>(1), row.get::<_, i64>(2), row.get::<_, f64>(3)));
        say("row", (row.get::<_, Option<&[u8]>>(4), row.get::<_, Option<bool>>(5)));
    }
    say("updated", client.execute("UPDATE item SET yes = false WHERE id > $1", &[&2_i32]).await?);
    simple(client, "multi", "SELECT 1 AS a; UPDATE item SET yes = NULL; SELECT 'two' AS b, NULL AS c").await;
    simple(client, "empty", "").await;
    let many = client.query("SELECT i, md5(i::text) FROM generate_series(1, 20000) i", &[]).await?;
    let text: String = many.iter().map(|row| format!("{}{}", row.get::<_, i32>(0), row.get::<_, &str>(1))).collect();
    say("many", digest(text.as_bytes()));
    let big: String = client.query_one("SELECT repeat('big ü', 1000000)", &[]).await?.get(0);
    say("big", (big.len(), digest(big.as_bytes())));
    let (a, b, c) =
        (client.query_one("SELECT 1", &[]), client.query("SELECT 1/0", &[]), client.query_one("SELECT 3", &[]));
    let (a, b, c) = futures::join!(a, b, c);
    told("at once", a.map(|row| row.get::<_, i32>(0)));
    told("at once", b.map(|rows| rows.len()));
    told("at once", c.map(|row| row.get::<_, i32>(0)));
    Ok(())
}

async fn errors(client: &mut Client) -> anyhow::Result<()> {
    simple(client, "notices", "DO $$BEGIN RAISE NOTICE 'n %', 'ü'; RAISE WARNING 'w' USING HINT = 'h'; END$$").await;
    told("syntax", client.query("SELECT FROM WHERE", &[]).await.map(|rows| rows.len()));
    told("duplicate", client.execute("INSERT INTO item (id) VALUES ($1)", &[&1_i32]).await);
    let late = "SELECT 10 / (5 - i) FROM generate_series(1, 9) i";
    let mut rows = pin!(client.query_raw(late, Vec::<i32>::new()).await?);
    while let Some(row) = rows.next().await {
        told("late", row.map(|row| row.get::<_, i32>(0)));
    }
    simple(client, "middle", "SELECT 1; SELECT 1/0; SELECT 2").await;
    simple(client, "raised", "DO $$BEGIN RAISE 'no' USING ERRCODE = 'P0042', DETAIL = 'd', COLUMN = 'c'; END$$").await;

    let mut outer = client.transaction().await?;
    outer.execute("INSERT INTO item (id) VALUES (10)", &[]).await?;
    let inner = outer.savepoint("spot").await?;
    told("inside", inner.execute("SELECT 1/0", &[]).await);
    told("aborted", inner.execute("SELECT 1", &[]).await);
    inner.rollback().await?;
    let portal = outer.bind("SELECT i FROM generate_series(1, 10) i WHERE i > $1", &[&2_i32]).await?;
    for limit in [3, 2, 0, 1] {
        let rows = outer.query_portal(&portal, limit).await;
        told("portal", rows.map(|rows| rows.iter().map(|row| row.get::<_, i32>(0)).collect::<Vec<_>>()));
    }
    outer.commit().await?;
    simple(client, "count", "SELECT count(*) FROM item").await;
    Ok(())
}

async fn copies(client: &Client) -> anyhow::Result<()> {
    for options in ["", "(FORMAT csv, HEADER)", "(FORMAT binary)"] {
        let out = client.copy_out(&format!("COPY (SELECT * FROM item ORDER BY id) TO STDOUT {options}")).await?;
        say("copy out", out.try_collect::<Vec<Bytes>>().await?.concat());
    }
    client.batch_execute("CREATE TABLE bulk (i int, t text)").await?;
    let mut sink = pin!(client.copy_in::<_, Bytes>("COPY bulk FROM STDIN").await?);
    for i in 0..5000 {
        sink.send(Bytes::from(format!("{i}\trow ü {i}\n"))).await?;
    }
    say("copy in", sink.as_mut().finish().await?);
    let mut broken = pin!(client.copy_in::<_, Bytes>("COPY bulk FROM STDIN").await?);
    broken.send(Bytes::from_static(b"1\tfine\nx\tbroken\n")).await?;
    told("broken", broken.as_mut().finish().await);
    {
        let mut given_up = pin!(client.copy_in::<_, Bytes>("COPY bulk FROM STDIN").await?);
        given_up.send(Bytes::from_static(b"1\tfine\n")).await?;
    }
    simple(client, "bulk", "SELECT count(*), md5(string_agg(t, '' ORDER BY i)) FROM bulk").await;
    Ok(())
}

async fn cancels(client: &Client, notifications: &mut mpsc::UnboundedReceiver<String>) -> anyhow::Result<()> {
    let token = client.cancel_token();
    let canceller = tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_millis(200)).await;
            if let Ok(tls) = tls() {
                let _ = token.cancel_query(tls).await;
            }
        }
    });
    simple(client, "cancelled", "SELECT pg_sleep(60)").await;
    canceller.abort();
    // One more cancel may be on its way.
    for _ in 0..10 {
        if client.simple_query("SELECT pg_sleep(0.1)").await.is_ok() {
            say("after cancel", "alive");
            break;
        }
    }
    client.batch_execute("LISTEN news; NOTIFY news, 'hello ü'").await?;
    say("notify", notifications.recv().await.context("no notification")?);
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let config = config()?;
    let (mut client, mut notifications, task) = connect(&config).await?;
    data(&client).await?;
    errors(&mut client).await?;
    copies(&client).await?;
    cancels(&client, &mut notifications).await?;
    client.batch_execute("SET client_min_messages = warning; DROP SCHEMA tour CASCADE").await?;
    drop(client);
    task.await?;
    let nowhere = config.clone().dbname("nowhere").connect(tls()?).await;
    told("no such database", nowhere.map(|_| ()));
    Ok(())
}
