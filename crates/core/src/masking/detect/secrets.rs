//! Keys and tokens: each begins with a word of its own, and what may follow is known.

use std::ops::Range;

use super::Detector;
use super::run::{begins_word, ends_word};

/// The shortest secret, in bytes: an AWS access key id. Shorter texts hold none.
pub(super) const SHORTEST: usize = 20;
/// The most bytes between a secret's name and the secret.
const GAP: usize = 16;
/// The most bytes of a PEM label.
const LABEL: usize = 64;

/// Words that secrets begin with, or names that stand before them.
pub(super) const WORDS: [(&[u8], Detector); 21] = [
    (b"eyJ", Detector::Jwt),
    (b"-----BEGIN ", Detector::PrivateKey),
    (b"AKIA", Detector::AwsKey),
    (b"ASIA", Detector::AwsKey),
    (b"ABIA", Detector::AwsKey),
    (b"ACCA", Detector::AwsKey),
    (b"ecret_access_key", Detector::AwsKey),
    (b"ECRET_ACCESS_KEY", Detector::AwsKey),
    (b"ecretAccessKey", Detector::AwsKey),
    (b"ecret access key", Detector::AwsKey),
    (b"AIza", Detector::GcpKey),
    (b"ya29.", Detector::GcpKey),
    (b"GOCSPX-", Detector::GcpKey),
    (b"private_key_id", Detector::GcpKey),
    (b"privateKeyId", Detector::GcpKey),
    (b"ghp_", Detector::GithubToken),
    (b"gho_", Detector::GithubToken),
    (b"ghu_", Detector::GithubToken),
    (b"ghs_", Detector::GithubToken),
    (b"ghr_", Detector::GithubToken),
    (b"github_pat_", Detector::GithubToken),
];

/// The secret at the word that was found.
pub(super) fn secret(text: &[u8], word: Range<usize>) -> Option<Range<usize>> {
    match text.get(word.clone())? {
        b"eyJ" => jwt(text, word.start),
        b"-----BEGIN " => private_key(text, word),
        b"AKIA" | b"ASIA" | b"ABIA" | b"ACCA" => key(text, word, is_base32, 16..=16),
        b"AIza" => key(text, word, is_base64url, 35..=35),
        b"ya29." => key(text, word, is_base64url, 20..=2_048),
        b"GOCSPX-" => key(text, word, is_base64url, 24..=48),
        b"private_key_id" | b"privateKeyId" => named(text, word.end, |byte| byte.is_ascii_hexdigit(), 40),
        b"github_pat_" | [b'g', b'h', _, b'_'] => key(text, word, is_token, 36..=255),
        _ => named(text, word.end, is_base64, 40),
    }
}

/// A JSON Web Token: two parts or more, of which the last may be empty (RFC 7519, RFC 7516).
fn jwt(text: &[u8], start: usize) -> Option<Range<usize>> {
    let before = start.checked_sub(1).and_then(|at| text.get(at));
    if before.is_some_and(|byte| is_base64url(*byte)) && !begins_word(text, start) {
        return None;
    }
    let part =
        |from: usize| text.get(from..).unwrap_or_default().iter().take_while(|byte| is_base64url(**byte)).count();
    let header = part(start);
    let mut end = start + header;
    let mut parts = 1;
    while parts < 5 && text.get(end) == Some(&b'.') {
        let length = part(end + 1);
        if parts == 1 && length < 8 {
            break;
        }
        end += 1 + length;
        parts += 1;
    }
    (header >= 12 && parts >= 2).then_some(start..end)
}

/// A PEM private key, to its end or to the end of the text if that was cut off (RFC 7468).
fn private_key(text: &[u8], begin: Range<usize>) -> Option<Range<usize>> {
    let rest = text.get(begin.end..)?;
    let label = rest.get(..find(rest.get(..LABEL.min(rest.len()))?, b"-----")?)?;
    find(label, b"PRIVATE KEY")?;
    let end = find(rest, b"-----END ").map_or(text.len(), |at| {
        let behind = begin.end + at + b"-----END ".len();
        let tail = text.get(behind..).unwrap_or_default();
        let dashes = find(tail.get(..LABEL.min(tail.len())).unwrap_or_default(), b"-----");
        dashes.map_or(behind, |at| behind + at + 5)
    });
    Some(begin.start..end)
}

/// A key of so many characters behind its first word.
fn key(
    text: &[u8],
    word: Range<usize>,
    fits: impl Fn(u8) -> bool,
    lengths: std::ops::RangeInclusive<usize>,
) -> Option<Range<usize>> {
    let rest = text.get(word.end..)?;
    let length = rest.iter().take(lengths.end() + 1).take_while(|byte| fits(**byte)).count();
    let end = word.end + length;
    (begins_word(text, word.start) && lengths.contains(&length) && ends_word(text, end)).then_some(word.start..end)
}

/// A key of exactly so many characters that a name and a sign or two stand before. The name stays.
fn named(text: &[u8], name_end: usize, fits: impl Fn(u8) -> bool, length: usize) -> Option<Range<usize>> {
    let is_gap = |byte: u8| {
        matches!(byte, b'"' | b'\'' | b':' | b'=' | b'>' | b'\\' | b',' | b'|') || byte.is_ascii_whitespace()
    };
    let rest = text.get(name_end..)?;
    let gap = rest.iter().take(GAP).take_while(|byte| is_gap(**byte)).count();
    let start = name_end + gap;
    let run = text.get(start..)?.iter().take(length + 1).take_while(|byte| fits(**byte)).count();
    (gap > 0 && run == length).then_some(start..start + length)
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

const fn is_base32(byte: u8) -> bool {
    matches!(byte, b'A'..=b'Z' | b'2'..=b'7')
}

const fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/')
}

const fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}
