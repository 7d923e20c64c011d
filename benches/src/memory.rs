//! The gate's memory: many idle sessions, and streams that are larger than it may ever hold.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, ensure};
use bytes::Bytes;
use futures::{SinkExt, StreamExt, TryStreamExt};
use portcullis_testkit::issuer::Issuer;
use portcullis_testkit::servers::{Gate, Postgres, Version};
use rustix::process::{Resource, getrlimit, setrlimit};

use crate::arena::{self, Between, Leg};
use crate::client::connect;
use crate::machine::resident;
use crate::measure::Plan;
use crate::streams::select;

const SAMPLE: Duration = Duration::from_millis(20);
/// Connections that are opened at a time.
const OPENING: usize = 8;
/// A row of the streams, in bytes.
const ROW: u32 = 1000;

/// All figures in bytes.
#[derive(Debug)]
pub(crate) struct Memory {
    pub(crate) sessions: u32,
    pub(crate) idle_plain: u64,
    pub(crate) idle_tls: u64,
    pub(crate) select: Stream,
    pub(crate) copy_in: Stream,
}

/// The gate's memory around one stream.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) megabytes: u32,
    pub(crate) before: u64,
    pub(crate) most: u64,
}

pub(crate) fn run(plan: Plan) -> anyhow::Result<Memory> {
    raise_file_limit()?;
    let connections = (plan.sessions + 50).to_string();
    let settings = [("max_connections", connections.as_str()), ("shared_buffers", "'64MB'")];
    let postgres = Postgres::start_with(Version::V18, &settings)?;
    postgres.sql_as_app("CREATE UNLOGGED TABLE taken (text text)")?;
    let issuer = Issuer::start_blocking()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let on = |way: Way| -> anyhow::Result<(Gate, Leg)> {
        let gate = arena::gate(&issuer, &postgres)?;
        let authority = (way == Way::Tls).then(|| gate.authority());
        let port = gate.port("shop")?;
        let password = arena::token(&issuer);
        Ok((gate, Leg { between: Between::Gate, port, password, authority, direct_tls: false }))
    };
    let idle = |way| {
        println!("bench: {} idle sessions, {way:?}", plan.sessions);
        let (gate, leg) = on(way)?;
        runtime.block_on(idle(&gate, &leg, plan.sessions))
    };
    let (idle_plain, idle_tls) = (idle(Way::Plain)?, idle(Way::Tls)?);
    println!("bench: streams of {} MB", plan.stream_mb);
    let (gate, leg) = on(Way::Plain)?;
    let select = watch(&gate, plan.stream_mb, || runtime.block_on(read(&leg, plan.stream_mb)))?;
    let copy_in = watch(&gate, plan.stream_mb, || runtime.block_on(copy(&leg, plan.stream_mb)))?;
    Ok(Memory { sessions: plan.sessions, idle_plain, idle_tls, select, copy_in })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Plain,
    Tls,
}

/// The gate's memory for each of `count` sessions that have run a statement and now idle.
async fn idle(gate: &Gate, leg: &Leg, count: u32) -> anyhow::Result<u64> {
    // The first session pays for what all share.
    let first = connect(leg).await?;
    first.query("SELECT count(*) FROM taken", &[]).await?;
    let before = resident(gate.process_id())?;
    let opening = futures::stream::iter(0..count).map(|_| async {
        let client = connect(leg).await?;
        client.query("SELECT count(*) FROM taken", &[]).await?;
        anyhow::Ok(client)
    });
    let clients: Vec<_> = opening.buffer_unordered(OPENING).try_collect().await?;
    // Two checkpoints of the recorder, so that what it still writes is written.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let after = resident(gate.process_id())?;
    ensure!(clients.iter().all(|client| !client.is_closed()), "a session did not stay:\n{}", gate.log());
    Ok(after.saturating_sub(before) / u64::from(count))
}

async fn read(leg: &Leg, megabytes: u32) -> anyhow::Result<()> {
    let rows = megabytes * (1_000_000 / ROW);
    let sql = format!("SELECT repeat('x', {ROW}) FROM generate_series(1, {rows})");
    let read = select(&connect(leg).await?, &sql).await?;
    ensure!(read == u64::from(rows), "read {read} rows of {rows}");
    Ok(())
}

async fn copy(leg: &Leg, megabytes: u32) -> anyhow::Result<()> {
    let client = connect(leg).await?;
    // PostgreSQL reads every row and keeps none, so that no disk is measured.
    let mut sink = std::pin::pin!(client.copy_in::<_, Bytes>("COPY taken FROM STDIN WHERE text = 'never'").await?);
    let megabyte: String = std::iter::repeat_n("x".repeat(ROW as usize - 1) + "\n", 1_000_000 / ROW as usize).collect();
    let megabyte = Bytes::from(megabyte);
    for _ in 0..megabytes {
        sink.send(megabyte.clone()).await?;
    }
    sink.as_mut().finish().await?;
    Ok(())
}

/// Samples the gate's memory while `work` runs.
fn watch(gate: &Gate, megabytes: u32, work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<Stream> {
    let process = gate.process_id();
    let before = resident(process)?;
    let most = Arc::new(AtomicU64::new(before));
    let done = Arc::new(AtomicBool::new(false));
    let sampler = thread::spawn({
        let (most, done) = (Arc::clone(&most), Arc::clone(&done));
        move || {
            while !done.load(Ordering::Relaxed) {
                most.fetch_max(resident(process).unwrap_or_default(), Ordering::Relaxed);
                thread::sleep(SAMPLE);
            }
        }
    });
    let result = work();
    done.store(true, Ordering::Relaxed);
    sampler.join().ok().context("the sampler failed")?;
    result?;
    Ok(Stream { megabytes, before, most: most.load(Ordering::Relaxed) })
}

/// Every session is two sockets in the gate and one here.
fn raise_file_limit() -> anyhow::Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).context("cannot raise the limit of open files")
}
