//! Recovery: the recordings of a gate that died are completed from their tails, marked and sealed.
//! It may be cut off at any point and begun again. What looks altered is left as it is.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::Path;

use portcullis_core::clock::unix_micros;
use portcullis_core::recording::Event;

use super::checkpoint::Entry;
use super::damage::ReadError;
use super::directory::{Files, Slot};
use super::format::{LAST, RECOVERED};
use super::health::count;
use super::ledger::Past;
use super::packer::{self, Output, Packer, Sealed};
use super::shared::Shared;
use super::spool::SpoolError;
use super::tail::{self, FRAME};
use super::tails::Tails;
use super::walk::{Step, Walk};

/// Completes what needs it. Yields what the next checkpoint is to vouch for, and the number of the
/// next session.
pub(super) fn recover(shared: &Shared, past: &Past) -> Result<(Vec<Entry>, u64), SpoolError> {
    let mut packer = Packer::new(usize::try_from(shared.segment_bytes).unwrap_or(usize::MAX))?;
    let mut entries = Vec::new();
    let sessions = shared.directory.sessions()?;
    let highest = sessions.keys().next_back().copied().unwrap_or(0);
    let next = past.next_session.max(highest.saturating_add(1));
    for (session, files) in sessions {
        let known = past.entries.get(&session);
        if is_done(shared, session, files, known)? {
            continue;
        }
        match one(shared, session, known, &mut packer)? {
            Ok(sealed) if known.is_none_or(|known| known.size != sealed.len) => {
                entries.push(Entry { session, size: sealed.len, closed: sealed.finished, chain: sealed.chain });
            }
            Ok(_) => {}
            Err(what) => {
                count(&shared.health.quarantined);
                tracing::error!(session, %what, "a recording was altered or damaged; it is left as it is");
            }
        }
    }
    Ok((entries, next))
}

/// Whether a recording was complete and signed when the gate died, as most are.
fn is_done(shared: &Shared, session: u64, files: Files, known: Option<&Entry>) -> io::Result<bool> {
    match known {
        Some(known) if known.closed && files.sealed && !files.tail => {
            Ok(fs::metadata(shared.directory.sealed(session))?.len() == known.size)
        }
        _ => Ok(false),
    }
}

/// Completes one recording. The inner error says why it must not be touched.
fn one(
    shared: &Shared,
    session: u64,
    known: Option<&Entry>,
    packer: &mut Packer,
) -> Result<Result<Sealed, String>, SpoolError> {
    let path = shared.directory.sealed(session);
    let (sealed, cut) = match sealed_part(shared, session, &path, known)? {
        Ok(found) => found,
        Err(what) => return Ok(Err(what)),
    };
    let sealed = if sealed.finished { sealed } else { complete(shared, session, sealed, cut, packer)? };
    for slot in Slot::BOTH {
        match fs::remove_file(shared.directory.tail(session, slot)) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why.into()),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(Ok(sealed))
}

/// What of a recording is sealed and good, and how many bytes behind that are not. Nothing that a
/// checkpoint vouches for may be among those.
fn sealed_part(
    shared: &Shared,
    session: u64,
    path: &Path,
    known: Option<&Entry>,
) -> Result<Result<(Sealed, u64), String>, SpoolError> {
    let nothing = Sealed::nothing(&shared.header(session));
    let file = match File::open(path) {
        Ok(file) => file,
        Err(why) if why.kind() == io::ErrorKind::NotFound => {
            return Ok(if known.is_some() { Err(String::from("it is gone")) } else { Ok((nothing, 0)) });
        }
        Err(why) => return Err(why.into()),
    };
    let length = file.metadata()?.len();
    let mut walk = match Walk::begin(BufReader::new(file), path.to_owned()) {
        Ok(Some(walk)) if walk.header == shared.header(session) => walk,
        Ok(None) if known.is_none() => return Ok(Ok((nothing, length))),
        Ok(_) => return Ok(Err(String::from("its header is not this gate's and this session's"))),
        Err(ReadError::Damaged(damage)) => return Ok(Err(damage.to_string())),
        Err(why) => return Err(why.into()),
    };
    let vouched = known.map_or(0, |known| known.size);
    let mut is_met = known.is_none();
    let mut raw = Vec::new();
    loop {
        match walk.next(&mut raw) {
            Ok(Step::Segment(_)) => {
                is_met |= known.is_some_and(|known| known.size == walk.sealed.len && known.chain == walk.sealed.chain);
            }
            Ok(Step::End | Step::Cut(_)) => break,
            // Behind what is vouched for, this is a write that the machine's death tore.
            Err(ReadError::Damaged(_)) if walk.sealed.len >= vouched && !walk.sealed.finished => break,
            Err(ReadError::Damaged(damage)) => return Ok(Err(damage.to_string())),
            Err(why) => return Err(why.into()),
        }
    }
    if !is_met {
        return Ok(Err(String::from("it is not what the checkpoints vouch for")));
    }
    if walk.sealed.next == 1 && !walk.sealed.finished {
        return Ok(Ok((nothing, length)));
    }
    let cut = length.saturating_sub(walk.sealed.len);
    Ok(Ok((walk.sealed, cut)))
}

/// Adds what the tails hold beyond the sealed part, and the mark of the recovery.
fn complete(
    shared: &Shared,
    session: u64,
    sealed: Sealed,
    cut: u64,
    packer: &mut Packer,
) -> Result<Sealed, SpoolError> {
    let path = shared.directory.sealed(session);
    let mut tails = Tails::open(&path)?;
    let disk = &*shared.disk;
    let file = packer::open(&path, &sealed, disk)?;
    let mut to = Output { disk, file, header: shared.header(session), flags: RECOVERED, sealed };
    packer.reset();
    let mut line = Vec::new();
    let mut continued = false;
    while let Some(seq) = tails.next(&mut line)? {
        let expected = packer.next(&to);
        if seq < expected {
            continue;
        }
        if seq > expected {
            if packer.has_lines() {
                packer.cut(&mut to, 0)?;
            }
            to.sealed.next = seq;
        }
        continued |= seq == sealed.next;
        packer.line(&mut to, &line)?;
    }
    // What was cut off is lost only if the tails did not hold it as well.
    let torn = tails.torn.saturating_add(if continued { 0 } else { cut });
    let mut mark = Vec::new();
    let at = unix_micros(shared.clock.now());
    tail::put(&mut mark, session, packer.next(&to), at, &Event::Recovered { torn }).map_err(io::Error::other)?;
    packer.line(&mut to, mark.get(FRAME..).unwrap_or_default())?;
    packer.cut(&mut to, LAST)?;
    disk.sync(&to.file)?;
    shared.directory.sync()?;
    count(&shared.health.recovered);
    tracing::warn!(session, torn, "the recording of a gate that died is recovered");
    Ok(to.sealed)
}
