//! The files of a bundle: which are read, and the revision that names their content.
//!
//! It does not know what is in them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::digest;

use super::problem::{PolicyError, PolicyErrors, Source};
use super::shown::PolicyFile;

/// Files in one bundle.
const MAX_FILES: usize = 1_000;
/// Bytes of one file.
const MAX_FILE_BYTES: u64 = 1 << 20;
/// Folders below the bundle's own.
const MAX_DEPTH: usize = 8;
/// Hexadecimal digits of the digest that name a revision.
const REVISION_DIGITS: usize = 12;

/// A bundle as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bundle {
    pub(super) sources: Vec<Source>,
    /// The start of the SHA-256 over names and texts.
    pub(super) revision: Arc<str>,
}

impl Bundle {
    /// Reads every policy file below `dir`.
    pub(super) fn read(dir: &Path) -> Result<Self, PolicyErrors> {
        let mut paths = Vec::new();
        gather(dir, 0, &mut paths)?;
        paths.sort();
        if paths.is_empty() {
            let none = PolicyError::of_file(dir.display().to_string(), "there is no `.cedar` file in this folder");
            return Err(none.into());
        }
        let mut errors = Vec::new();
        let mut sources = Vec::new();
        for path in &paths {
            match text(path) {
                Ok(text) => sources.push(Source { name: path.display().to_string().into(), text: text.into() }),
                Err(error) => errors.push(error),
            }
        }
        if !errors.is_empty() {
            return Err(PolicyErrors::ordered(errors));
        }
        let names = paths.iter().map(|path| path.strip_prefix(dir).unwrap_or(path).display().to_string());
        let revision = revision(names.zip(&sources));
        Ok(Self { sources, revision })
    }
}

impl Bundle {
    /// A bundle that came as texts.
    pub(super) fn of(files: &[PolicyFile]) -> Result<Self, PolicyErrors> {
        let wrong = |name: &str, what: &str| Err(PolicyError::of_file(name, what).into());
        if files.len() > MAX_FILES {
            return wrong("", "there are too many files for one bundle");
        }
        let mut files: Vec<_> = files.iter().collect();
        files.sort_by(|one, other| one.name.cmp(&other.name));
        for (at, file) in files.iter().enumerate() {
            if file.text.len() as u64 > MAX_FILE_BYTES {
                return wrong(&file.name, "the file has too many bytes");
            }
            if files.iter().take(at).any(|other| other.name == file.name) {
                return wrong(&file.name, "two files have this name");
            }
        }
        let source = |file: &&PolicyFile| Source { name: file.name.as_str().into(), text: file.text.as_str().into() };
        let sources: Vec<Source> = files.iter().map(source).collect();
        let revision = revision(sources.iter().map(|source| (source.name.to_string(), source)));
        Ok(Self { sources, revision })
    }
}

fn gather(dir: &Path, depth: usize, paths: &mut Vec<PathBuf>) -> Result<(), PolicyError> {
    let unreadable = |error: std::io::Error| PolicyError::of_file(dir.display().to_string(), error.to_string());
    for entry in std::fs::read_dir(dir).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        // Mounted bundles keep their versions in hidden folders beside the current one.
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        let path = entry.path();
        let about = |what: &str| PolicyError::of_file(path.display().to_string(), what);
        if path.is_dir() {
            if depth == MAX_DEPTH {
                return Err(about("folders are nested too deeply for a bundle"));
            }
            gather(&path, depth + 1, paths)?;
        } else if path.extension().is_some_and(|extension| extension == "cedar") {
            if paths.len() == MAX_FILES {
                return Err(about("there are too many files for one bundle"));
            }
            paths.push(path);
        }
    }
    Ok(())
}

fn text(path: &Path) -> Result<String, PolicyError> {
    let about = |what: String| PolicyError::of_file(path.display().to_string(), what);
    let size = std::fs::metadata(path).map_err(|error| about(error.to_string()))?.len();
    if size > MAX_FILE_BYTES {
        return Err(about(format!("the file has more than {MAX_FILE_BYTES} bytes")));
    }
    let bytes = std::fs::read(path).map_err(|error| about(error.to_string()))?;
    String::from_utf8(bytes).map_err(|_| about(String::from("the file is not UTF-8")))
}

fn revision<'s>(files: impl Iterator<Item = (String, &'s Source)>) -> Arc<str> {
    let mut sum = digest::Context::new(&digest::SHA256);
    for (name, source) in files {
        for part in [name.as_str(), &source.text] {
            sum.update(&(part.len() as u64).to_be_bytes());
            sum.update(part.as_bytes());
        }
    }
    let hex: String = sum.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    hex.chars().take(REVISION_DIGITS).collect::<String>().into()
}
