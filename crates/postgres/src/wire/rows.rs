//! Result rows: `RowDescription`, which says what columns there are and where they come from, and
//! `DataRow`, read value by value (PostgreSQL manual, "Message Formats").

use super::WireError;
use super::body::Body;

/// One column of a result.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Column {
    /// The relation that the value comes from as it is; 0 where it is computed.
    pub relation: u32,
    /// The attribute of that relation; 0 for none.
    pub attribute: i16,
    /// The type's OID; a domain's is that of its base type.
    pub kind: u32,
    /// Whether the values are in the type's binary format.
    pub binary: bool,
    /// What it is called.
    pub name: Box<str>,
}

/// Reads a `RowDescription`'s body.
pub fn columns(body: &[u8]) -> Result<Vec<Column>, WireError> {
    let malformed = WireError::Malformed { tag: b'T' };
    let mut body = Body::new(b'T', body);
    let count = body.count()?;
    let mut columns = Vec::new();
    for _ in 0..count {
        let name = String::from_utf8_lossy(body.string()?).into();
        let relation = body.int()?.cast_unsigned();
        let attribute = body.short()?;
        let kind = body.int()?.cast_unsigned();
        // The type's size and its modifier.
        body.take(6)?;
        let binary = match body.short()? {
            0 => false,
            1 => true,
            _ => return Err(malformed),
        };
        columns.push(Column { relation, attribute, kind, binary, name });
    }
    body.end().map(|()| columns)
}

/// How many columns a `CopyOutResponse` announces.
pub fn copied_columns(body: &[u8]) -> Result<usize, WireError> {
    let mut body = Body::new(b'H', body);
    body.byte()?;
    let count = body.count()?;
    body.take(count.saturating_mul(2))?;
    body.end().map(|()| count)
}

/// The values of a `DataRow`, in order; `None` for NULL.
#[derive(Debug)]
pub struct Values<'a> {
    body: Body<'a>,
    left: usize,
}

impl<'a> Values<'a> {
    /// Begins to read a body.
    pub fn of(body: &'a [u8]) -> Result<Self, WireError> {
        let mut body = Body::new(b'D', body);
        let left = body.count()?;
        Ok(Self { body, left })
    }

    /// How many are left.
    pub const fn left(&self) -> usize {
        self.left
    }

    /// The next value.
    pub fn value(&mut self) -> Result<Option<&'a [u8]>, WireError> {
        self.left = self.left.checked_sub(1).ok_or(WireError::Malformed { tag: b'D' })?;
        self.body.value()
    }

    /// Requires that all has been read.
    pub fn end(&self) -> Result<(), WireError> {
        if self.left == 0 { self.body.end() } else { Err(WireError::Malformed { tag: b'D' }) }
    }
}

#[cfg(test)]
mod tests {
    use super::{Column, Values, columns};

    #[test]
    fn a_description_says_where_columns_come_from() {
        let body = b"\0\x02id\0\0\0\x40\x01\0\x01\0\0\0\x17\0\x04\xff\xff\xff\xff\0\x01x\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0";
        let id = Column { relation: 0x4001, attribute: 1, kind: 23, binary: true, name: "id".into() };
        let x = Column { relation: 0, attribute: 0, kind: 25, binary: false, name: "x".into() };
        assert_eq!(columns(body), Ok(vec![id, x]));
        assert!(columns(&body[..body.len() - 1]).is_err());
        assert!(columns(&[body, &b"\0"[..]].concat()).is_err());
        assert!(columns(b"\xff\xff").is_err());
    }

    #[test]
    fn a_row_is_read_to_its_end_and_no_further() {
        let mut values = Values::of(b"\0\x02\xff\xff\xff\xff\0\0\0\x01a").unwrap();
        assert_eq!(values.left(), 2);
        assert_eq!(values.value(), Ok(None));
        assert!(values.end().is_err());
        assert_eq!(values.value(), Ok(Some(&b"a"[..])));
        assert_eq!(values.end(), Ok(()));
        assert!(values.value().is_err());
        assert!(Values::of(b"\0\x01\0\0\0\x02a").unwrap().value().is_err());
    }
}
