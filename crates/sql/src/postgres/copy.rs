//! What `COPY … TO STDOUT` writes: how its data is laid out, which has to be known by whoever reads
//! it (PostgreSQL manual, "COPY").

use pg_query::NodeEnum;
use pg_query::protobuf::{CopyStmt, DefElem, RawStmt};

use super::{Settings, grammar};

/// A `COPY … TO STDOUT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyOut {
    /// The relation that is copied; none for a query.
    pub relation: Option<CopiedRelation>,
    /// How the data is laid out.
    pub layout: Layout,
}

/// A relation that is copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiedRelation {
    /// Its schema, where one is written.
    pub schema: Option<Box<str>>,
    /// Its name.
    pub name: Box<str>,
    /// The columns that are written; none means all, but for generated ones.
    pub columns: Vec<Box<str>>,
}

/// How data is laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layout {
    /// A line a row, values between delimiters, with escapes that begin with a backslash.
    Text(Signs),
    /// Comma-separated values.
    Csv {
        /// The signs that it shares with text.
        signs: Signs,
        /// What stands around values.
        quote: u8,
        /// What stands before a quote, or before itself, inside of quotes.
        escape: u8,
    },
    /// Tuples with lengths.
    Binary,
}

/// The signs of data in lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signs {
    /// What stands between values.
    pub delimiter: u8,
    /// What stands for NULL.
    pub null: Box<[u8]>,
    /// Whether the first line holds names.
    pub header: bool,
}

/// What statement `statement` of a text copies out; `None` where it is no such statement, or has
/// options whose meaning is not known here.
pub fn copy_out(text: &[u8], settings: Settings, statement: usize) -> Option<CopyOut> {
    let text = std::str::from_utf8(text).ok()?;
    grammar::parse(text, settings, move |statements| read(statements.get(statement)?)).ok()?
}

fn read(statement: &RawStmt) -> Option<CopyOut> {
    let NodeEnum::CopyStmt(copy) = statement.stmt.as_ref()?.node.as_ref()? else { return None };
    if copy.is_from || copy.is_program || !copy.filename.is_empty() {
        return None;
    }
    Some(CopyOut { relation: relation(copy)?, layout: layout(copy)? })
}

#[expect(clippy::option_option, reason = "no relation is as good as one; not to understand is neither")]
fn relation(copy: &CopyStmt) -> Option<Option<CopiedRelation>> {
    let Some(relation) = &copy.relation else { return Some(None) };
    let name = |text: &str| (!text.is_empty()).then(|| Box::from(text));
    let columns = copy.attlist.iter().map(|column| match column.node.as_ref()? {
        NodeEnum::String(column) => name(&column.sval),
        _ => None,
    });
    Some(Some(CopiedRelation {
        schema: name(&relation.schemaname),
        name: name(&relation.relname)?,
        columns: columns.collect::<Option<_>>()?,
    }))
}

fn layout(copy: &CopyStmt) -> Option<Layout> {
    let (mut format, mut delimiter, mut null, mut header) = ("text".to_owned(), None, None, false);
    let (mut quote, mut escape) = (None, None);
    for option in &copy.options {
        let NodeEnum::DefElem(option) = option.node.as_ref()? else { return None };
        match option.defname.as_str() {
            "format" => format = text(option)?.to_lowercase(),
            "delimiter" => delimiter = Some(byte(option)?),
            "null" => null = Some(text(option)?.into_bytes()),
            "header" => header = truth(option)?,
            "quote" => quote = Some(byte(option)?),
            "escape" => escape = Some(byte(option)?),
            // They change nothing that is read here.
            "force_quote" | "freeze" => {}
            // Above all `encoding`: in another one an ASCII byte may be part of another character.
            _ => return None,
        }
    }
    let csv = format == "csv";
    let signs = Signs {
        delimiter: delimiter.unwrap_or(if csv { b',' } else { b'\t' }),
        null: null.unwrap_or_else(|| if csv { Vec::new() } else { b"\\N".to_vec() }).into(),
        header,
    };
    match format.as_str() {
        "text" => Some(Layout::Text(signs)),
        "csv" => {
            let quote = quote.unwrap_or(b'"');
            Some(Layout::Csv { signs, quote, escape: escape.unwrap_or(quote) })
        }
        "binary" => Some(Layout::Binary),
        _ => None,
    }
}

