//! The gate's own spool as the archive that the control plane reads.

use std::fs::File;
use std::io::{self, Read, Take};
use std::path::{Path, PathBuf};

use portcullis_control::archive::{Archive, ArchiveError, Events, Form, FormError, Pieces, Recorded};
use portcullis_runtime::recording::export::{Export, ExportError, Format};
use portcullis_runtime::recording::read::{self, Reader};
use portcullis_runtime::recording::{mark, numbers, path_of};

/// How many bytes of a sealed file are read together.
const PIECE: usize = 64 << 10;

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

    fn take(&self, number: u64, form: Form, op: Option<u64>) -> Result<Pieces, FormError> {
        let path = path_of(&self.0, number);
        let format = match form {
            Form::Sealed => return sealed(&path),
            Form::Jsonl => Format::Jsonl,
            Form::Asciicast => Format::Asciicast,
            Form::AsciicastV3 => Format::AsciicastV3,
            Form::Ocsf => Format::Ocsf,
        };
        let reader = read::open(&path).map_err(failed)?;
        match Export::begin(reader, format, op) {
            Ok(export) => Ok(Box::new(export.map(|piece| piece.map_err(failed)))),
            Err(ExportError::Read(why)) => Err(failed(why).into()),
            Err(why @ (ExportError::NoTerminal | ExportError::NoTerminalOf(_) | ExportError::NotPlayed)) => {
                Err(FormError::NoTerminal(why.to_string()))
            }
        }
    }
}

/// The bytes of a file as it is now; it may grow meanwhile.
fn sealed(path: &Path) -> Result<Pieces, FormError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Err(FormError::NotSealed),
        Err(why) => return Err(failed(why).into()),
    };
    let length = file.metadata().map_err(failed)?.len();
    Ok(Box::new(Bytes(file.take(length))))
}

struct Bytes(Take<File>);

impl Iterator for Bytes {
    type Item = Result<Vec<u8>, ArchiveError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut piece = Vec::with_capacity(PIECE);
        match self.0.by_ref().take(PIECE as u64).read_to_end(&mut piece) {
            Ok(0) => None,
            Ok(_) => Some(Ok(piece)),
            Err(why) => Some(Err(failed(why))),
        }
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

#[cfg(test)]
mod tests {
    use portcullis_control::archive::{Archive, Form, FormError};

    use super::{PIECE, SpoolArchive};

    #[test]
    fn sealed_recording_is_taken_byte_for_byte() {
        let folder = tempfile::tempdir().unwrap();
        let archive = SpoolArchive(folder.path().to_owned());
        assert!(matches!(archive.take(1, Form::Sealed, None), Err(FormError::NotSealed)));
        let bytes: Vec<u8> = (0..3 * PIECE + 7).map(|at| u8::try_from(at % 251).unwrap()).collect();
        std::fs::write(folder.path().join("0000000001.rec"), &bytes).unwrap();
        let pieces = archive.take(1, Form::Sealed, None).unwrap();
        // What is written meanwhile is for whoever comes next.
        let written = std::fs::OpenOptions::new().append(true).open(folder.path().join("0000000001.rec"));
        std::io::Write::write_all(&mut written.unwrap(), b"more").unwrap();
        let taken: Vec<Vec<u8>> = pieces.map(Result::unwrap).collect();
        assert!(taken.len() == 4 && taken.concat() == bytes);
        // A file that is no recording can be taken as it is, but is nothing else.
        assert!(matches!(archive.take(1, Form::Ocsf, None).map(|mut pieces| pieces.next()), Err(_) | Ok(Some(Err(_)))));
    }
}
