//! What somebody with write access to the folder may try: each is found.

use super::*;
use crate::recording::SpoolError;
use crate::recording::checkpoint::Entry;
use crate::recording::directory::Directory;
use crate::recording::disk::{Disk, RealDisk};
use crate::recording::format::{FileHeader, LAST};
use crate::recording::key::Secret;
use crate::recording::ledger::Ledger;
use crate::recording::packer::{Output, Packer, Sealed};
use crate::recording::verify::{Signatures, State};

/// A folder with three sessions, of which the second has several segments.
fn kept() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let small = Config { segment_bytes: 4096, ..config(dir.path()) };
    let spool = Spool::open(&small, Arc::new(SystemClock)).unwrap();
    session(&spool, 1);
    session(&spool, 60);
    session(&spool, 1);
    spool.close().unwrap();
    dir
}

/// Whether the damage to this file is found, in the folder and, if it is a recording, alone.
fn is_found(dir: &Path, name: &str) -> bool {
    let report = verified(dir);
    let in_folder = !report.is_intact() || report.torn > 0;
    let alone = || {
        let lonely = tempfile::tempdir().unwrap();
        let path = lonely.path().join(name);
        std::fs::copy(dir.join(name), &path).unwrap();
        !verify::file(&path, None).unwrap().is_intact()
    };
    in_folder && (name == "checkpoints" || alone())
}

#[test]
fn every_flipped_byte_is_found() {
    let dir = kept();
    assert!(verified(dir.path()).is_intact());
    for name in ["0000000001.rec", "checkpoints"] {
        let path = dir.path().join(name);
        let good = std::fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            std::fs::write(&path, &bad).unwrap();
            assert!(is_found(dir.path(), name), "{name}, byte {at}");
        }
        std::fs::write(&path, &good).unwrap();
    }
}

#[test]
fn the_first_bad_byte_is_within_the_damage_that_is_named() {
    let dir = kept();
    let path = recording(dir.path(), 2);
    let good = std::fs::read(&path).unwrap();
    for at in (0..good.len()).step_by(97) {
        let mut bad = good.clone();
        bad[at] ^= 1;
        std::fs::write(&path, &bad).unwrap();
        let State::Damaged(damage) = file_verified(dir.path(), 2).state else { panic!("byte {at} is not found") };
        assert!((damage.offset..=damage.offset + damage.length).contains(&(at as u64)), "byte {at}: {damage}");
    }
}

/// Where a recording's segments begin, and its end.
fn segments(bytes: &[u8]) -> Vec<usize> {
    let mut at = 56 + u32::from_le_bytes(bytes[12..16].try_into().unwrap()) as usize;
    let mut all = vec![at];
    while at < bytes.len() {
        at += 64 + u32::from_le_bytes(bytes[at + 24..at + 28].try_into().unwrap()) as usize;
        all.push(at);
    }
    all
}

#[test]
fn segments_cannot_be_removed_swapped_or_repeated() {
    let dir = kept();
    let path = recording(dir.path(), 2);
    let good = std::fs::read(&path).unwrap();
    let at = segments(&good);
    assert!(at.len() > 3);
    let (head, one, two, rest) = (&good[..at[0]], &good[at[0]..at[1]], &good[at[1]..at[2]], &good[at[2]..]);
    for (what, bad) in [
        ("removed", [head, one, rest].concat()),
        ("swapped", [head, two, one, rest].concat()),
        ("repeated", [head, one, one, two, rest].concat()),
        ("appended", [&good, one].concat()),
    ] {
        std::fs::write(&path, bad).unwrap();
        assert!(is_found(dir.path(), "0000000002.rec"), "{what}");
    }
}

#[test]
fn a_finished_recording_cannot_be_cut() {
    let dir = kept();
    let path = recording(dir.path(), 2);
    let good = std::fs::read(&path).unwrap();
    for cut in segments(&good).into_iter().rev().skip(1).chain([0, 10, good.len() - 1]) {
        std::fs::write(&path, &good[..cut]).unwrap();
        assert!(!verified(dir.path()).is_intact(), "cut at {cut}");
        assert!(!file_verified(dir.path(), 2).is_intact(), "cut at {cut}");
    }
}

#[test]
fn a_removed_recording_is_missed() {
    for (index, number) in (1..=3).enumerate() {
        let dir = kept();
        std::fs::remove_file(recording(dir.path(), number)).unwrap();
        let report = verified(dir.path());
        assert!(!report.is_intact());
        assert_eq!(report.files[index].state, State::Missing);
    }
}

