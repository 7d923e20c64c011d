//! The spool's folder: the names of its files, and the lock that keeps a second gate out.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The name of the checkpoint log.
const LOG: &str = "checkpoints";
/// The end of a sealed recording's name.
const SEALED: &str = "rec";

/// Which of a session's two tails: while one is sealed, the other is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    A,
    B,
}

impl Slot {
    /// Both.
    pub(super) const BOTH: [Self; 2] = [Self::A, Self::B];

    pub(super) const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    const fn extension(self) -> &'static str {
        match self {
            Self::A => "tail-a",
            Self::B => "tail-b",
        }
    }
}

/// The folder of a spool.
#[derive(Debug, Clone)]
pub(super) struct Directory(pub(super) PathBuf);

/// Which files there are of one session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Files {
    pub(super) sealed: bool,
    pub(super) tail: bool,
}

impl Directory {
    /// Makes the folder if it is missing.
    pub(super) fn make(&self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.0)
    }

    /// Locks the folder for as long as the returned file is open. `None` if a gate has it.
    pub(super) fn lock(&self) -> io::Result<Option<File>> {
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(self.0.join("lock"))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(why)) => Err(why),
        }
    }

    pub(super) fn key(&self) -> PathBuf {
        self.0.join("key")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.0.join(LOG)
    }

    /// How the name of a free tail file begins.
    pub(super) const FREE: &str = "free-";

    pub(super) fn free(&self, number: u64) -> PathBuf {
        self.0.join(format!("{}{number}", Self::FREE))
    }

    pub(super) fn sealed(&self, session: u64) -> PathBuf {
        self.0.join(format!("{session:010}.{SEALED}"))
    }

    pub(super) fn tail(&self, session: u64, slot: Slot) -> PathBuf {
        tail_of(&self.sealed(session), slot)
    }

    /// Makes the names of new files survive the death of the machine.
    pub(super) fn sync(&self) -> io::Result<()> {
        File::open(&self.0)?.sync_all()
    }

    /// Brings everything on the folder's file system to disk.
    pub(super) fn sync_file_system(&self) -> io::Result<()> {
        Ok(rustix::fs::syncfs(File::open(&self.0)?)?)
    }

    /// The sessions that have files here, by number.
    pub(super) fn sessions(&self) -> io::Result<BTreeMap<u64, Files>> {
        let mut found: BTreeMap<u64, Files> = BTreeMap::new();
        for entry in fs::read_dir(&self.0)? {
            let name = entry?.file_name();
            let Some((number, extension)) = name.to_str().and_then(split) else { continue };
            let files = found.entry(number).or_default();
            if extension == SEALED {
                files.sealed = true;
            } else {
                files.tail = true;
            }
        }
        Ok(found)
    }

    /// The bytes of all files here.
    pub(super) fn bytes(&self) -> io::Result<u64> {
        let mut sum = 0_u64;
        for entry in fs::read_dir(&self.0)? {
            match entry?.metadata() {
                Ok(found) if found.is_file() => sum = sum.saturating_add(found.len()),
                // Sealing may have removed it since.
                Ok(_) | Err(_) => {}
            }
        }
        Ok(sum)
    }
}

/// The session's number, if this is the path of a session's file.
pub(super) fn number_at(path: &Path) -> Option<u64> {
    path.file_name().and_then(|name| name.to_str()).and_then(split).map(|(number, _)| number)
}

/// The tail beside a sealed recording.
pub(super) fn tail_of(sealed: &Path, slot: Slot) -> PathBuf {
    sealed.with_extension(slot.extension())
}

/// The checkpoint log beside a recording.
pub(super) fn log_beside(recording: &Path) -> PathBuf {
    recording.with_file_name(LOG)
}

/// A session's number and the end of its name, if this is the name of a session's file.
fn split(name: &str) -> Option<(u64, &str)> {
    let (number, extension) = name.split_once('.')?;
    let known = extension == SEALED || Slot::BOTH.iter().any(|slot| slot.extension() == extension);
    let digits = number.len() >= 10 && number.bytes().all(|byte| byte.is_ascii_digit());
    if !known || !digits {
        return None;
    }
    number.parse().ok().filter(|number| *number > 0).map(|number| (number, extension))
}

/// A session's id: the gate's name and the session's number.
pub(super) fn id(gate: &str, session: u64) -> String {
    format!("{gate}-{session:010}")
}

/// The number in a session's id, or in what people write for it: `gate-0000000017`, `17`.
pub(super) fn number_in(id: &str) -> Option<u64> {
    let digits = id.rsplit_once('-').map_or(id, |(_, number)| number);
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten().filter(|number| *number > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart() {
        for (name, expected) in [
            ("0000000017.rec", Some((17, "rec"))),
            ("0000000017.tail-b", Some((17, "tail-b"))),
            ("99999999999.rec", Some((99_999_999_999, "rec"))),
            ("0000000000.rec", None),
            ("17.rec", None),
            ("0000000017.rec.bak", None),
            ("checkpoints", None),
        ] {
            assert_eq!(split(name), expected, "{name}");
        }
    }

    #[test]
    fn ids_are_read_with_and_without_the_gate() {
        for (id, number) in
            [("eu-1-0000000017", Some(17)), ("0000000017", Some(17)), ("17", Some(17)), ("x", None), ("eu-", None)]
        {
            assert_eq!(number_in(id), number, "{id}");
        }
        assert_eq!(number_in(&id("eu-1", 17)), Some(17));
    }

    #[test]
    fn only_one_gate_has_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let directory = Directory(dir.path().to_owned());
        let held = directory.lock().unwrap();
        assert!(held.is_some());
        assert!(directory.lock().unwrap().is_none());
        drop(held);
        assert!(directory.lock().unwrap().is_some());
    }
}
