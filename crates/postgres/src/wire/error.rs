//! The fields of `ErrorResponse` and `NoticeResponse` (PostgreSQL manual, "Error and Notice Message
//! Fields").

use super::WireError;
use super::body::Body;

/// The fields that the gate looks at. The rest is relayed and not read.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Fields<'a> {
    /// `V`, or `S` where a target is too old to send `V`.
    pub severity: &'a [u8],
    /// `C`, the SQLSTATE.
    pub code: &'a [u8],
    /// `M`, the message.
    pub message: &'a [u8],
}

impl Fields<'_> {
    /// Whether the connection ends with this.
    pub fn is_fatal(&self) -> bool {
        matches!(self.severity, b"FATAL" | b"PANIC")
    }
}

/// Reads the fields of an error or notice body.
pub fn fields(tag: u8, body: &[u8]) -> Result<Fields<'_>, WireError> {
    let mut body = Body::new(tag, body);
    let mut fields = Fields::default();
    let mut unlocalised = false;
    loop {
        match body.byte()? {
            0 => return body.end().map(|()| fields),
            b'V' => {
                fields.severity = body.string()?;
                unlocalised = true;
            }
            b'S' => {
                let severity = body.string()?;
                if !unlocalised {
                    fields.severity = severity;
                }
            }
            b'C' => fields.code = body.string()?,
            b'M' => fields.message = body.string()?,
            _ => {
                body.string()?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::fields;

    #[test]
    fn severity_code_and_message_are_found() {
        let read = fields(b'E', b"SFATAL\0VFATAL\0C57P01\0Mbye\0Fpostgres.c\0\0").unwrap();
        assert!(read.is_fatal());
        assert_eq!((read.code, read.message), (&b"57P01"[..], &b"bye"[..]));
        assert!(fields(b'E', b"SERROR\0").is_err());
        assert!(fields(b'E', b"\0x").is_err());
    }
}
