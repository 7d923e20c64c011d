//! Frames: where a message begins and ends. A frame is a type byte, a length that counts itself
//! but not the type byte, and a body.

use super::WireError;

/// Bytes of a frame before its body.
pub const HEADER: usize = 5;

/// The longest message that is read as a whole: a statement's text, an error, a row description.
pub const MAX_WHOLE: usize = 32 << 20;

/// The longest password or SASL message: real tokens reach tens of kilobytes.
pub const MAX_PASSWORD: usize = 64 << 10;

/// The longest message that is passed on in pieces: what a length field can say (PostgreSQL
/// itself stops at 1 GiB).
pub const MAX_STREAMED: usize = 1 << 30;

/// The first five bytes of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The message type.
    pub tag: u8,
    /// Bytes of the whole frame, type byte included.
    pub total: usize,
}

impl Header {
    /// Bytes of the body.
    pub const fn body(self) -> usize {
        self.total.saturating_sub(HEADER)
    }
}

/// Reads the header at the front of `buf`; `None` where it has not all arrived. A frame longer
/// than `limit` says for its type is an error.
pub fn peek(buf: &[u8], limit: impl FnOnce(u8) -> usize) -> Result<Option<Header>, WireError> {
    let [tag, a, b, c, d, ..] = *buf else { return Ok(None) };
    let length = u32::from_be_bytes([a, b, c, d]);
    let total = usize::try_from(length).unwrap_or(usize::MAX).saturating_add(1);
    if total < HEADER || total > limit(tag) {
        return Err(WireError::Length { tag, length });
    }
    Ok(Some(Header { tag, total }))
}

#[cfg(test)]
mod tests {
    use super::{Header, peek};
    use crate::wire::WireError;

    #[test]
    fn a_header_is_read_when_it_is_whole_and_in_bounds() {
        let limit = |_| 100;
        assert_eq!(peek(b"Q\0\0\0", limit), Ok(None));
        assert_eq!(peek(b"Q\0\0\0\x04", limit), Ok(Some(Header { tag: b'Q', total: 5 })));
        assert_eq!(peek(b"Q\0\0\0\x03", limit), Err(WireError::Length { tag: b'Q', length: 3 }));
        assert_eq!(peek(b"Q\0\0\0\x64", limit), Err(WireError::Length { tag: b'Q', length: 100 }));
        assert_eq!(peek(b"Q\xff\xff\xff\xff", limit), Err(WireError::Length { tag: b'Q', length: u32::MAX }));
    }
}
