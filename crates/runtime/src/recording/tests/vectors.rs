//! The test vectors of docs/recording.md: files that were written once, and what is to be read in
//! them. What is written today must say the same.

use std::time::SystemTime;

use portcullis_core::clock::Clock;

use super::*;
use crate::recording::disk::RealDisk;
use crate::recording::key::Secret;
use crate::recording::verify::State;

/// Where to write the vectors anew, after a deliberate change of the format.
const WRITE: &str = "PORTCULLIS_WRITE_VECTORS";

fn kept() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/recording")
}

struct Still;

impl Clock for Still {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
    }
}

fn secret() -> Secret {
    Secret::known(std::array::from_fn(|index| u8::try_from(index).unwrap()))
}

/// The folder of the vectors: a session that ended, and one whose gate died with eleven bytes of an
/// event written.
fn write(dir: &Path) {
    let still = || {
        let config = Config { checkpoint_every: Duration::from_secs(60), ..config(dir) };
        Spool::open_on(&config, Arc::new(Still), Arc::new(RealDisk), || Ok(secret())).unwrap()
    };
    let spool = still();
    session(&spool, 1);
    eventually("it is signed", || spool.health().seal_lag().is_zero());
    let second = open(&spool);
    decide(&*second, 1).unwrap();
    let tail = dir.join("0000000002.tail-a");
    let whole = std::fs::read(&tail).unwrap();
    drop(second);
    spool.close().unwrap();
    drop(spool);
    std::fs::remove_file(recording(dir, 2)).unwrap();
    std::fs::write(tail, [&whole[..], &whole[..11]].concat()).unwrap();
    // The last checkpoint vouches for the recording that is gone: without it, the gate has just died.
    let log = std::fs::read(dir.join("checkpoints")).unwrap();
    std::fs::write(dir.join("checkpoints"), &log[..log.len() - 216]).unwrap();
    std::fs::remove_file(dir.join("key")).unwrap();
    let key = (0..2).fold(secret(), |secret, _| secret.next().unwrap());
    crate::recording::key::Key::restore(&dir.join("key"), 2, key).unwrap();
    still().close().unwrap();
}

fn lines(dir: &Path, number: u64) -> String {
    let lines = read::open(&recording(dir, number)).unwrap().map(Result::unwrap);
    lines.map(|line| format!("{} {} {}\n", line.seq, line.at, line.json())).collect()
}

fn check(dir: &Path) {
    let root = "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8".parse().unwrap();
    let report = verify::dir(dir, Some(&root)).unwrap();
    assert!(report.is_intact(), "{report:?}");
    assert_eq!((report.gate.as_str(), report.checkpoints), ("test", 3));
    assert_eq!(report.last_checkpoint, Some(1_800_000_000_000_000));
    let states: Vec<_> = report.files.iter().map(|file| file.state.clone()).collect();
    assert_eq!(states, [State::Complete, State::Recovered { torn: 11 }]);
    assert!(report.files.iter().all(FileReport::is_proven));
    for number in 1..=2 {
        let expected = std::fs::read_to_string(kept().join(format!("{number:010}.txt"))).unwrap();
        assert_eq!(lines(dir, number), expected);
    }
}

#[test]
fn the_vectors_are_read_as_the_documentation_says() {
    check(&kept());
}

#[test]
fn what_is_written_today_says_the_same_as_the_vectors() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path());
    if let Some(to) = std::env::var_os(WRITE).map(PathBuf::from) {
        for number in 1..=2 {
            std::fs::copy(recording(dir.path(), number), recording(&to, number)).unwrap();
            std::fs::write(to.join(format!("{number:010}.txt")), lines(dir.path(), number)).unwrap();
        }
        std::fs::copy(dir.path().join("checkpoints"), to.join("checkpoints")).unwrap();
    }
    check(dir.path());
}

#[test]
fn keys_follow_from_one_another_as_the_documentation_says() {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let document = std::fs::read_to_string(kept().with_extension("md")).unwrap();
    let mut key = secret();
    for number in 0..3 {
        let row = format!("| {number} | `{}` | `{}` |", hex(key.expose()), hex(&key.public().unwrap()));
        assert!(document.contains(&row), "{row}");
        key = key.next().unwrap();
    }
}
