//! The last good keys of each issuer on disk, so that a restart survives an issuer's outage.
//!
//! Whoever can write such a file can sign tokens, so only files that nobody else may write are
//! read. It does not decide whether keys are still good.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::algorithm::Algorithm;
use super::fetch::{LONGEST_LIFETIME, MAX_BODY};
use super::keys::Published;

/// The longest file that is read: the keys and what stands around them.
const MAX_FILE: u64 = MAX_BODY as u64 + 64 * 1024;
/// Write permission for the group or for all.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// Why a file of keys is not used.
#[derive(Debug, thiserror::Error)]
pub(super) enum DiskError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("others than the gate's own user could have written it")]
    WritableByOthers,
    #[error("it is longer than it can be")]
    TooLong,
    #[error("it is not what the gate writes")]
    Malformed,
    #[error("it is of another issuer")]
    OtherIssuer,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    issuer: String,
    fetched: u64,
    lifetime: u64,
    listed: Option<Vec<Algorithm>>,
    keys: Box<RawValue>,
}

/// The file of an issuer's keys in `dir`.
pub(super) fn file(dir: &Path, issuer: &str) -> PathBuf {
    let name: String =
        digest(&SHA256, issuer.as_bytes()).as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    dir.join(format!("jwks-{name}.json"))
}

/// Reads the keys; `None` if there are none.
pub(super) fn load(path: &Path, issuer: &str) -> Result<Option<Published>, DiskError> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let found = file.metadata()?;
    let own = found.uid() == rustix::process::geteuid().as_raw() || found.uid() == 0;
    if !own || found.mode() & WRITABLE_BY_OTHERS != 0 {
        return Err(DiskError::WritableByOthers);
    }
    if found.len() > MAX_FILE {
        return Err(DiskError::TooLong);
    }
    let mut text = Vec::new();
    file.take(MAX_FILE).read_to_end(&mut text)?;
    let stored: Stored = serde_json::from_slice(&text).map_err(|_| DiskError::Malformed)?;
    if stored.issuer != issuer {
        return Err(DiskError::OtherIssuer);
    }
    let fetched =
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(stored.fetched)).ok_or(DiskError::Malformed)?;
    Ok(Some(Published {
        keys: stored.keys.get().as_bytes().to_vec(),
        listed: stored.listed,
        fetched,
        lifetime: Duration::from_secs(stored.lifetime).min(LONGEST_LIFETIME),
    }))
}

/// Writes the keys beside their place and moves them there, so that a reader never sees a half.
pub(super) fn store(path: &Path, issuer: &str, published: &Published) -> Result<(), DiskError> {
    let dir = path.parent().ok_or(DiskError::Malformed)?;
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let keys: Box<RawValue> = serde_json::from_slice(&published.keys).map_err(|_| DiskError::Malformed)?;
    let fetched = published.fetched.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let stored = Stored {
        issuer: issuer.to_owned(),
        fetched: fetched.as_secs(),
        lifetime: published.lifetime.as_secs(),
        listed: published.listed.clone(),
        keys,
    };
    let text = serde_json::to_vec(&stored).map_err(|_| DiskError::Malformed)?;
    let beside = path.with_extension(format!("{}.new", std::process::id()));
    // One may lie there from a process that was killed.
    let _ = fs::remove_file(&beside);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    file.write_all(&text)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    Ok(File::open(dir)?.sync_all()?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn published() -> Published {
        Published {
            keys: br#"{"keys":[]}"#.to_vec(),
            listed: Some(vec![Algorithm::ES256]),
            fetched: SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000),
            lifetime: Duration::from_secs(600),
        }
    }

    #[test]
    fn what_was_stored_is_loaded() {
        let dir = tempfile::tempdir().unwrap();
        let path = file(&dir.path().join("new"), "https://id.example");
        assert!(load(&path, "https://id.example").unwrap().is_none());
        store(&path, "https://id.example", &published()).unwrap();
        let loaded = load(&path, "https://id.example").unwrap().unwrap();
        assert_eq!(format!("{loaded:?}"), format!("{:?}", published()));
        assert_eq!(fs::read_dir(dir.path().join("new")).unwrap().count(), 1);
    }

    #[test]
    fn files_that_cannot_be_trusted_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = file(dir.path(), "https://id.example");
        store(&path, "https://id.example", &published()).unwrap();
        assert!(matches!(load(&path, "https://other.example"), Err(DiskError::OtherIssuer)));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        assert!(matches!(load(&path, "https://id.example"), Err(DiskError::WritableByOthers)));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "{\"issuer\":").unwrap();
        assert!(matches!(load(&path, "https://id.example"), Err(DiskError::Malformed)));
        File::options().write(true).open(&path).unwrap().set_len(MAX_FILE + 1).unwrap();
        assert!(matches!(load(&path, "https://id.example"), Err(DiskError::TooLong)));
    }
}
