//! The sessions of a folder, one summary each, and the way from a session's id to its recording.

use std::collections::btree_map::IntoKeys;
use std::path::{Path, PathBuf};

use portcullis_core::identity::Identity;
use portcullis_core::recording::Event;

use super::damage::ReadError;
use super::directory::{Directory, Files, Slot, number_in};
use super::read::{self, Line};

/// What a recording says of its session.
#[derive(Debug, Clone)]
pub struct Summary {
    /// The path to give to [`read::open`](super::read::open).
    pub path: PathBuf,
    /// The session's number in this folder.
    pub number: u64,
    /// The session's id; empty if the recording does not begin as it should.
    pub id: String,
    /// Who it was.
    pub identity: Option<Identity>,
    /// The protocol's name.
    pub protocol: String,
    /// The target's name.
    pub target: String,
    /// The client's address.
    pub client: String,
    /// What the client called itself.
    pub application: String,
    /// When it opened, in microseconds since 1970-01-01 UTC.
    pub opened: u64,
    /// When it closed; `None` while it is open, or if the gate died.
    pub closed: Option<u64>,
    /// Why it closed.
    pub reason: String,
    /// Operations that were asked.
    pub operations: u64,
    /// Operations that policy denied.
    pub denied: u64,
    /// Whether the gate died during the session.
    pub recovered: bool,
    /// Why the recording could not be read to its end.
    pub problem: Option<String>,
}

/// The summaries of a folder's sessions, in the order in which they opened. Each recording is read
/// as its turn comes.
pub struct Summaries {
    directory: Directory,
    numbers: IntoKeys<u64, Files>,
}

/// Summarises every session of a folder.
pub fn list(dir: &Path) -> Result<Summaries, ReadError> {
    let directory = Directory(dir.to_owned());
    let sessions = directory.sessions().map_err(|why| ReadError::io(dir, why))?;
    Ok(Summaries { directory, numbers: sessions.into_keys() })
}

/// The recording of a session, by its id or its number: `gate-0000000017`, `17`. `None` if the folder
/// has no such session. The name of the gate is not compared.
pub fn find(dir: &Path, id: &str) -> Result<Option<PathBuf>, ReadError> {
    let directory = Directory(dir.to_owned());
    let sessions = directory.sessions().map_err(|why| ReadError::io(dir, why))?;
    Ok(number_in(id).filter(|number| sessions.contains_key(number)).map(|number| directory.sealed(number)))
}

/// The numbers of the sessions of a folder, from `first` on, in order.
pub fn numbers(dir: &Path, first: u64) -> Result<Vec<u64>, ReadError> {
    let sessions = Directory(dir.to_owned()).sessions().map_err(|why| ReadError::io(dir, why))?;
    Ok(sessions.range(first..).map(|(number, _)| *number).collect())
}

/// Something that differs whenever there is more to read of a session: the sizes of its three files.
pub fn mark(dir: &Path, number: u64) -> [u64; 3] {
    let directory = Directory(dir.to_owned());
    let [a, b] = Slot::BOTH.map(|slot| directory.tail(number, slot));
    // A file that is not there, or that cannot be looked at, has nothing to read.
    [directory.sealed(number), a, b].map(|path| std::fs::metadata(path).map_or(0, |found| found.len()))
}

/// The path of a session's recording, by its number.
pub fn path_of(dir: &Path, number: u64) -> PathBuf {
    Directory(dir.to_owned()).sealed(number)
}

impl Iterator for Summaries {
    type Item = Summary;

    fn next(&mut self) -> Option<Summary> {
        let number = self.numbers.next()?;
        Some(summarise(self.directory.sealed(number), number))
    }
}

/// Reads one recording and says what is in it.
fn summarise(path: PathBuf, number: u64) -> Summary {
    let mut summary = Summary {
        number,
        id: String::new(),
        identity: None,
        protocol: String::new(),
        target: String::new(),
        client: String::new(),
        application: String::new(),
        opened: 0,
        closed: None,
        reason: String::new(),
        operations: 0,
        denied: 0,
        recovered: false,
        problem: None,
        path,
    };
    let read = read::open(&summary.path)
        .and_then(|mut reader| reader.try_for_each(|line| line.map(|line| summary.add(&line))));
    summary.problem = read.err().map(|why| why.to_string());
    summary
}

impl Summary {
    fn add(&mut self, line: &Line) {
        match line.event() {
            Ok(Event::Opened { session, protocol, target, client, application, identity }) => {
                self.id = session.into_owned();
                self.protocol = protocol.into_owned();
                self.target = target.into_owned();
                self.client = client.into_owned();
                self.application = application.into_owned();
                self.identity = Some(identity.into_owned());
                self.opened = line.at;
            }
            Ok(Event::Operation { .. }) => self.operations = self.operations.saturating_add(1),
            Ok(Event::Decision { decision, .. }) if decision == "deny" => self.denied = self.denied.saturating_add(1),
            Ok(Event::Recovered { .. }) => self.recovered = true,
            Ok(Event::Closed { reason, .. }) => {
                self.closed = Some(line.at);
                self.reason = reason.into_owned();
            }
            // Events that say nothing about the session as a whole, and those of later versions.
            Ok(_) | Err(_) => {}
        }
    }
}
