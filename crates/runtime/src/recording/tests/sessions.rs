//! Sessions that go well: what is recorded is read back, sealed, signed, and cheap when idle.

use super::*;
use crate::recording::verify::{Signatures, State};
use crate::recording::{SpoolError, find, list, mark, numbers};

#[test]
fn a_session_is_read_back_sealed_and_signed() {
    let dir = tempfile::tempdir().unwrap();
    let spool = spool(dir.path());
    session(&spool, 2);
    spool.close().unwrap();
    let expected = ["opened", "operation", "decision", "outcome", "operation", "decision", "outcome", "closed"];
    assert_eq!(kinds(dir.path(), 1), expected);
    let report = verified(dir.path());
    assert!(report.is_intact(), "{report:?}");
    assert!(report.files[0].is_proven(), "{report:?}");
    assert_eq!(report.files[0].state, State::Complete);
    assert_eq!(report.files[0].events, 8);
    assert_eq!(report.root, Some(spool.root_key()));
    let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("tail")), "{left:?}");
}

#[test]
fn a_file_is_verified_alone_and_by_its_key() {
    let dir = tempfile::tempdir().unwrap();
    let spool = spool(dir.path());
    session(&spool, 1);
    spool.close().unwrap();
    assert!(verify::file(&recording(dir.path(), 1), Some(&spool.root_key())).unwrap().is_proven());
    let other = crate::recording::RootKey([7; 32]);
    assert!(!verify::file(&recording(dir.path(), 1), Some(&other)).unwrap().is_intact());
    let alone = tempfile::tempdir().unwrap();
    let copy = alone.path().join("some-copy.rec");
    std::fs::copy(recording(dir.path(), 1), &copy).unwrap();
    let report = verify::file(&copy, None).unwrap();
    assert_eq!((report.state, report.signatures, report.session), (State::Complete, Signatures::Unchecked, 1));
}

#[test]
fn what_is_committed_can_be_read_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let slow = Config { checkpoint_every: Duration::from_secs(60), ..config(dir.path()) };
    let spool = Spool::open(&slow, Arc::new(SystemClock)).unwrap();
    let session = open(&spool);
    decide(&*session, 1).unwrap();
    assert_eq!(kinds(dir.path(), 1), ["opened", "operation", "decision"]);
    assert_eq!(file_verified(dir.path(), 1).state, State::Open { torn: 0 });
    assert_eq!(session.id(), "test-0000000001");
    assert_eq!(find(dir.path(), session.id()).unwrap(), Some(recording(dir.path(), 1)));
}

#[test]
fn what_nobody_commits_is_sealed_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let spool = spool(dir.path());
    let session = open(&spool);
    decide(&*session, 1).unwrap();
    finish(&*session, 1).unwrap();
    eventually("the outcome is recorded", || kinds(dir.path(), 1).contains(&String::from("outcome")));
    eventually("it is signed", || file_verified(dir.path(), 1).unsigned() == 0);
}

#[test]
fn idle_sessions_write_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let spool = spool(dir.path());
    let session = open(&spool);
    decide(&*session, 1).unwrap();
    eventually("all is signed", || spool.health().seal_lag().is_zero());
    let before = spool.health().checkpoints();
    std::thread::sleep(Duration::from_millis(120));
    assert_eq!(spool.health().checkpoints(), before);
    let tails = std::fs::read_dir(dir.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().contains("tail"));
    assert_eq!(tails.count(), 0);
}

#[test]
fn a_hundred_sessions_at_once_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let spool = spool(dir.path());
    std::thread::scope(|scope| {
        for _ in 0..100 {
            scope.spawn(|| {
                let recording = open(&spool);
                for op in 1..=50 {
                    decide(&*recording, op).unwrap();
                    finish(&*recording, op).unwrap();
                }
                close(recording, 50);
            });
        }
    });
    spool.close().unwrap();
    let report = verified(dir.path());
    assert!(report.is_intact(), "{report:?}");
    assert_eq!(report.files.len(), 100);
    for file in &report.files {
        assert!(file.is_proven(), "{file:?}");
        assert_eq!(file.events, 152);
    }
}

