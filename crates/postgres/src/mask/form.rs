//! How a type's values look on the wire, as far as masking has to know: where text can stand, and
//! what a masked value may be so that the client's driver still reads it.

use crate::wire::rows::Column;

/// Type OIDs of PostgreSQL (`pg_type.dat`), which never change.
mod oid {
    pub(super) const BOOL: u32 = 16;
    pub(super) const BYTEA: u32 = 17;
    pub(super) const CHAR: u32 = 18;
    pub(super) const NAME: u32 = 19;
    pub(super) const INT8: u32 = 20;
    pub(super) const INT2: u32 = 21;
    pub(super) const INT4: u32 = 23;
    pub(super) const TEXT: u32 = 25;
    pub(super) const OID: u32 = 26;
    pub(super) const JSON: u32 = 114;
    pub(super) const JSON_ARRAY: u32 = 199;
    pub(super) const FLOAT4: u32 = 700;
    pub(super) const FLOAT8: u32 = 701;
    pub(super) const UNKNOWN: u32 = 705;
    pub(super) const NAME_ARRAY: u32 = 1003;
    pub(super) const TEXT_ARRAY: u32 = 1009;
    pub(super) const BPCHAR_ARRAY: u32 = 1014;
    pub(super) const VARCHAR_ARRAY: u32 = 1015;
    pub(super) const BPCHAR: u32 = 1042;
    pub(super) const VARCHAR: u32 = 1043;
    pub(super) const DATE: u32 = 1082;
    pub(super) const TIME: u32 = 1083;
    pub(super) const TIMESTAMP: u32 = 1114;
    pub(super) const TIMESTAMPTZ: u32 = 1184;
    pub(super) const INTERVAL: u32 = 1186;
    pub(super) const TIMETZ: u32 = 1266;
    pub(super) const NUMERIC: u32 = 1700;
    pub(super) const RECORD: u32 = 2249;
    pub(super) const RECORD_ARRAY: u32 = 2287;
    pub(super) const UUID: u32 = 2950;
    pub(super) const JSONB: u32 = 3802;
    pub(super) const JSONB_ARRAY: u32 = 3807;
}

/// How the values of one column look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Any text, the same bytes in both formats.
    Text,
    /// JSON text.
    Json,
    /// `jsonb` in binary: a version byte, then JSON text.
    Jsonb,
    /// An `int8` in binary.
    Int8,
    /// Text in which values stand among other signs: an array, a composite, a type of an extension.
    Literal,
    /// An array or a composite in binary.
    Nested(Nested),
    /// Bytes of which no part can be replaced by others.
    Opaque,
    /// Nothing in which text could stand.
    Fixed,
}

/// What binary values with values in them are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nested {
    Array,
    Composite,
}

impl Form {
    /// The form of a column's values.
    pub(crate) const fn of(column: &Column) -> Self {
        Self::of_type(column.kind, column.binary)
    }

    /// The form of a type's values in one of the two formats.
    pub(crate) const fn of_type(kind: u32, binary: bool) -> Self {
        match kind {
            oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::NAME | oid::UNKNOWN => Self::Text,
            oid::JSON => Self::Json,
            oid::JSONB if binary => Self::Jsonb,
            oid::JSONB => Self::Json,
            oid::INT8 if binary => Self::Int8,
            oid::INT8 => Self::Opaque,
            oid::NUMERIC if !binary => Self::Opaque,
            oid::BOOL
            | oid::BYTEA
            | oid::CHAR
            | oid::INT2
            | oid::INT4
            | oid::OID
            | oid::FLOAT4
            | oid::FLOAT8
            | oid::NUMERIC
            | oid::DATE
            | oid::TIME
            | oid::TIMETZ
            | oid::TIMESTAMP
            | oid::TIMESTAMPTZ
            | oid::INTERVAL
            | oid::UUID => Self::Fixed,
            oid::TEXT_ARRAY
            | oid::VARCHAR_ARRAY
            | oid::BPCHAR_ARRAY
            | oid::NAME_ARRAY
            | oid::JSON_ARRAY
            | oid::JSONB_ARRAY
            | oid::RECORD_ARRAY
                if binary =>
            {
                Self::Nested(Nested::Array)
            }
            oid::RECORD if binary => Self::Nested(Nested::Composite),
            _ if binary => Self::Opaque,
            // `xml`, every type that is not known here, and what the text format writes of arrays.
            _ => Self::Literal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Form, Nested};

    #[test]
    fn types_are_told_by_where_text_can_stand_in_them() {
        for (kind, text, binary) in [
            (25, Form::Text, Form::Text),
            (1042, Form::Text, Form::Text),
            (114, Form::Json, Form::Json),
            (3802, Form::Json, Form::Jsonb),
            (20, Form::Opaque, Form::Int8),
            (23, Form::Fixed, Form::Fixed),
            (1700, Form::Opaque, Form::Fixed),
            (1009, Form::Literal, Form::Nested(Nested::Array)),
            (2249, Form::Literal, Form::Nested(Nested::Composite)),
            (16_400, Form::Literal, Form::Opaque),
        ] {
            assert_eq!((Form::of_type(kind, false), Form::of_type(kind, true)), (text, binary), "type {kind}");
        }
    }
}