#[test]
fn recordings_cannot_take_each_others_places() {
    let dir = kept();
    std::fs::copy(recording(dir.path(), 1), recording(dir.path(), 3)).unwrap();
    assert!(!verified(dir.path()).is_intact());
}

#[test]
fn a_new_chain_over_changed_events_is_not_what_was_signed() {
    let (dir, other) = (kept(), kept());
    // Another gate's recording with this gate's header: whole in itself, and signed by nobody.
    let forged = std::fs::read(recording(other.path(), 1)).unwrap();
    std::fs::write(recording(dir.path(), 1), forged).unwrap();
    assert!(!verified(dir.path()).is_intact());
    assert!(!file_verified(dir.path(), 1).is_intact());
}

#[test]
fn another_gates_log_does_not_pass_for_ours() {
    let dir = tempfile::tempdir().unwrap();
    let spool = spool(dir.path());
    session(&spool, 1);
    spool.close().unwrap();
    let other = kept();
    let report = verify::dir(other.path(), Some(&spool.root_key())).unwrap();
    assert!(report.log.is_some());
    std::fs::remove_file(other.path().join("checkpoints")).unwrap();
    assert!(!verified(other.path()).is_intact());
    assert_eq!(file_verified(other.path(), 1).signatures, Signatures::Unchecked);
}

#[test]
fn todays_key_cannot_sign_for_yesterday() {
    let dir = tempfile::tempdir().unwrap();
    let spool = spool(dir.path());
    session(&spool, 1);
    eventually("it is signed", || spool.health().seal_lag().is_zero());
    session(&spool, 1);
    spool.close().unwrap();
    drop(spool);
    // The gate is taken over: its key and its code forge a history of their own from the log's middle on.
    let log = std::fs::read(dir.path().join("checkpoints")).unwrap();
    std::fs::write(dir.path().join("checkpoints"), &log[..log.len() - 216]).unwrap();
    let reopened = Spool::open(&config(dir.path()), Arc::new(SystemClock));
    assert!(matches!(reopened, Err(SpoolError::Key(_))), "{reopened:?}");
}

#[test]
fn todays_key_cannot_vouch_anew_for_what_is_finished() {
    let (dir, scratch) = (kept(), tempfile::tempdir().unwrap());
    // With the key of today and all of the gate's code, a recording is written anew and signed.
    let directory = Directory(dir.path().to_owned());
    let tools = spool(scratch.path());
    let (mut ledger, past) = Ledger::open(&directory, "test", &RealDisk, Secret::random).unwrap();
    let header = FileHeader { session: 1, root: ledger.root, gate: String::from("test") };
    let mut to = Output {
        disk: &RealDisk,
        file: RealDisk.create(&recording(dir.path(), 1)).unwrap(),
        sealed: Sealed::nothing(&header),
        header,
        flags: 0,
    };
    Packer::new(4096).unwrap().cut(&mut to, LAST).unwrap();
    let sealed = to.sealed;
    let entry = Entry { session: 1, size: sealed.len, closed: true, chain: sealed.chain };
    ledger.sign(tools.shared(), 1, past.next_session, &[entry]).unwrap();
    let report = verified(dir.path());
    assert_eq!(report.log, None);
    assert!(matches!(report.files[0].state, State::Damaged(_)), "{report:?}");
    assert!(report.files[1].is_proven());
    assert!(matches!(file_verified(dir.path(), 1).state, State::Damaged(_)));
}

#[test]
fn a_changed_recording_is_left_alone_by_recovery() {
    let dir = tempfile::tempdir().unwrap();
    let first = spool(dir.path());
    let session = open(&first);
    decide(&*session, 1).unwrap();
    eventually("it is signed", || recording(dir.path(), 1).exists() && first.health().seal_lag().is_zero());
    let dead = copied(dir.path());
    drop((session, first));
    let path = recording(dead.path(), 1);
    let mut bad = std::fs::read(&path).unwrap();
    let last = bad.len() - 1;
    bad[last] ^= 1;
    std::fs::write(&path, &bad).unwrap();
    let spool = spool(dead.path());
    assert_eq!(spool.health().quarantined(), 1);
    super::session(&spool, 1);
    spool.close().unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), bad);
    let report = verified(dead.path());
    assert!(matches!(report.files[0].state, State::Damaged(_)));
    assert!(report.files[1].is_proven());
}