#[test]
fn a_long_session_is_cut_into_segments() {
    let dir = tempfile::tempdir().unwrap();
    let small = Config { segment_bytes: 4096, ..config(dir.path()) };
    let spool = Spool::open(&small, Arc::new(SystemClock)).unwrap();
    session(&spool, 1000);
    spool.close().unwrap();
    let report = file_verified(dir.path(), 1);
    assert!(report.is_proven(), "{report:?}");
    assert!(report.segments > 50, "{report:?}");
    assert_eq!(decided(dir.path(), 1), (1..=1000).collect::<Vec<_>>());
}

#[test]
fn verification_beside_a_busy_gate_finds_nothing_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let spool = spool(dir.path());
    let stop = Stop::default();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.is_told() {
                session(&spool, 20);
            }
        });
        let _at_end = AtEnd(&stop);
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_millis(1500) {
            let report = verified(dir.path());
            let wrong: Vec<_> = report.files.iter().filter(|file| !file.is_intact()).collect();
            assert!(report.is_intact(), "{:?} {:?} {wrong:?}", report.log, report.missing);
            assert!(list(dir.path()).unwrap().all(|summary| summary.problem.is_none()));
        }
    });
}

#[test]
fn a_recording_that_a_listing_passed_over_is_looked_for_again() {
    let dir = tempfile::tempdir().unwrap();
    // Nothing else of a session is there yet but its tail.
    let late = Config { checkpoint_every: Duration::from_secs(3600), ..config(dir.path()) };
    let spool = Spool::open(&late, Arc::new(SystemClock)).unwrap();
    let _sessions: Vec<_> = (0..3).map(|_| open(&spool)).collect();
    let (there, elsewhere) = (dir.path().join("0000000002.tail-a"), dir.path().join("elsewhere"));
    std::fs::rename(&there, &elsewhere).unwrap();
    assert_eq!(verified(dir.path()).missing, [2..=2]);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(20));
            std::fs::rename(&elsewhere, &there).unwrap();
        });
        let report = verified(dir.path());
        assert!(report.is_intact(), "{report:?}");
    });
}

#[test]
fn a_busy_recording_is_read_in_order_and_without_holes() {
    let dir = tempfile::tempdir().unwrap();
    let small = Config { segment_bytes: 4096, ..config(dir.path()) };
    let spool = Spool::open(&small, Arc::new(SystemClock)).unwrap();
    let recording = open(&spool);
    let committed = std::sync::atomic::AtomicU64::new(0);
    let stop = Stop::default();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for op in 1.. {
                decide(&*recording, op).unwrap();
                committed.store(op, std::sync::atomic::Ordering::SeqCst);
                if stop.is_told() {
                    break;
                }
                std::thread::sleep(Duration::from_micros(100));
            }
        });
        let _at_end = AtEnd(&stop);
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_millis(1500) {
            let at_least = committed.load(std::sync::atomic::Ordering::SeqCst);
            let mut reader = read::open(&super::recording(dir.path(), 1)).unwrap();
            let numbers: Vec<u64> = reader.by_ref().map(|line| line.unwrap().seq).collect();
            assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
            assert!(numbers.len() as u64 > 2 * at_least, "{} of {at_least}", numbers.len());
            assert_eq!(reader.end().lost, 0);
            assert!(file_verified(dir.path(), 1).is_intact());
        }
    });
}

#[test]
fn sessions_are_summarised() {
    let dir = tempfile::tempdir().unwrap();
    let spool = spool(dir.path());
    session(&spool, 3);
    let still_open = open(&spool);
    let summaries: Vec<_> = list(dir.path()).unwrap().collect();
    assert_eq!(summaries.len(), 2);
    let first = &summaries[0];
    assert_eq!((first.id.as_str(), first.target.as_str(), first.operations), ("test-0000000001", "shop", 3));
    assert_eq!((first.opened, first.closed), (1_000_000, Some(2_000_000)));
    assert_eq!(first.identity.as_ref().unwrap().name(), "dana");
    assert_eq!(summaries[1].closed, None);
    drop(still_open);
}

