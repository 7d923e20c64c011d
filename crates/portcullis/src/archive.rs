//! The gate's own spool as the archive that the control plane reads.

use std::path::PathBuf;

use portcullis_control::archive::{Archive, ArchiveError, Events, Recorded};
use portcullis_runtime::recording::read::{self, Reader};
use portcullis_runtime::recording::{mark, numbers, path_of};

/// The recordings of a folder.
pub(crate) struct SpoolArchive(pub(crate) PathBuf);

fn failed(why: impl std::fmt::Display) -> ArchiveError {
    ArchiveError(why.to_string())
}

impl Archive for SpoolArchive {
    fn numbers(&self, first: u64) -> Result<Vec<u64>, ArchiveError> {
        numbers(&self.0, first).map_err(failed)
    }

    fn mark(&self, number: u64) -> [u64; 3] {
        mark(&self.0, number)
    }

    fn open(&self, number: u64) -> Result<Box<dyn Events>, ArchiveError> {
        Ok(Box::new(FromSpool(read::open(&path_of(&self.0, number)).map_err(failed)?)))
    }
}

struct FromSpool(Reader<'static>);

impl Events for FromSpool {
    fn next(&mut self) -> Option<Result<Recorded, ArchiveError>> {
        let line = self.0.next()?;
        Some(line.map_err(failed).map(|line| Recorded { seq: line.seq, at: line.at, json: line.json().to_owned() }))
    }

    fn again(&mut self) -> Result<(), ArchiveError> {
        self.0.again().map_err(failed)
    }

    fn is_complete(&self) -> bool {
        self.0.end().complete
    }
}
