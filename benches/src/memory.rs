//! The gate's memory: idle sessions, held statements, a large result, a large COPY in.
//!
//! Resident memory is sampled all the while; a table shows where it was before, at most and after.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use portcullis_testkit::issuer::Issuer;
use portcullis_testkit::servers::{Gate, Postgres, Version};

use crate::leg::ClientLeg;
use crate::machine;
use crate::process::resident;
use crate::scene::{PERSON, start_gate, token, token_of};
use crate::wire::{Client, Login, trusting};

/// Threads that open sessions.
const OPENERS: usize = 8;
const SAMPLE: Duration = Duration::from_millis(20);
/// How long memory is watched after the work is done.
const SETTLE: Duration = Duration::from_secs(2);
/// How long the client stops reading in the middle of a result.
const PAUSE: Duration = Duration::from_secs(2);
/// Bytes in a row of the large results.
const ROW: usize = 1_000;
/// Rows in one `CopyData` message.
const ROWS_AT_ONCE: usize = 64;

/// Who holds statements; a control plane takes so many from each.
const HOLDERS: usize = 20;
/// Bytes of a statement that is held.
const STATEMENT: usize = 1_024;

/// How much is done.
struct Amounts {
    sessions: usize,
    held: usize,
    megabytes: usize,
}

/// Resident memory in KiB over one piece of work.
#[derive(Debug, Clone, Copy)]
struct Memory {
    before: u64,
    most: u64,
    after: u64,
    taken: Duration,
}

/// Measures everything and returns the section's text.
pub(crate) fn measure(quick: bool) -> anyhow::Result<String> {
    let amounts = if quick {
        Amounts { sessions: 200, held: 100, megabytes: 200 }
    } else {
        Amounts { sessions: 2_000, held: 1_000, megabytes: 2_000 }
    };
    let postgres = Postgres::start_with(
        Version::V18,
        &[("max_connections", "2200"), ("wal_level", "minimal"), ("max_wal_senders", "0")],
    )?;
    prepare(&postgres)?;
    let issuer = Issuer::start_blocking()?;
    let gate = start_gate(&issuer, &postgres)?;
    let about = machine::describe(&gate, &postgres)?;
    drop(gate);
    let mut rows = Vec::new();
    for leg in ClientLeg::ALL {
        rows.extend(idle(&issuer, &postgres, leg, amounts.sessions)?);
        rows.extend(held(&issuer, &postgres, leg, amounts.held)?);
        rows.extend(bulk(&issuer, &postgres, leg, amounts.megabytes)?);
    }
    let head = "| client leg | what | before | at most | after | took |\n|---|---|---|---|---|---|";
    let note = "Resident memory of the gate, sampled 50 times a second. Each idle session has run one statement; \
                a held statement is counted beside its session, with the ask that the control plane keeps of it; \
                the client of the large result stops reading for two seconds in its middle.";
    Ok(format!("{about}\n\n{head}\n{}\n\n{note}", rows.join("\n")))
}

/// Opens sessions that stay open until all are.
fn idle(issuer: &Issuer, postgres: &Postgres, leg: ClientLeg, sessions: usize) -> anyhow::Result<Vec<String>> {
    println!("{sessions} idle sessions ({leg})");
    let gate = start_gate(issuer, postgres)?;
    let login = login(&gate, issuer, leg)?;
    // What the first session brings about is not counted to any session.
    open(&login)?;
    let mut held = Vec::new();
    let memory = watch(&gate, || {
        held = open_many(&login, sessions)?;
        Ok(())
    })?;
    let each = memory.each(held.len());
    let what = format!("{} idle sessions: {each:.1} KiB each", held.len());
    Ok(vec![memory.row(leg, &what)])
}

/// Sessions that each wait for humans with a statement of their own.
fn held(issuer: &Issuer, postgres: &Postgres, leg: ClientLeg, count: usize) -> anyhow::Result<Vec<String>> {
    println!("{count} held statements ({leg})");
    let gate = start_gate(issuer, postgres)?;
    let mut login = login(&gate, issuer, leg)?;
    let mut waiting = Vec::with_capacity(count);
    for holder in 0..HOLDERS {
        login.password = token_of(issuer, &format!("{PERSON}-{holder}"));
        waiting.extend(open_many(&login, count / HOLDERS)?);
    }
    // What the first ask brings about is not counted to any.
    let [first, waiting @ ..] = waiting.as_mut_slice() else { return Ok(Vec::new()) };
    first.begin_held(&statement(count))?;
    let memory = watch(&gate, || {
        waiting.iter_mut().enumerate().try_for_each(|(number, client)| client.begin_held(&statement(number)))
    })?;
    let each = memory.each(waiting.len());
    Ok(vec![memory.row(leg, &format!("{} held statements of {STATEMENT} bytes: {each:.1} KiB each", waiting.len()))])
}

