//! A message body, read from front to back. Whatever remains at the end is an error.

use super::WireError;

/// The body of one message.
#[derive(Debug, Clone, Copy)]
pub struct Body<'a> {
    tag: u8,
    rest: &'a [u8],
}

impl<'a> Body<'a> {
    /// A body of type `tag`, without the frame's header.
    pub const fn new(tag: u8, bytes: &'a [u8]) -> Self {
        Self { tag, rest: bytes }
    }

    /// What has not been read yet.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    const fn malformed(&self) -> WireError {
        WireError::Malformed { tag: self.tag }
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], WireError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(self.malformed())?;
        self.rest = rest;
        Ok(taken)
    }

    /// The next byte.
    pub fn byte(&mut self) -> Result<u8, WireError> {
        self.take(1)?.first().copied().ok_or(self.malformed())
    }

    /// The next 16-bit count.
    pub fn count(&mut self) -> Result<usize, WireError> {
        usize::try_from(self.short()?).map_err(|_| self.malformed())
    }

    /// The next unsigned 16-bit count: Bind carries up to 65,535 parameters.
    pub fn wide_count(&mut self) -> Result<usize, WireError> {
        let bytes: [u8; 2] = self.take(2)?.try_into().map_err(|_| self.malformed())?;
        Ok(usize::from(u16::from_be_bytes(bytes)))
    }

    /// The next 16-bit number.
    pub fn short(&mut self) -> Result<i16, WireError> {
        let bytes: [u8; 2] = self.take(2)?.try_into().map_err(|_| self.malformed())?;
        Ok(i16::from_be_bytes(bytes))
    }

    /// The next value with its length before it; `None` for NULL.
    pub fn value(&mut self) -> Result<Option<&'a [u8]>, WireError> {
        match self.int()? {
            -1 => Ok(None),
            length => self.take(usize::try_from(length).map_err(|_| self.malformed())?).map(Some),
        }
    }

    /// The next 32-bit number.
    pub fn int(&mut self) -> Result<i32, WireError> {
        let bytes: [u8; 4] = self.take(4)?.try_into().map_err(|_| self.malformed())?;
        Ok(i32::from_be_bytes(bytes))
    }

    /// The next string, without its NUL.
    pub fn string(&mut self) -> Result<&'a [u8], WireError> {
        let end = self.rest.iter().position(|byte| *byte == 0).ok_or(self.malformed())?;
        let string = self.take(end)?;
        self.take(1)?;
        Ok(string)
    }

    /// Requires that everything has been read.
    pub const fn end(&self) -> Result<(), WireError> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.malformed()) }
    }
}
