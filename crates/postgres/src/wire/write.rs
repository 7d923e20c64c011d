//! What the gate itself says, to client and target, in `pgwire`'s codecs.

use bytes::{BufMut, BytesMut};
use pgwire::messages::Message;
use pgwire::messages::extendedquery::{Flush, Parse};
use pgwire::messages::response::{ErrorResponse, NoticeResponse};
use pgwire::messages::simplequery::Query;

/// Appends a message. Encoding into memory fails only where a length cannot be stated, and every
/// message of the gate's own is far below that; then nothing is appended.
pub fn message<M: Message>(out: &mut BytesMut, message: &M) {
    let before = out.len();
    if message.encode(out).is_err() {
        out.truncate(before);
    }
}

/// Severity of an error or notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The session goes on.
    Error,
    /// The connection ends.
    Fatal,
    /// Only for reading.
    Notice,
}

/// The text of an error or notice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// SQLSTATE.
    pub code: &'static str,
    /// One line.
    pub message: String,
    /// More, if there is more.
    pub detail: Option<String>,
    /// What to do.
    pub hint: Option<String>,
}

/// Appends an error or notice.
pub fn report(out: &mut BytesMut, severity: Severity, report: &Report) {
    let word = match severity {
        Severity::Error => "ERROR",
        Severity::Fatal => "FATAL",
        Severity::Notice => "NOTICE",
    };
    let mut fields = vec![
        (b'S', word.to_owned()),
        (b'V', word.to_owned()),
        (b'C', report.code.to_owned()),
        (b'M', one_string(&report.message)),
    ];
    fields.extend(report.detail.as_deref().map(|detail| (b'D', one_string(detail))));
    fields.extend(report.hint.as_deref().map(|hint| (b'H', one_string(hint))));
    match severity {
        Severity::Error | Severity::Fatal => message(out, &ErrorResponse::new(fields)),
        Severity::Notice => message(out, &NoticeResponse::new(fields)),
    }
}

/// A text without NUL, which would end the string on the wire.
fn one_string(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// A text that no PostgreSQL can parse, whatever its settings: what stands in for a refused
/// statement, so that the target itself fails in its place and keeps order, transaction state
/// and skip-to-Sync true.
pub const STAND_IN: &str = "portcullis refused this statement";

/// The name under which the stand-in is parsed; nothing is ever made under it.
pub const STAND_IN_NAME: &str = "portcullis_refused";

/// Appends the stand-in for a refused simple query.
pub fn stand_in_query(out: &mut BytesMut) {
    message(out, &Query::new(STAND_IN.to_owned()));
}

/// Appends the stand-in for a refused message of the extended protocol.
pub fn stand_in_parse(out: &mut BytesMut) {
    message(out, &Parse::new(Some(STAND_IN_NAME.to_owned()), STAND_IN.to_owned(), Vec::new()));
}

/// Appends a Describe of a portal; its name is none of the gate's, so it is written as it came.
pub fn describe_portal(out: &mut BytesMut, portal: &[u8]) {
    out.put_u8(b'D');
    out.put_u32(u32::try_from(portal.len().saturating_add(6)).unwrap_or(u32::MAX));
    out.put_u8(b'P');
    out.put_slice(portal);
    out.put_u8(0);
}

/// Appends a Flush, which makes the target say what it has to say.
pub fn flush(out: &mut BytesMut) {
    message(out, &Flush::new());
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::{Report, Severity, report, stand_in_parse, stand_in_query};

    #[test]
    fn a_report_is_an_error_response_without_stray_nuls() {
        let mut out = BytesMut::new();
        report(
            &mut out,
            Severity::Error,
            &Report { code: "42501", message: "no\0pe".into(), detail: None, hint: None },
        );
        assert_eq!(&out[..], "E\0\0\0\x23SERROR\0VERROR\0C42501\0Mno\u{fffd}pe\0\0".as_bytes());
    }

    #[test]
    fn stand_ins_are_whole_frames() {
        for write in [stand_in_query, stand_in_parse] {
            let mut out = BytesMut::new();
            write(&mut out);
            let length = u32::from_be_bytes(out[1..5].try_into().unwrap());
            assert_eq!(out.len(), length as usize + 1);
        }
    }
}