#[test]
fn numbers_go_on_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    for number in 1..=3 {
        let spool = spool(dir.path());
        let session = open(&spool);
        assert_eq!(session.id(), format!("test-{number:010}"));
        close(session, 0);
        spool.close().unwrap();
    }
    assert!(verified(dir.path()).is_intact());
}

#[test]
fn a_folder_has_one_gate_at_a_time_and_always_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let first = spool(dir.path());
    assert!(matches!(Spool::open(&config(dir.path()), Arc::new(SystemClock)), Err(SpoolError::Locked(_))));
    first.close().unwrap();
    drop(first);
    let renamed = Config { gate: String::from("other"), ..config(dir.path()) };
    assert!(matches!(Spool::open(&renamed, Arc::new(SystemClock)), Err(SpoolError::OtherGate(_))));
}

#[test]
fn closing_the_spool_ends_what_is_open() {
    let dir = tempfile::tempdir().unwrap();
    let spool = spool(dir.path());
    let session = open(&spool);
    decide(&*session, 1).unwrap();
    spool.close().unwrap();
    assert!(decide(&*session, 2).is_err());
    assert!(try_open(&spool, TargetRecording::default()).is_err());
    assert!(verified(dir.path()).files[0].is_proven());
}

#[test]
fn a_statement_of_any_bytes_comes_back_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let spool = spool(dir.path());
    let session = open(&spool);
    let statements: [&[u8]; 3] = [b"select '\n\"\\ \x01'", &[0xff, 0xfe, 0x00], &[b'x'; 3 << 20]];
    for (op, statement) in (1..).zip(statements) {
        let event = Event::Operation {
            op,
            kind: "Query".into(),
            statement: Text(statement.into()),
            parameters: 0,
            types: [][..].into(),
            effects: std::borrow::Cow::Owned(effects()),
        };
        session.append(1, &event).unwrap();
        session.commit().unwrap();
    }
    drop(session);
    spool.close().unwrap();
    let lines: Vec<_> = read::open(&recording(dir.path(), 1)).unwrap().map(Result::unwrap).collect();
    for (line, expected) in lines[1..].iter().zip(statements) {
        let Event::Operation { statement, .. } = line.event().unwrap() else { panic!("{}", line.json()) };
        assert!(&*statement.0 == expected);
    }
    assert!(file_verified(dir.path(), 1).is_proven());
}

#[test]
fn reader_goes_on_where_it_was_as_more_is_written_and_sealed() {
    let dir = tempfile::tempdir().unwrap();
    let spool = spool(dir.path());
    let session = open(&spool);
    let mut reader = read::open(&recording(dir.path(), 1)).unwrap();
    let mut read = reader.by_ref().count();
    for op in 1..=40 {
        decide(&*session, op).unwrap();
        finish(&*session, op).unwrap();
        if op % 5 == 0 {
            // Time for what is new to be sealed, now and then, or not.
            std::thread::sleep(Duration::from_millis(op));
        }
        reader.again().unwrap();
        read += reader.by_ref().map(Result::unwrap).count();
    }
    close(session, 40);
    drop(spool);
    while !reader.end().complete {
        reader.again().unwrap();
        read += reader.by_ref().map(Result::unwrap).count();
    }
    assert_eq!(read, 1 + 40 * 3 + 1);
    // Nothing comes after the end.
    reader.again().unwrap();
    assert_eq!(reader.count(), 0);
}

#[test]
fn mark_of_a_session_differs_when_there_is_more_to_read() {
    let dir = tempfile::tempdir().unwrap();
    let slow = Config { checkpoint_every: Duration::from_secs(60), ..config(dir.path()) };
    let spool = Spool::open(&slow, Arc::new(SystemClock)).unwrap();
    let session = open(&spool);
    let before = mark(dir.path(), 1);
    assert_eq!(mark(dir.path(), 1), before);
    decide(&*session, 1).unwrap();
    assert_ne!(mark(dir.path(), 1), before);
    assert_eq!((numbers(dir.path(), 0).unwrap(), numbers(dir.path(), 2).unwrap()), (vec![1], vec![]));
}
