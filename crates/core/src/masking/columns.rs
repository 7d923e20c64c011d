//! Which tags a column's name carries: patterns `schema.table.column` with `*` and `?`.
//!
//! Names are compared without regard to ASCII case, since databases differ in whether it counts
//! and a rule that masks too much is the lesser mistake.

use super::Tags;

/// The longest pattern, in bytes.
const LONGEST: usize = 512;

/// One pattern with its tag.
#[derive(Debug)]
pub(super) struct Column {
    parts: [Glob; 3],
    pub(super) tags: Tags,
}

impl Column {
    /// Reads a pattern: three parts, or `*` alone for every column there is.
    pub(super) fn new(pattern: &str, tags: Tags) -> Result<Self, &'static str> {
        if pattern.len() > LONGEST {
            return Err("a pattern has at most 512 bytes");
        }
        let parts: Vec<&str> = if pattern == "*" { vec!["*"; 3] } else { pattern.split('.').collect() };
        let &[schema, table, column] = parts.as_slice() else {
            return Err("a pattern is `schema.table.column`, each with `*` and `?` as you like, or `*` alone");
        };
        if parts.iter().any(|part| part.is_empty()) {
            return Err("a part of the pattern is empty; write `*` for any name");
        }
        Ok(Self { parts: [Glob::new(schema), Glob::new(table), Glob::new(column)], tags })
    }

    /// Whether it means columns of this table.
    pub(super) fn is_in(&self, schema: &str, table: &str) -> bool {
        let [own_schema, own_table, _] = &self.parts;
        own_table.matches(table) && own_schema.matches(schema)
    }

    /// Whether it means this column.
    pub(super) fn is(&self, schema: &str, table: &str, column: &str) -> bool {
        let [_, _, own_column] = &self.parts;
        own_column.matches(column) && self.is_in(schema, table)
    }
}

/// A pattern for a whole name, with `*` for any text and `?` for any character; ASCII case does not
/// count.
#[derive(Debug)]
pub struct Glob(Box<[u8]>);

impl Glob {
    /// Reads a pattern. Every text is one.
    pub fn new(pattern: &str) -> Self {
        Self(pattern.to_ascii_lowercase().into_bytes().into())
    }

    /// Whether the name matches. The last `*` alone is ever taken back, so the cost is bounded by
    /// the product of the lengths.
    pub fn matches(&self, name: &str) -> bool {
        let name = name.as_bytes();
        let (mut at, mut wanted) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        while let Some(byte) = name.get(at) {
            match self.0.get(wanted) {
                Some(b'*') => {
                    star = Some((wanted, at));
                    wanted += 1;
                }
                Some(b'?') => (at, wanted) = (next_character(name, at), wanted + 1),
                Some(own) if *own == byte.to_ascii_lowercase() => (at, wanted) = (at + 1, wanted + 1),
                _ => {
                    let Some((after, from)) = star else { return false };
                    star = Some((after, from + 1));
                    (at, wanted) = (from + 1, after + 1);
                }
            }
        }
        self.0.get(wanted..).is_some_and(|rest| rest.iter().all(|byte| *byte == b'*'))
    }
}

/// Where the character after the one at `at` begins, in UTF-8.
fn next_character(name: &[u8], at: usize) -> usize {
    let rest = name.get(at + 1..).unwrap_or_default();
    at + 1 + rest.iter().take_while(|byte| **byte & 0xC0 == 0x80).count()
}

#[cfg(test)]
mod tests {
    use super::{Column, Tags};

    fn means(pattern: &str, [schema, table, column]: [&str; 3]) -> bool {
        Column::new(pattern, Tags::one(0)).unwrap().is(schema, table, column)
    }

    #[test]
    fn patterns_mean_whole_names_whatever_their_case() {
        let email = ["public", "customers", "email"];
        for (pattern, meant) in [
            ("public.customers.email", true),
            ("PUBLIC.Customers.EMAIL", true),
            ("*.customers.email", true),
            ("public.*.e*l", true),
            ("*.*.*", true),
            ("*", true),
            ("p?blic.customers.em??l", true),
            ("public.customers.mail", false),
            ("public.customer.email", false),
            ("public.customers.email?", false),
            ("*.*.*x*", false),
            ("*.*.*a*i*", true),
        ] {
            assert_eq!(means(pattern, email), meant, "{pattern}");
        }
        assert!(means("*.*.stra?e", ["s", "t", "straße"]));
        assert!(!means("*.*.*aab", ["s", "t", &"a".repeat(200)]));
    }

    #[test]
    fn a_pattern_without_three_parts_is_refused() {
        for pattern in ["", "email", "customers.email", "a.b.c.d", "public..email", &"x".repeat(600)] {
            assert!(Column::new(pattern, Tags::one(0)).is_err(), "{pattern}");
        }
    }
}
