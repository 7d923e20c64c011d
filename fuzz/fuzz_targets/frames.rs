//! Frames and message bodies of the Postgres wire format: whatever is in them, they are read within
//! their bounds, and no differently for how they arrive.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use portcullis_postgres::wire::body::Body;
use portcullis_postgres::wire::frame::{HEADER, MAX_WHOLE, peek};
use portcullis_postgres::wire::write::{Report, Severity, report};
use portcullis_postgres::wire::{bind, error};

/// A limit that a frame of this size can pass, with some types held shorter.
fn limit(tag: u8) -> usize {
    if tag.is_ascii_lowercase() { 64 } else { MAX_WHOLE }
}

fuzz_target!(|bytes: &[u8]| {
    let mut rest = bytes;
    while let Ok(Some(header)) = peek(rest, limit) {
        assert!((HEADER..=limit(header.tag)).contains(&header.total));
        assert_eq!(header.body() + HEADER, header.total);
        assert!((0..HEADER).all(|cut| peek(&rest[..cut], limit) == Ok(None)));
        let Some(frame) = rest.get(..header.total) else { break };
        body(header.tag, &frame[HEADER..]);
        rest = &rest[header.total..];
    }
    reported(bytes);
});

fn body(tag: u8, body: &[u8]) {
    match tag {
        b'B' => bound(body),
        b'E' | b'N' => {
            if let Ok(fields) = error::fields(tag, body) {
                let read = fields.severity.len() + fields.code.len() + fields.message.len();
                assert!(read <= body.len());
                assert_eq!(body.last(), Some(&0));
            }
        }
        _ => {}
    }
    in_any_order(tag, body);
}

/// The head of a Bind is what it is once it has arrived; what follows does not change it.
fn bound(body: &[u8]) {
    let whole = bind::head(body);
    for cut in (0..body.len()).rev().take(64) {
        let part = bind::head(&body[..cut]);
        assert!(part.is_err() || part == whole, "a Bind that is cut reads as another one");
    }
    if let Ok(head) = whole {
        let names = [head.portal, &[0], head.statement, &[0]].concat();
        assert!(body.starts_with(&names));
    }
}

/// Reads a body by whatever its own first bytes say, and puts it together again.
fn in_any_order(tag: u8, bytes: &[u8]) {
    let (steps, mut left) = bytes.split_at(bytes.len().min(8));
    let mut body = Body::new(tag, left);
    for step in steps {
        let before = body.rest().len();
        let read = match step % 6 {
            0 => body.byte().map(|byte| assert_eq!(byte, left[0])),
            1 => body.count().map(|count| assert!(count <= 32_767)),
            2 => body.wide_count().map(|count| assert!(count <= 65_535)),
            3 => body.int().map(drop),
            4 => body.string().map(|string| assert!(!string.contains(&0) && left[string.len()] == 0)),
            _ => body.take(usize::from(*step)).map(|taken| assert_eq!(taken, &left[..taken.len()])),
        };
        let Ok(()) = read else { return };
        left = &left[before - body.rest().len()..];
        assert_eq!(left, body.rest());
    }
    assert_eq!(body.end().is_ok(), left.is_empty());
}

/// What the gate says itself is one whole message, whatever texts it is made of.
fn reported(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let told = Report { code: "42501", message: text.clone(), detail: Some(text.clone()), hint: Some(text) };
    let mut out = BytesMut::new();
    report(&mut out, Severity::Error, &told);
    let header = peek(&out, |_| usize::MAX).ok().flatten().expect("a report is a frame");
    assert_eq!(header.total, out.len(), "a report is one frame");
    let fields = error::fields(b'E', &out[HEADER..]).expect("a report is well formed");
    assert_eq!((fields.severity, fields.code), (&b"ERROR"[..], &b"42501"[..]));
}
