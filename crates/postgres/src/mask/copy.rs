//! `COPY … TO STDOUT`: the same rows in other clothes. Data comes in pieces that need not end where
//! rows do, so a row is masked when it is whole.

use std::sync::Arc;

use bytes::{Buf, BufMut, BytesMut};
use portcullis_core::permit::Permit;
use portcullis_sql::postgres::copy::{Layout, Signs};

use super::plan::Plan;
use super::report::framed;
use super::value::put;
use crate::wire::rows::Values;

/// The longest row, in bytes.
const MAX_ROW: usize = crate::wire::frame::MAX_WHOLE;

/// How COPY's binary data begins.
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";

/// Signature, flags, and the length of what extends the header.
const HEADER: usize = 19;

/// Data that is not what its layout says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the data of a COPY is not as its statement says")]
pub(crate) struct NotAsSaid;

/// A COPY that is being masked.
#[derive(Debug)]
pub(crate) struct Copying {
    plan: Arc<Plan>,
    layout: Layout,
    /// What has come of the row that is not whole yet.
    row: BytesMut,
    /// How much of it has been looked at, and whether that ended inside of quotes.
    looked: usize,
    quoted: bool,
    /// The first line, or the binary header, has passed.
    begun: bool,
}

impl Copying {
    pub(crate) fn new(plan: Arc<Plan>, layout: Layout) -> Self {
        let begun = match &layout {
            Layout::Text(signs) | Layout::Csv { signs, .. } => !signs.header,
            Layout::Binary => false,
        };
        Self { plan, layout, row: BytesMut::new(), looked: 0, quoted: false, begun }
    }

    /// Takes a piece of data and appends the rows that are whole with it, each as a message.
    pub(crate) fn data(&mut self, piece: &[u8], permit: &mut Permit, out: &mut BytesMut) -> Result<(), NotAsSaid> {
        self.row.extend_from_slice(piece);
        while let Some(length) = self.whole()? {
            let row = self.row.split_to(length);
            self.looked = 0;
            let mut shown = BytesMut::with_capacity(row.len());
            if std::mem::replace(&mut self.begun, true) {
                self.show(&row, permit, &mut shown)?;
            } else {
                shown.put_slice(&row);
            }
            framed(b'd', out, |out| out.put_slice(&shown));
        }
        if self.row.len() > MAX_ROW { Err(NotAsSaid) } else { Ok(()) }
    }

    /// The data has ended: so must have its last row.
    pub(crate) fn end(&self) -> Result<(), NotAsSaid> {
        if self.row.is_empty() { Ok(()) } else { Err(NotAsSaid) }
    }

    /// The length of the first row, where it is whole.
    fn whole(&mut self) -> Result<Option<usize>, NotAsSaid> {
        match self.layout {
            Layout::Text(_) => {
                let end = memchr::memchr(b'\n', self.row.get(self.looked..).unwrap_or_default());
                let found = end.map(|end| self.looked.saturating_add(end).saturating_add(1));
                self.looked = self.row.len();
                Ok(found)
            }
            Layout::Csv { quote, escape, .. } => Ok(self.whole_line(quote, escape)),
            Layout::Binary => self.whole_tuple(),
        }
    }

    /// A line of comma-separated values ends where no quotes are open.
    fn whole_line(&mut self, quote: u8, escape: u8) -> Option<usize> {
        while let Some(byte) = self.row.get(self.looked) {
            let at = self.looked;
            self.looked = at.saturating_add(1);
            match *byte {
                byte if self.quoted && byte == escape && escape != quote => {
                    // What it escapes has to be there to be skipped.
                    if self.row.get(self.looked).is_none() {
                        self.looked = at;
                        return None;
                    }
                    self.looked = self.looked.saturating_add(1);
                }
                byte if byte == quote => self.quoted = !self.quoted,
                b'\n' if !self.quoted => return Some(self.looked),
                _ => {}
            }
        }
        None
    }

