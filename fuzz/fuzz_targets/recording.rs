//! Recordings that nobody honest wrote: read to some end or refused. The input is taken as it is,
//! and as the content of a recording that is good otherwise.
#![no_main]

use aws_lc_rs::digest::{SHA256, digest};
use libfuzzer_sys::fuzz_target;
use portcullis_runtime::recording::read;

/// A file's header: version 1, no flags, session 1, a root key, and the gate's name.
const HEADER: &[u8] = b"PCREC\r\n\x1a\x01\0\0\0\x04\0\0\0\x01\0\0\0\0\0\0\0\
    kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkgate";
const LAST: u32 = 1;

fuzz_target!(|bytes: &[u8]| {
    let Some((how, content)) = bytes.split_first() else { return };
    let (front, back) = content.split_at(content.len() / 2);
    match how % 5 {
        0 => drop(events(content, &[])),
        1 => drop(events(front, back)),
        // A tail beside a good but empty recording.
        2 => drop(events(HEADER, content)),
        // A segment that holds just this, however it decompresses.
        3 => drop(events(&segment(content, u32::from(*how) * 16, 1), &[])),
        // A segment of these lines.
        _ => {
            let stored = zstd::bulk::compress(content, 1).expect("anything can be compressed");
            let length = u32::try_from(content.len()).expect("inputs are short");
            let lines = content.split_inclusive(|byte| *byte == b'\n').count();
            let count = u32::try_from(lines).expect("inputs are short");
            if let Ok(read) = events(&segment(&stored, length, count), &[]) {
                assert_eq!(read, lines, "a recording that reads well gives every event");
            }
        }
    }
});

/// Reads to the end. Numbers go up, and after an error nothing comes.
fn events(sealed: &[u8], tail: &[u8]) -> Result<usize, String> {
    let mut reader = read::bytes(sealed, tail).map_err(|why| why.to_string())?;
    let (mut count, mut last) = (0, 0);
    while let Some(line) = reader.next() {
        let line = match line {
            Ok(line) => line,
            Err(why) => {
                assert!(reader.next().is_none(), "a reader goes on after an error");
                return Err(why.to_string());
            }
        };
        assert!(line.seq > last, "an event's number does not go up");
        last = line.seq;
        count += 1;
        // An event of a later version is no error.
        let _ = line.event();
        assert!(!line.json().is_empty());
    }
    Ok(count)
}

/// A recording of one segment, with a chain that fits.
fn segment(stored: &[u8], raw: u32, count: u32) -> Vec<u8> {
    let length = u32::try_from(stored.len()).expect("inputs are short");
    let words = [LAST, 1, 0, count, raw, length, 0];
    let prefix: Vec<u8> = b"SEGM".iter().copied().chain(words.iter().flat_map(|word| word.to_le_bytes())).collect();
    let start = digest(&SHA256, &[b"portcullis recording\0", HEADER].concat());
    let chain = digest(&SHA256, &[start.as_ref(), &prefix, stored].concat());
    [HEADER, &prefix, chain.as_ref(), stored].concat()
}