fn text(option: &DefElem) -> Option<String> {
    match option.arg.as_ref()?.node.as_ref()? {
        NodeEnum::String(text) => Some(text.sval.clone()),
        _ => None,
    }
}

fn byte(option: &DefElem) -> Option<u8> {
    match text(option)?.as_bytes() {
        [byte] => Some(*byte),
        _ => None,
    }
}

/// A truth as PostgreSQL reads it in options; without a value it is true.
fn truth(option: &DefElem) -> Option<bool> {
    let Some(value) = option.arg.as_ref() else { return Some(true) };
    match value.node.as_ref()? {
        NodeEnum::Boolean(truth) => Some(truth.boolval),
        NodeEnum::Integer(number) => Some(number.ival != 0),
        NodeEnum::String(text) => match text.sval.to_lowercase().as_str() {
            "true" | "on" | "1" | "match" => Some(true),
            "false" | "off" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{CopiedRelation, CopyOut, Layout, Signs, copy_out};
    use crate::postgres::Settings;

    fn read(text: &str) -> Option<CopyOut> {
        copy_out(text.as_bytes(), Settings::default(), 0)
    }

    fn signs(delimiter: u8, null: &str, header: bool) -> Signs {
        Signs { delimiter, null: null.as_bytes().into(), header }
    }

    #[test]
    fn layouts_are_read_in_the_old_grammar_and_the_new() {
        let csv = |signs, quote, escape| Layout::Csv { signs, quote, escape };
        for (text, expected) in [
            ("copy t to stdout", Layout::Text(signs(b'\t', "\\N", false))),
            ("copy t to stdout with delimiter '|' null 'x'", Layout::Text(signs(b'|', "x", false))),
            ("copy t to stdout (format text, header)", Layout::Text(signs(b'\t', "\\N", true))),
            ("copy t to stdout csv", csv(signs(b',', "", false), b'"', b'"')),
            ("copy t to stdout csv header quote '''' escape '\\'", csv(signs(b',', "", true), b'\'', b'\\')),
            (
                "copy (select 1) to stdout (format 'CSV', header 1, force_quote *)",
                csv(signs(b',', "", true), b'"', b'"'),
            ),
            ("copy t to stdout (format binary)", Layout::Binary),
            ("copy binary t to stdout", Layout::Binary),
        ] {
            assert_eq!(read(text).map(|copy| copy.layout), Some(expected), "{text}");
        }
    }

    #[test]
    fn relations_are_read_with_their_columns() {
        let copied = |schema: Option<&str>, columns: &[&str]| CopiedRelation {
            schema: schema.map(Into::into),
            name: "t".into(),
            columns: columns.iter().map(|column| (*column).into()).collect(),
        };
        assert_eq!(read("copy s.t (a, \"B\") to stdout").unwrap().relation, Some(copied(Some("s"), &["a", "B"])));
        assert_eq!(read("copy t to stdout").unwrap().relation, Some(copied(None, &[])));
        assert_eq!(read("copy (table t) to stdout").unwrap().relation, None);
    }

    #[test]
    fn what_is_not_known_for_certain_is_not_read() {
        for text in [
            "copy t from stdin",
            "copy t to '/tmp/x'",
            "copy t to program 'x'",
            "copy t to stdout (encoding 'SJIS')",
            "copy t to stdout (delimiter 'ab')",
            "copy t to stdout (format xml)",
            "select 1",
            "copy t to",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
