//! One value of a result, as its client may see it. What is masked keeps its type: text becomes
//! text, JSON becomes JSON, and everything else NULL.

use std::borrow::Cow;

use bytes::{BufMut, BytesMut};
use portcullis_core::masking::{Field, Kind, Tags};
use portcullis_core::permit::Permit;

use super::form::{Form, Nested};
use crate::wire::WireError;
use crate::wire::body::Body;

/// How deep arrays and composites may be nested in each other; what lies deeper is NULL.
const MAX_DEPTH: u8 = 16;

/// What is done with a column's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Treatment {
    /// What the values carry by where they come from.
    pub(crate) tags: Tags,
    /// Whether they are looked at for what they look like.
    pub(crate) scan: bool,
    pub(crate) form: Form,
}

impl Treatment {
    /// Whether values pass as they are.
    pub(crate) fn passes(self) -> bool {
        self.tags.is_empty() && (!self.scan || self.form == Form::Fixed)
    }

    /// Shows a value; `None` is NULL.
    pub(crate) fn show<'v>(self, value: &'v [u8], permit: &mut Permit) -> Option<Cow<'v, [u8]>> {
        if self.passes() {
            return Some(Cow::Borrowed(value));
        }
        match self.form {
            Form::Text => self.apply(Kind::Text, value, permit),
            Form::Json => self.apply(Kind::Json, value, permit),
            Form::Jsonb => {
                let (version, json) = value.split_first()?;
                let shown = self.apply(Kind::Json, json, permit)?;
                Some(Cow::Owned([std::slice::from_ref(version), &shown].concat()))
            }
            _ if !self.tags.is_empty() => self.apply(Kind::Fixed, value, permit),
            Form::Literal => self.apply(Kind::Text, value, permit),
            Form::Opaque => {
                let shown = self.apply(Kind::Text, value, permit)?;
                (*shown == *value).then_some(Cow::Borrowed(value))
            }
            Form::Int8 => {
                let digits = i64::from_be_bytes(value.try_into().ok()?).to_string();
                let shown = self.apply(Kind::Text, digits.as_bytes(), permit)?;
                (*shown == *digits.as_bytes()).then_some(Cow::Borrowed(value))
            }
            // What is not what its type says cannot be looked into, so it is not shown.
            Form::Nested(nested) => self.nested(nested, value, permit, MAX_DEPTH).ok().map(owned),
            Form::Fixed => Some(Cow::Borrowed(value)),
        }
    }

    fn apply<'v>(self, kind: Kind, value: &'v [u8], permit: &mut Permit) -> Option<Cow<'v, [u8]>> {
        permit.mask(&Field { tags: self.tags, kind, scan: self.scan }, value).into_bytes()
    }

    /// Arrays and composites in binary: what stands in them is looked at one by one.
    fn nested(self, nested: Nested, value: &[u8], permit: &mut Permit, depth: u8) -> Result<BytesMut, WireError> {
        let mut body = Body::new(b'D', value);
        let mut out = BytesMut::with_capacity(value.len());
        let mut kind = 0;
        let elements = match nested {
            Nested::Composite => copied(&mut body, &mut out)?,
            Nested::Array => {
                let dimensions = copied(&mut body, &mut out)?;
                copied(&mut body, &mut out)?;
                kind = copied(&mut body, &mut out)?.cast_unsigned();
                let mut elements = i32::from(dimensions > 0);
                for _ in 0..dimensions {
                    elements = elements.saturating_mul(copied(&mut body, &mut out)?);
                    copied(&mut body, &mut out)?;
                }
                elements
            }
        };
        for _ in 0..elements {
            if nested == Nested::Composite {
                kind = copied(&mut body, &mut out)?.cast_unsigned();
            }
            let shown = match (body.value()?, Form::of_type(kind, true), depth.checked_sub(1)) {
                (Some(value), Form::Nested(inner), Some(depth)) => {
                    Some(owned(self.nested(inner, value, permit, depth)?))
                }
                (Some(value), form, Some(_)) => Self { form, ..self }.show(value, permit),
                (None, ..) | (_, _, None) => None,
            };
            put(&mut out, shown.as_deref());
        }
        body.end().map(|()| out)
    }
}

fn owned(bytes: BytesMut) -> Cow<'static, [u8]> {
    Cow::Owned(bytes.into())
}

fn copied(body: &mut Body<'_>, out: &mut BytesMut) -> Result<i32, WireError> {
    let number = body.int()?;
    out.put_i32(number);
    Ok(number)
}

/// Appends a value with its length before it. Lengths beyond what the protocol can state do not
/// come up: a masked value is no longer than a message.
pub(super) fn put(out: &mut BytesMut, value: Option<&[u8]>) {
    out.put_i32(value.map_or(-1, |value| i32::try_from(value.len()).unwrap_or(i32::MAX)));
    out.put_slice(value.unwrap_or_default());
}
