//! The head of a Bind message: names and parameter count, without the values, which may be large
//! and are passed on in pieces.

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

#[cfg(test)]
mod tests {
    use super::{BindHead, head};

    #[test]
    fn the_head_says_portal_statement_and_count() {
        let body = b"p\0s\0\0\x01\0\x01\0\x02rest";
        assert_eq!(head(body), Ok(BindHead { portal: b"p", statement: b"s", parameters: 2 }));
        assert!(head(b"p\0s\0\xff\xff").is_err());
    }
}
