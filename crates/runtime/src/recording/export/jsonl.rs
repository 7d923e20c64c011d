//! JSON lines: `{"seq":1,"at":"2026-11-23T02:59:00.000000Z","event":{…}}`, the event as it is stored
//! (docs/recording.md). Events of later versions pass, for nothing here looks into them.

use crate::recording::read::Line;

pub(super) fn write(line: &Line, out: &mut Vec<u8>) {
    let head = format!("{{\"seq\":{},\"at\":\"{}\",\"event\":", line.seq, rfc3339(line.at));
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(line.json().as_bytes());
    out.extend_from_slice(b"}\n");
}

/// A moment with its microseconds.
fn rfc3339(micros: u64) -> String {
    let moment = i64::try_from(micros).ok().and_then(|micros| jiff::Timestamp::from_microsecond(micros).ok());
    format!("{:.6}", moment.unwrap_or(jiff::Timestamp::MAX))
}
