//! Files that nobody honest wrote: they are refused without a panic and without much memory.

use proptest::prelude::*;

use super::*;
use crate::recording::format::{FileHeader, LAST, SegmentHeader};

fn header() -> FileHeader {
    FileHeader { session: 1, root: [0; 32], gate: String::from("test") }
}

/// A recording with one segment that holds these stored bytes and a good chain.
fn with_segment(stored: &[u8], raw: u32, count: u32) -> Vec<u8> {
    let mut segment = SegmentHeader {
        flags: LAST,
        first: 1,
        count,
        raw,
        stored: u32::try_from(stored.len()).unwrap(),
        chain: [0; 32],
    };
    segment.chain = segment.link(&header().chain(), stored);
    [&header().encode()[..], &segment.encode(), stored].concat()
}

fn read_all(sealed: &[u8], tail: &[u8]) -> Result<usize, String> {
    let reader = read::bytes(sealed, tail).map_err(|why| why.to_string())?;
    reader.map(|line| line.map_err(|why| why.to_string())).try_fold(0, |count, line| line.map(|_| count + 1))
}

#[test]
fn a_segment_cannot_hold_more_than_it_says() {
    let bomb = zstd::bulk::compress(&vec![b' '; 60 << 20], 1).unwrap();
    assert!(bomb.len() < 100_000);
    let refused = read_all(&with_segment(&bomb, 1000, 1), &[]).unwrap_err();
    assert!(refused.contains("does not hold as many bytes"), "{refused}");
}

#[test]
fn segments_that_lie_are_refused() {
    let line = b"{\"seq\":1,\"at\":1,\"event\":{\"recovered\":{\"torn\":0}}}\n";
    let length = u32::try_from(line.len()).unwrap();
    let stored = zstd::bulk::compress(line, 1).unwrap();
    assert_eq!(read_all(&with_segment(&stored, length, 1), &[]), Ok(1));
    for (what, bad) in [
        ("more events", with_segment(&stored, length, 2)),
        ("fewer events", with_segment(&stored, length, 0)),
        ("more bytes", with_segment(&stored, length + 1, 1)),
        ("bytes behind the frame", with_segment(&[&stored[..], b"x"].concat(), length, 1)),
        ("no frame", with_segment(b"nothing", length, 1)),
        ("no JSON", with_segment(&zstd::bulk::compress(b"{\"seq\":1,\n", 1).unwrap(), 10, 1)),
    ] {
        assert!(read_all(&bad, &[]).is_err(), "{what}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(sealed in prop::collection::vec(any::<u8>(), 0..400), tail in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = read_all(&sealed, &tail);
    }

    #[test]
    fn any_bytes_behind_a_good_header_are_read_or_refused(rest in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = read_all(&[&header().encode()[..], b"SEGM", &rest].concat(), &[]);
    }

    #[test]
    fn any_content_of_a_good_segment_is_read_or_refused(raw in prop::collection::vec(any::<u8>(), 0..400), count in 0_u32..4) {
        let stored = zstd::bulk::compress(&raw, 1).unwrap();
        let _ = read_all(&with_segment(&stored, u32::try_from(raw.len()).unwrap(), count), &[]);
    }
}

proptest! {
    // A torn log is given time to grow, so each of these takes a while.
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn any_folder_is_verified_without_a_panic(sealed in prop::collection::vec(any::<u8>(), 0..300), log in prop::collection::vec(any::<u8>(), 0..300)) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(recording(dir.path(), 1), [&header().encode()[..], &sealed].concat()).unwrap();
        std::fs::write(dir.path().join("checkpoints"), [b"PCLOG\r\n\x1a\x01\0\0\0\x04\0\0\0", &[0; 32][..], b"test", &log].concat()).unwrap();
        let report = verified(dir.path());
        prop_assert!(!report.is_intact() || !report.files[0].is_proven());
    }
}
