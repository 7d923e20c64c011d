//! Gates that are killed: what was committed is in the recording, what was torn is marked, and
//! recovery may itself be cut off anywhere.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::*;
use crate::recording::verify::State;

/// Where the process to be killed records to.
const FOLDER: &str = "PORTCULLIS_TEST_SPOOL";

/// In a process of its own with [`FOLDER`] set, this records until it is killed, and reports each
/// operation that it may forward. Else it records a little.
#[test]
fn a_writer_reports_what_it_has_committed() {
    let folder = std::env::var_os(FOLDER);
    let scratch = tempfile::tempdir().unwrap();
    let dir = folder.as_ref().map_or(scratch.path(), Path::new);
    let last = if folder.is_some() { u64::MAX } else { 10 };
    let spool = spool(dir);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let recording = open(&spool);
                for op in 1..=last {
                    decide(&*recording, op).unwrap();
                    println!("committed {} {op} .", recording.id());
                    finish(&*recording, op).unwrap();
                }
            });
        }
    });
}

#[test]
fn a_killed_gate_has_recorded_all_that_it_forwarded() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..4_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "recording::tests::crash::a_writer_reports_what_it_has_committed", "--nocapture"])
            .env(FOLDER, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut reported: std::collections::BTreeMap<u64, u64> = std::collections::BTreeMap::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let enough = 2_000 + round * 3_337;
        let mut seen = 0;
        let mut note = |line: String| {
            // The test harness may have written before it on the same line; a torn line does not end in ` .`.
            if let Some((_, report)) = line.split_once("committed test-")
                && let [number, op, "."] = report.split(' ').collect::<Vec<_>>()[..]
            {
                let last = reported.entry(number.parse().unwrap()).or_default();
                *last = (*last).max(op.parse().unwrap());
            }
        };
        while seen < enough {
            note(lines.next().unwrap().unwrap());
            seen += 1;
        }
        child.kill().unwrap();
        lines.map_while(Result::ok).for_each(&mut note);
        child.wait().unwrap();
        assert_eq!(reported.len(), 3);
        for (number, last) in &reported {
            let decided = decided(dir.path(), *number);
            assert!(decided.len() as u64 >= *last, "session {number}: {} of {last}", decided.len());
            assert_eq!(decided, (1..=decided.len() as u64).collect::<Vec<_>>());
        }
        let spool = spool(dir.path());
        assert_eq!(spool.health().recovered(), 3);
        spool.close().unwrap();
        let report = verified(dir.path());
        assert!(report.is_intact(), "{report:?}");
        for (number, last) in &reported {
            assert!(matches!(file_verified(dir.path(), *number).state, State::Recovered { .. }));
            assert!(decided(dir.path(), *number).len() as u64 >= *last);
            assert_eq!(kinds(dir.path(), *number).last().unwrap(), "recovered");
        }
    }
}

/// A folder as a killed gate leaves it: one session that is partly sealed, one that is only a tail.
fn dead() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let slow = Config { checkpoint_every: Duration::from_millis(300), ..config(dir.path()) };
    let spool = Spool::open(&slow, Arc::new(SystemClock)).unwrap();
    let first = open(&spool);
    decide(&*first, 1).unwrap();
    eventually("it is sealed", || recording(dir.path(), 1).exists() && spool.health().seal_lag().is_zero());
    decide(&*first, 2).unwrap();
    let second = open(&spool);
    decide(&*second, 1).unwrap();
    let copy = copied(dir.path());
    drop((first, second));
    copy
}

fn recovered_torn(dir: &Path, number: u64) -> u64 {
    match file_verified(dir, number).state {
        State::Recovered { torn } => torn,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_tail_torn_anywhere_keeps_its_whole_events_and_is_marked() {
    let dead = dead();
    let tail = dead.path().join("0000000001.tail-b");
    let whole = std::fs::read(&tail).unwrap();
    for cut in 1..whole.len() {
        if cut % 7 != 0 && cut + 20 < whole.len() {
            continue;
        }
        let dir = copied(dead.path());
        std::fs::write(dir.path().join("0000000001.tail-b"), &whole[..cut]).unwrap();
        spool(dir.path()).close().unwrap();
        let report = verified(dir.path());
        assert!(report.is_intact(), "cut at {cut}: {report:?}");
        let kinds = kinds(dir.path(), 1);
        assert_eq!(kinds[..3], ["opened", "operation", "decision"]);
        assert_eq!(kinds.last().unwrap(), "recovered");
        let first = 8 + u32::from_le_bytes(whole[..4].try_into().unwrap()) as usize;
        let torn = if cut < first { cut } else { cut - first };
        assert_eq!(recovered_torn(dir.path(), 1), torn as u64, "cut at {cut}");
    }
}

#[test]
fn recovery_can_be_cut_off_and_repeated() {
    let dead = dead();
    let done = copied(dead.path());
    spool(done.path()).close().unwrap();
    let expected = (kinds(done.path(), 1), kinds(done.path(), 2));
    // Cut off after any part of the first recording was written, before its tail was removed and
    // before anything was signed.
    let sealed = std::fs::read(recording(done.path(), 1)).unwrap();
    let before = std::fs::read(recording(dead.path(), 1)).unwrap();
    for length in before.len()..=sealed.len() {
        let dir = copied(dead.path());
        std::fs::write(recording(dir.path(), 1), &sealed[..length]).unwrap();
        spool(dir.path()).close().unwrap();
        let report = verified(dir.path());
        assert!(report.is_intact(), "cut at {length}: {report:?}");
        assert_eq!((kinds(dir.path(), 1), kinds(dir.path(), 2)), expected, "cut at {length}");
    }
}

#[test]
fn a_second_recovery_changes_nothing() {
    let dir = dead();
    spool(dir.path()).close().unwrap();
    let files = || -> Vec<_> { (1..=2).map(|number| std::fs::read(recording(dir.path(), number)).unwrap()).collect() };
    let once = files();
    let again = spool(dir.path());
    assert_eq!(again.health().recovered(), 0);
    again.close().unwrap();
    assert_eq!(files(), once);
    assert!(verified(dir.path()).is_intact());
}

#[test]
fn a_crash_between_signing_and_erasing_finds_its_key_again() {
    let dir = tempfile::tempdir().unwrap();
    let first = spool(dir.path());
    let key = std::fs::read(dir.path().join("key")).unwrap();
    for _ in 0..3 {
        session(&first, 1);
        eventually("it is signed", || first.health().seal_lag().is_zero());
    }
    first.close().unwrap();
    drop(first);
    std::fs::write(dir.path().join("key"), &key).unwrap();
    let second = spool(dir.path());
    session(&second, 1);
    second.close().unwrap();
    let report = verified(dir.path());
    assert!(report.is_intact(), "{report:?}");
    assert_eq!(report.files.len(), 4);
}

#[test]
fn a_torn_checkpoint_is_written_anew() {
    let dead = dead();
    let log = std::fs::read(dead.path().join("checkpoints")).unwrap();
    let dir = copied(dead.path());
    std::fs::write(dir.path().join("checkpoints"), [&log[..], b"CHKP\x01\0\0\0torn"].concat()).unwrap();
    assert_eq!(verified(dir.path()).torn, 12);
    spool(dir.path()).close().unwrap();
    let report = verified(dir.path());
    assert!(report.is_intact() && report.torn == 0, "{report:?}");
}
