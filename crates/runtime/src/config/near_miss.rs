//! Says which known word an unknown one was probably meant to be.
//!
//! It reads the unknown word out of serde's message, since no other trace of it is left there.

/// How alike two words must be, from 0 to 1, to be taken for one another.
const ALIKE: f64 = 0.8;

/// The candidate that is most like `word`, if any is alike enough.
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&normal(word), candidate), candidate))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, candidate)| candidate)
}

fn normal(word: &str) -> String {
    word.to_lowercase().replace('-', "_")
}

/// Turns serde's message into ours. `also` are names that the place knows beyond those that serde
/// lists: a target's table is read in two parts, the common keys and the protocol's.
pub(super) fn reword(message: &str, also: &[&str]) -> String {
    for wrong in ["invalid type: ", "invalid value: "] {
        if let Some((_, expected)) = message.strip_prefix(wrong).and_then(|rest| rest.rsplit_once(", expected ")) {
            // What was found is not repeated: it may be a secret in the wrong place.
            return format!("expected {expected}");
        }
    }
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let Some((word, listed)) = quoted.split_first() else { return message.to_owned() };
    let what = if message.starts_with("unknown field") {
        "key"
    } else if message.starts_with("unknown variant") {
        "value"
    } else if message.starts_with("missing field") {
        return format!("the key `{word}` is missing");
    } else if message.starts_with("duplicate field") {
        return format!("the key `{word}` stands twice");
    } else {
        return message.to_owned();
    };
    let known = || listed.iter().copied().chain(also.iter().copied());
    match nearest(word, known()) {
        Some(meant) => format!("unknown {what} `{word}`; did you mean `{meant}`?"),
        None => format!("unknown {what} `{word}`; known here: `{}`", known().collect::<Vec<_>>().join("`, `")),
    }
}

#[cfg(test)]
mod tests {
    use super::{nearest, reword};

    #[test]
    fn a_slip_of_the_pen_finds_the_word_that_was_meant() {
        let keys = ["listen", "address", "plaintext_login", "protocol"];
        for (slip, meant) in [
            ("lsiten", Some("listen")),
            ("adress", Some("address")),
            ("plaintext-login", Some("plaintext_login")),
            ("Protocol", Some("protocol")),
            ("zebra", None),
        ] {
            assert_eq!(nearest(slip, keys), meant, "{slip}");
        }
    }

    #[test]
    fn messages_speak_of_keys_and_values() {
        assert_eq!(
            reword("unknown field `lsiten`, expected one of `name`, `listen`", &[]),
            "unknown key `lsiten`; did you mean `listen`?"
        );
        assert_eq!(
            reword("unknown field `x`, expected `name`", &["tls"]),
            "unknown key `x`; known here: `name`, `tls`"
        );
        assert_eq!(reword("invalid type: string \"hunter2\", expected u16", &[]), "expected u16");
        assert_eq!(reword("missing field `name`", &[]), "the key `name` is missing");
    }
}
