//! Text of strangers, made safe to show: what a terminal would obey, or a reader not see, is written out. It
//! does not know where the text goes, and escapes nothing that only some place would obey.

/// A text on one line: line breaks, other control characters and what cannot be seen become `\u{…}`.
pub fn line(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        push(&mut shown, c);
    }
    shown
}

/// A text that keeps its line breaks, each followed by `indent`.
pub fn lines(text: &str, indent: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => {
                shown.push('\n');
                shown.push_str(indent);
            }
            '\t' => shown.push_str("    "),
            c => push(&mut shown, c),
        }
    }
    shown
}

fn push(shown: &mut String, c: char) {
    if c.is_control() || is_invisible(c) {
        shown.extend(c.escape_unicode());
    } else {
        shown.push(c);
    }
}

/// Characters that change the order of others, or take no room: a statement must not read as
/// another than it is.
const fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use super::{line, lines};

    #[test]
    fn what_a_terminal_would_obey_is_shown() {
        for (text, shown) in [
            ("select 'ü'", "select 'ü'"),
            ("a\u{1b}[2Jb", "a\\u{1b}[2Jb"),
            ("x\u{202e}y\u{200b}", "x\\u{202e}y\\u{200b}"),
            ("one\ntwo", "one\\u{a}two"),
        ] {
            assert_eq!(line(text), shown);
        }
        assert_eq!(lines("one\n\ttwo\r", "  "), "one\n      two\\u{d}");
    }
}
