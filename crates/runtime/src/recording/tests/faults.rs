//! Disks that fill or fail: nothing is forwarded unrecorded, gaps are marked, and all is well again
//! once there is room.

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::recording::disk::{Disk, RealDisk};
use crate::recording::key::Secret;
use crate::recording::verify::State;

/// A disk that can be told to be full, or to be unable to reach the platter. A full one writes the
/// first half of what it is given.
#[derive(Default)]
struct Failing {
    full: AtomicBool,
    lame: AtomicBool,
}

impl Disk for Failing {
    fn create(&self, path: &Path) -> io::Result<File> {
        RealDisk.create(path)
    }

    fn write(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        if self.full.load(Ordering::SeqCst) {
            RealDisk.write(file, &bytes[..bytes.len() / 2], offset)?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        RealDisk.write(file, bytes, offset)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        if self.lame.load(Ordering::SeqCst) {
            return Err(io::Error::other("the disk does not answer"));
        }
        RealDisk.sync(file)
    }
}

fn failing(dir: &Path) -> (Spool, Arc<Failing>) {
    let disk = Arc::new(Failing::default());
    let spool = Spool::open_on(&config(dir), Arc::new(SystemClock), Arc::clone(&disk) as Arc<dyn Disk>, Secret::random);
    (spool.unwrap(), disk)
}

const BEST_EFFORT: TargetRecording = TargetRecording { best_effort: Some(true), result_bytes: None };

#[test]
fn a_full_disk_refuses_operations_and_sessions_until_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, disk) = failing(dir.path());
    let session = open(&spool);
    decide(&*session, 1).unwrap();
    disk.full.store(true, Ordering::SeqCst);
    assert!(decide(&*session, 2).is_err());
    assert!(try_open(&spool, TargetRecording::default()).is_err());
    assert!(spool.health().failures() > 0);
    disk.full.store(false, Ordering::SeqCst);
    close(session, 2);
    let next = open(&spool);
    assert_eq!(next.id(), "test-0000000002");
    decide(&*next, 1).unwrap();
    drop(next);
    spool.close().unwrap();
    let report = verified(dir.path());
    assert!(report.is_intact() && report.files.iter().all(FileReport::is_proven), "{report:?}");
    assert_eq!(kinds(dir.path(), 1).last().unwrap(), "closed");
}

#[test]
fn best_effort_passes_and_loses_nothing_that_fits_in_memory() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, disk) = failing(dir.path());
    let session = try_open(&spool, BEST_EFFORT).unwrap();
    disk.full.store(true, Ordering::SeqCst);
    for op in 1..=10 {
        decide(&*session, op).unwrap();
    }
    disk.full.store(false, Ordering::SeqCst);
    decide(&*session, 11).unwrap();
    drop(session);
    spool.close().unwrap();
    assert_eq!(decided(dir.path(), 1), (1..=11).collect::<Vec<_>>());
    assert!(verified(dir.path()).is_intact());
}

#[test]
fn best_effort_marks_what_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, disk) = failing(dir.path());
    let session = try_open(&spool, BEST_EFFORT).unwrap();
    disk.full.store(true, Ordering::SeqCst);
    for op in 1..=3000 {
        decide(&*session, op).unwrap();
    }
    let missed = spool.health().missed_events();
    assert!(missed > 0);
    disk.full.store(false, Ordering::SeqCst);
    decide(&*session, 3001).unwrap();
    assert_eq!((spool.health().gaps(), spool.health().missed_events()), (1, missed));
    drop(session);
    spool.close().unwrap();
    let lines: Vec<_> = read::open(&recording(dir.path(), 1)).unwrap().map(Result::unwrap).collect();
    let gap = lines.iter().find_map(|line| match line.event().unwrap() {
        Event::Gap { events, .. } => Some(events),
        _ => None,
    });
    assert_eq!(gap, Some(missed));
    assert_eq!(lines.len() as u64 + missed, 1 + 2 * 3001 + 1);
    assert!(verified(dir.path()).files[0].is_proven());
}

#[test]
fn a_spool_at_its_limit_refuses_what_begins_and_takes_what_ends() {
    let dir = tempfile::tempdir().unwrap();
    let limited = Config { max_bytes: 40_000, ..config(dir.path()) };
    let spool = Spool::open(&limited, Arc::new(SystemClock)).unwrap();
    let bulk = dir.path().join("bulk");
    let session = open(&spool);
    decide(&*session, 1).unwrap();
    std::fs::write(&bulk, [0; 50_000]).unwrap();
    spool.shared().space.measure(&spool.shared().directory);
    assert!(decide(&*session, 2).is_err());
    assert!(try_open(&spool, TargetRecording::default()).is_err());
    finish(&*session, 1).unwrap();
    close(session, 1);
    std::fs::remove_file(&bulk).unwrap();
    eventually("there is room again", || try_open(&spool, TargetRecording::default()).is_ok());
    spool.close().unwrap();
    let expected = ["opened", "operation", "decision", "gap", "outcome", "closed"];
    assert_eq!(kinds(dir.path(), 1), expected);
    assert!(verified(dir.path()).is_intact());
}

#[test]
fn a_spool_without_free_space_refuses() {
    let dir = tempfile::tempdir().unwrap();
    let greedy = Config { min_free_bytes: u64::MAX, ..config(dir.path()) };
    let spool = Spool::open(&greedy, Arc::new(SystemClock)).unwrap();
    assert!(try_open(&spool, TargetRecording::default()).is_err());
}

#[test]
fn a_disk_that_cannot_seal_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, disk) = failing(dir.path());
    disk.lame.store(true, Ordering::SeqCst);
    session(&spool, 5);
    eventually("sealing fails", || spool.health().failures() > 2);
    assert_eq!(decided(dir.path(), 1), [1, 2, 3, 4, 5]);
    assert!(!spool.health().seal_lag().is_zero());
    disk.lame.store(false, Ordering::SeqCst);
    eventually("it is sealed", || spool.health().seal_lag().is_zero());
    spool.close().unwrap();
    assert!(verified(dir.path()).files[0].is_proven());
    assert_eq!(decided(dir.path(), 1), [1, 2, 3, 4, 5]);
}

#[test]
fn durable_targets_wait_for_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(Failing::default());
    let durable = Config { durability: crate::recording::Durability::Disk, ..config(dir.path()) };
    let spool =
        Spool::open_on(&durable, Arc::new(SystemClock), Arc::clone(&disk) as Arc<dyn Disk>, Secret::random).unwrap();
    let session = open(&spool);
    decide(&*session, 1).unwrap();
    disk.lame.store(true, Ordering::SeqCst);
    assert!(decide(&*session, 2).is_err());
    disk.lame.store(false, Ordering::SeqCst);
    drop(session);
    spool.close().unwrap();
    assert!(verified(dir.path()).files[0].is_proven());
}

#[test]
fn a_gate_that_dies_with_a_full_disk_is_recovered() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, disk) = failing(dir.path());
    let session = open(&spool);
    decide(&*session, 1).unwrap();
    disk.full.store(true, Ordering::SeqCst);
    assert!(decide(&*session, 2).is_err());
    let dead = copied(dir.path());
    drop((session, spool));
    let spool = super::spool(dead.path());
    spool.close().unwrap();
    let report = verified(dead.path());
    assert!(report.is_intact(), "{report:?}");
    assert!(matches!(report.files[0].state, State::Recovered { .. }), "{report:?}");
    assert_eq!(decided(dead.path(), 1), [1]);
}
