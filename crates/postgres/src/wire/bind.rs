//! A Bind message: its head, which is names and parameter count, and the values, which may be large
//! and are passed on in pieces where nobody has to read them.

use super::WireError;
use super::body::Body;

/// The longest head: two names and 65,535 format codes.
pub const MAX_HEAD: usize = 256 << 10;

/// The head of a Bind.
#[derive(Debug, PartialEq, Eq)]
pub struct BindHead<'a> {
    /// The portal that is made; empty for the unnamed one.
    pub portal: &'a [u8],
    /// The statement that it runs.
    pub statement: &'a [u8],
    /// How many values are bound.
    pub parameters: usize,
}

/// Reads the head from as much of the body as there is.
pub fn head(body: &[u8]) -> Result<BindHead<'_>, WireError> {
    let mut body = Body::new(b'B', body);
    let portal = body.string()?;
    let statement = body.string()?;
    let formats = body.wide_count()?;
    body.take(formats.saturating_mul(2))?;
    Ok(BindHead { portal, statement, parameters: body.wide_count()? })
}

/// One bound value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Value<'a> {
    /// Its bytes; none for NULL.
    pub bytes: Option<&'a [u8]>,
    /// Whether they are in the type's binary format.
    pub binary: bool,
}

/// Reads the values of a whole body.
pub fn values(body: &[u8]) -> Result<Vec<Value<'_>>, WireError> {
    let malformed = WireError::Malformed { tag: b'B' };
    let mut body = Body::new(b'B', body);
    body.string()?;
    body.string()?;
    let formats = (0..body.wide_count()?).map(|_| body.wide_count()).collect::<Result<Vec<_>, _>>()?;
    let count = body.wide_count()?;
    let format = |place: usize| match &formats[..] {
        [] => Some(0),
        // One format is that of all values.
        [all] => Some(*all),
        each => each.get(place).copied(),
    };
    let mut values = Vec::with_capacity(count);
    for place in 0..count {
        let binary = match format(place) {
            Some(0) => false,
            Some(1) => true,
            _ => return Err(malformed),
        };
        values.push(Value { bytes: body.value()?, binary });
    }
    for _ in 0..body.wide_count()? {
        body.wide_count()?;
    }
    body.end()?;
    Ok(values)
}

/// The formats that a whole body asks for: none for text throughout, one for all columns, or one a
/// column; true for binary.
pub fn result_formats(body: &[u8]) -> Result<Box<[bool]>, WireError> {
    let head = head(body)?;
    let mut body = Body::new(b'B', body);
    body.string()?;
    body.string()?;
    let formats = body.wide_count()?;
    body.take(formats.saturating_mul(2))?;
    body.wide_count()?;
    for _ in 0..head.parameters {
        body.value()?;
    }
    let formats = (0..body.wide_count()?).map(|_| Ok(body.wide_count()? == 1)).collect::<Result<_, WireError>>()?;
    body.end()?;
    Ok(formats)
}

#[cfg(test)]
mod tests {
    use super::{BindHead, Value, head, result_formats, values};

    #[test]
    fn values_are_read_with_their_formats() {
        let text = |bytes| Value { bytes: Some(bytes), binary: false };
        let two = b"\0\0\0\0\0\x02\0\0\0\x01a\0\0\0\0\0\0";
        assert_eq!(values(two), Ok(vec![text(b"a"), text(b"")]));
        let null = b"\0\0\0\x01\0\x01\0\x01\xff\xff\xff\xff\0\x01\0\x01";
        assert_eq!(values(null), Ok(vec![Value { bytes: None, binary: true }]));
        for bad in [
            // A format that is none, formats for two of three, a value that is cut, something behind.
            &b"\0\0\0\x01\0\x02\0\x01\0\0\0\0\0\0"[..],
            b"\0\0\0\x02\0\0\0\0\0\x03\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
            b"\0\0\0\0\0\x01\0\0\0\x05a\0\0",
            b"\0\0\0\0\0\0\0\0x",
        ] {
            assert!(values(bad).is_err(), "{bad:?} was read");
        }
    }

    #[test]
    fn formats_of_the_result_stand_behind_the_values() {
        assert_eq!(result_formats(b"\0\0\0\0\0\x02\0\0\0\x01a\0\0\0\0\0\0"), Ok([].into()));
        assert_eq!(result_formats(b"\0\0\0\x01\0\x01\0\x01\xff\xff\xff\xff\0\x02\0\x01\0\0"), Ok([true, false].into()));
        assert!(result_formats(b"\0\0\0\0\0\0\0\x01").is_err());
    }

    #[test]
    fn the_head_says_portal_statement_and_count() {
        let body = b"p\0s\0\0\x01\0\x01\0\x02rest";
        assert_eq!(head(body), Ok(BindHead { portal: b"p", statement: b"s", parameters: 2 }));
        assert!(head(b"p\0s\0\xff\xff").is_err());
    }
}
