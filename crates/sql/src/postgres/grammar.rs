//! PostgreSQL's own grammar: the one file that knows which parser that is.
//!
//! The parser is `pg_query`. All of the process's texts are parsed on one thread of this file's
//! own, because the C library inside
//! - recurses, so it needs a stack that its own depth check (2 MiB, or 10,000 levels) runs into
//!   before the stack ends, and decoding its tree recurses as deep;
//! - points the process's standard error elsewhere while it parses, so two parses at a time could
//!   leave it there;
//! - takes one of the process's 1,024 thread-specific keys for every thread that calls it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use pg_query::ParserOptions;
use pg_query::protobuf::RawStmt;

use super::Settings;

/// The parser thread's stack. 10,000 levels take less than half of it in a build without
/// optimisation; what is not used is never committed.
const STACK: usize = 256 << 20;

/// How many texts may wait for the parser before their senders wait to be let in.
const QUEUE: usize = 64;

/// PostgreSQL's grammar does not know the text, or could not read it within its bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotUnderstood;

type Job = Box<dyn FnOnce() + Send>;

/// Says that one is on the parser's thread, and parses there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parser(());

impl Parser {
    /// Parses a further text while another one is read.
    pub(crate) fn parse(self, text: &str, settings: Settings) -> Result<Vec<RawStmt>, NotUnderstood> {
        let parsed = pg_query::parse(text, options(settings)).map_err(|_| NotUnderstood)?;
        Ok(parsed.protobuf.stmts)
    }
}

/// Parses `text` and gives the statements to `read`, whose answer is the answer. `read` runs on
/// the parser's thread, so it may recurse as deep as the tree.
pub(crate) fn parse<T: Send + 'static>(
    text: &str,
    settings: Settings,
    read: impl FnOnce(&[RawStmt]) -> T + Send + 'static,
) -> Result<T, NotUnderstood> {
    parse_with(text, settings, |_, statements| read(statements))
}

/// As [`parse`], for a reading that has to parse more texts, such as the definitions of views.
pub(crate) fn parse_with<T: Send + 'static>(
    text: &str,
    settings: Settings,
    read: impl FnOnce(Parser, &[RawStmt]) -> T + Send + 'static,
) -> Result<T, NotUnderstood> {
    let text = text.to_owned();
    on_parser_thread(move || Ok(read(Parser(()), &Parser(()).parse(&text, settings)?)))?
}

fn options(settings: Settings) -> ParserOptions {
    match settings.standard_conforming_strings {
        true => ParserOptions::DEFAULT,
        false => ParserOptions::DISABLE_STANDARD_CONFORMING_STRINGS,
    }
}

/// Runs `work` on the parser's thread and waits for it. A panic there is an error here.
fn on_parser_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, NotUnderstood> {
    static PARSER: OnceLock<Option<SyncSender<Job>>> = OnceLock::new();
    let parser = PARSER.get_or_init(start).as_ref().ok_or(NotUnderstood)?;
    let (answer, answered) = sync_channel(1);
    let job = move || {
        if let Ok(found) = catch_unwind(AssertUnwindSafe(work)) {
            let _asker_is_gone = answer.send(found);
        }
    };
    parser.send(Box::new(job)).map_err(|_| NotUnderstood)?;
    answered.recv().map_err(|_| NotUnderstood)
}

fn start() -> Option<SyncSender<Job>> {
    let (parser, jobs) = sync_channel::<Job>(QUEUE);
    let work = move || work(&jobs);
    thread::Builder::new().name("sql parser".into()).stack_size(STACK).spawn(work).ok().map(|_| parser)
}

fn work(jobs: &Receiver<Job>) {
    while let Ok(job) = jobs.recv() {
        job();
    }
}
