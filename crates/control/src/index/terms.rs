//! What people type into a search, as the full-text index takes it: words, never its own syntax.

/// The most words of one search.
const MAX_WORDS: usize = 16;

/// A query for FTS5, or `None` where there is nothing to search for. Every word must be found; what one
/// word is made of (`ada@example.com`) stands together; the last word may go on.
pub(super) fn terms(text: &str) -> Option<String> {
    let is_of_a_token = |sign: char| sign.is_alphanumeric() || sign == '_';
    let words = text.split_whitespace().filter(|word| word.chars().any(is_of_a_token)).take(MAX_WORDS);
    let quoted: Vec<String> = words.map(|word| format!("\"{}\"", word.replace('"', "\"\""))).collect();
    (!quoted.is_empty()).then(|| quoted.join(" ") + "*")
}

#[cfg(test)]
mod tests {
    use super::terms;

    #[test]
    fn whatever_is_typed_is_words() {
        for (text, query) in [
            ("orders", Some("\"orders\"*")),
            ("delete orders_2024", Some("\"delete\" \"orders_2024\"*")),
            ("ada@example.com", Some("\"ada@example.com\"*")),
            ("a AND \"b\" NEAR(c", Some("\"a\" \"AND\" \"\"\"b\"\"\" \"NEAR(c\"*")),
            ("statement:x * ^", Some("\"statement:x\"*")),
            ("  ( ) ", None),
            ("", None),
        ] {
            assert_eq!(terms(text).as_deref(), query, "{text}");
        }
    }
}