/// A write without a condition, which the sample policies ask two humans about.
fn statement(number: usize) -> String {
    let begin = format!("delete from sink /* {number} ");
    let padding = STATEMENT.saturating_sub(begin.len() + 2);
    begin + &"x".repeat(padding) + "*/"
}

fn open_many(login: &Login, sessions: usize) -> anyhow::Result<Vec<Client>> {
    let share = |opener: usize| sessions / OPENERS + usize::from(opener < sessions % OPENERS);
    thread::scope(|scope| {
        let openers: Vec<_> = (0..OPENERS)
            .map(|opener| scope.spawn(move || (0..share(opener)).map(|_| open(login)).collect::<Result<Vec<_>, _>>()))
            .collect();
        let mut clients = Vec::with_capacity(sessions);
        for opener in openers {
            clients.extend(opener.join().map_err(|_| anyhow!("a thread that opens sessions panicked"))??);
        }
        Ok(clients)
    })
}

fn open(login: &Login) -> anyhow::Result<Client> {
    let mut client = Client::connect(login)?;
    client.run("select 1", |_| ())?;
    Ok(client)
}

/// A large result by SELECT, and a large COPY in.
fn bulk(issuer: &Issuer, postgres: &Postgres, leg: ClientLeg, megabytes: usize) -> anyhow::Result<Vec<String>> {
    let gate = start_gate(issuer, postgres)?;
    let mut client = open(&login(&gate, issuer, leg)?)?;
    let rows = megabytes * 1_000_000 / ROW;
    println!("a result of {megabytes} MB ({leg})");
    let select = format!("select repeat('x', {ROW}) from generate_series(1, {rows})");
    let half = u64::try_from(rows * ROW / 2)?;
    let mut paused = false;
    let mut bytes = 0;
    let out = watch(&gate, || {
        bytes = client.run(&select, |so_far| {
            if so_far > half && !paused {
                paused = true;
                sleep(PAUSE);
            }
        })?;
        Ok(())
    })?;
    println!("a COPY of {megabytes} MB ({leg})");
    let line = ["x".repeat(ROW - 1).as_str(), "\n"].concat();
    let piece = line.repeat(ROWS_AT_ONCE);
    let into = watch(&gate, || client.feed("copy sink from stdin", piece.as_bytes(), rows / ROWS_AT_ONCE))?;
    let fed = piece.len() * (rows / ROWS_AT_ONCE);
    Ok(vec![
        out.row(leg, &format!("a result of {:.2} GB", gigabytes(bytes))),
        into.row(leg, &format!("a COPY FROM STDIN of {:.2} GB", gigabytes(u64::try_from(fed)?))),
    ])
}

/// Does `work` while the gate's memory is sampled.
fn watch(gate: &Gate, work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<Memory> {
    let process = gate.process_id();
    let before = resident(process)?;
    let (most, done) = (AtomicU64::new(before), AtomicBool::new(false));
    let begun = Instant::now();
    let (worked, taken) = thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                most.fetch_max(resident(process).unwrap_or(0), Ordering::Relaxed);
                sleep(SAMPLE);
            }
        });
        let worked = work();
        let taken = begun.elapsed();
        sleep(SETTLE);
        done.store(true, Ordering::Relaxed);
        (worked, taken)
    });
    worked.with_context(|| format!("the gate's log:\n{}", gate.log()))?;
    let after = resident(process)?;
    Ok(Memory { before, most: most.into_inner().max(after), after, taken })
}

impl Memory {
    /// KiB that one of `count` brought about.
    fn each(self, count: usize) -> f64 {
        kibibytes_each(self.after.saturating_sub(self.before), count)
    }

    fn row(self, leg: ClientLeg, what: &str) -> String {
        let [before, most, after] = [self.before, self.most, self.after].map(mebibytes);
        let taken = self.taken.as_secs_f64();
        let row = format!("| {leg} | {what} | {before:.1} MiB | {most:.1} MiB | {after:.1} MiB | {taken:.1} s |");
        println!("  {row}");
        row
    }
}

fn login(gate: &Gate, issuer: &Issuer, leg: ClientLeg) -> anyhow::Result<Login> {
    let tls = match leg {
        ClientLeg::Plain => None,
        ClientLeg::Tls => Some(trusting(&gate.authority())?),
    };
    let database = Postgres::DATABASE.to_owned();
    Ok(Login { port: gate.port("shop")?, user: PERSON.to_owned(), password: token(issuer), database, tls })
}

/// A table that takes every row and keeps none.
fn prepare(postgres: &Postgres) -> anyhow::Result<()> {
    postgres.sql_as_app(
        "create table sink (line text);
         create function forget() returns trigger language plpgsql as 'begin return null; end';
         create trigger forget before insert on sink for each row execute function forget();",
    )?;
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn mebibytes(kibibytes: u64) -> f64 {
    kibibytes as f64 / 1024.0
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn gigabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e9
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn kibibytes_each(kibibytes: u64, count: usize) -> f64 {
    kibibytes as f64 / count.max(1) as f64
}