    fn whole_tuple(&self) -> Result<Option<usize>, NotAsSaid> {
        let mut rest = &self.row[..];
        if !self.begun {
            let Some(head) = rest.get(..HEADER) else { return Ok(None) };
            let extension = head.get(HEADER - 4..).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok());
            let length = extension.map(u32::from_be_bytes).and_then(|length| usize::try_from(length).ok());
            let length = length.filter(|length| *length < MAX_ROW).ok_or(NotAsSaid)?;
            if !head.starts_with(SIGNATURE) {
                return Err(NotAsSaid);
            }
            let total = HEADER.saturating_add(length);
            return Ok((rest.len() >= total).then_some(total));
        }
        if rest.len() < 2 {
            return Ok(None);
        }
        for _ in 0..rest.get_i16().max(0) {
            if rest.len() < 4 {
                return Ok(None);
            }
            let length = usize::try_from(rest.get_i32()).unwrap_or(0);
            if rest.len() < length {
                return Ok(None);
            }
            rest.advance(length);
        }
        Ok(Some(self.row.len().saturating_sub(rest.len())))
    }

    fn show(&self, row: &[u8], permit: &mut Permit, out: &mut BytesMut) -> Result<(), NotAsSaid> {
        match &self.layout {
            Layout::Text(signs) => self.show_line(row, signs, permit, out),
            Layout::Csv { signs, quote, escape } => self.show_values(row, signs, *quote, *escape, permit, out),
            Layout::Binary if row == b"\xff\xff" => {
                out.put_slice(row);
                Ok(())
            }
            Layout::Binary => {
                let mut values = Values::of(row).map_err(|_| NotAsSaid)?;
                if values.left() != self.plan.columns() {
                    return Err(NotAsSaid);
                }
                out.put_slice(row.get(..2).unwrap_or_default());
                for column in 0..self.plan.columns() {
                    let value = values.value().map_err(|_| NotAsSaid)?;
                    put(out, self.plan.show(column, value, permit).as_deref());
                }
                values.end().map_err(|_| NotAsSaid)
            }
        }
    }

    fn show_line(&self, row: &[u8], signs: &Signs, permit: &mut Permit, out: &mut BytesMut) -> Result<(), NotAsSaid> {
        let line = row.strip_suffix(b"\n").ok_or(NotAsSaid)?;
        let mut column = 0;
        for field in (Escaped { rest: Some(line), delimiter: signs.delimiter }) {
            if column > 0 {
                out.put_u8(signs.delimiter);
            }
            let value = (*field != *signs.null).then(|| unescaped(field));
            match self.plan.show(column, value.as_deref(), permit) {
                Some(shown) => escape_into(out, &shown, signs.delimiter),
                None => out.put_slice(&signs.null),
            }
            column = column.saturating_add(1);
        }
        out.put_u8(b'\n');
        // A row without columns is an empty line.
        if column == self.plan.columns() || (line.is_empty() && self.plan.columns() == 0) {
            Ok(())
        } else {
            Err(NotAsSaid)
        }
    }

    fn show_values(
        &self,
        row: &[u8],
        signs: &Signs,
        quote: u8,
        escape: u8,
        permit: &mut Permit,
        out: &mut BytesMut,
    ) -> Result<(), NotAsSaid> {
        let line = row.strip_suffix(b"\n").ok_or(NotAsSaid)?;
        let mut column = 0;
        let mut rest = Some(line);
        while let Some(field) = rest {
            if column > 0 {
                out.put_u8(signs.delimiter);
            }
            let (value, was_quoted, behind) = csv_value(field, signs.delimiter, quote, escape)?;
            let value = (was_quoted || *value != *signs.null).then_some(value);
            match self.plan.show(column, value.as_deref(), permit) {
                Some(shown) => quote_into(out, &shown, was_quoted, signs, quote, escape),
                None => out.put_slice(&signs.null),
            }
            column = column.saturating_add(1);
            rest = behind;
        }
        out.put_u8(b'\n');
        if column == self.plan.columns() { Ok(()) } else { Err(NotAsSaid) }
    }
}

/// The fields of a line, with their escapes.
struct Escaped<'a> {
    rest: Option<&'a [u8]>,
    delimiter: u8,
}

impl<'a> Iterator for Escaped<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest?;
        let mut escaped = false;
        let end = rest.iter().position(|byte| {
            let ends = *byte == self.delimiter && !escaped;
            escaped = *byte == b'\\' && !escaped;
            ends
        });
        let (field, behind) = match end {
            Some(end) => (rest.get(..end)?, rest.get(end.saturating_add(1)..)),
            None => (rest, None),
        };
        self.rest = behind;
        Some(field)
    }
}

fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(field.len());
    let mut bytes = field.iter();
    while let Some(byte) = bytes.next() {
        value.push(match (byte, if *byte == b'\\' { bytes.next() } else { None }) {
            (_, Some(b'b')) => 8,
            (_, Some(b'f')) => 12,
            (_, Some(b'n')) => b'\n',
            (_, Some(b'r')) => b'\r',
            (_, Some(b't')) => b'\t',
            (_, Some(b'v')) => 11,
            (_, Some(other)) => *other,
            (byte, None) => *byte,
        });
    }
    value
}

fn escape_into(out: &mut BytesMut, value: &[u8], delimiter: u8) {
    for byte in value {
        let letter = match *byte {
            8 => b'b',
            12 => b'f',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            11 => b'v',
            byte if byte == b'\\' || byte == delimiter => byte,
            byte => {
                out.put_u8(byte);
                continue;
            }
        };
        out.put_slice(&[b'\\', letter]);
    }
}

type CsvValue<'a> = (Vec<u8>, bool, Option<&'a [u8]>);

/// The first value of a line, whether it was in quotes, and what is behind its delimiter.
fn csv_value(line: &[u8], delimiter: u8, quote: u8, escape: u8) -> Result<CsvValue<'_>, NotAsSaid> {
    let (mut value, mut quoted, mut was_quoted, mut at) = (Vec::new(), false, false, 0_usize);
    while let Some(byte) = line.get(at).copied() {
        at = at.saturating_add(1);
        let next = line.get(at).copied();
        if quoted && byte == escape && next.is_some_and(|next| next == quote || next == escape) {
            value.extend(next);
            at = at.saturating_add(1);
        } else if byte == quote {
            quoted = !quoted;
            was_quoted = true;
        } else if byte == delimiter && !quoted {
            return Ok((value, was_quoted, Some(line.get(at..).unwrap_or_default())));
        } else {
            value.push(byte);
        }
    }
    if quoted { Err(NotAsSaid) } else { Ok((value, was_quoted, None)) }
}

fn quote_into(out: &mut BytesMut, value: &[u8], was_quoted: bool, signs: &Signs, quote: u8, escape: u8) {
    let special = |byte: &u8| *byte == quote || *byte == signs.delimiter || matches!(byte, b'\n' | b'\r');
    if !was_quoted && *value != *signs.null && !value.iter().any(special) {
        out.put_slice(value);
        return;
    }
    out.put_u8(quote);
    for byte in value {
        if *byte == quote || *byte == escape {
            out.put_u8(escape);
        }
        out.put_u8(*byte);
    }
    out.put_u8(quote);
}
