//! What stands in the place of a value or of a part of one: style by style, kind by kind.
//!
//! It does not know why something is masked.

use std::borrow::Cow;
use std::fmt::Write;

use aws_lc_rs::hmac;

use super::detect::Finding;
use super::rules::Compiled;
use super::view::Counts;
use super::{Kind, Masked, Style, Tags};

/// Bytes of a keyed hash that are shown: at a million different values, the chance that any two
/// look the same is 1 in 10^17.
const HASH_BYTES: usize = 12;
/// The most stars before what stays of a partly shown value, so that its length does not show.
const MAX_STARS: usize = 16;

/// Shows a value that is masked as a whole.
pub(super) fn whole<'v>(compiled: &Compiled, tags: Tags, kind: Kind, value: &[u8]) -> Masked<'v> {
    let style = style(compiled, tags);
    match (style, kind) {
        (Style::Null, _) | (_, Kind::Fixed) => Masked::null(),
        (_, Kind::Text) => match text(compiled, tags, style, value) {
            Cow::Borrowed(fixed) => Masked::changed(fixed.as_bytes()),
            Cow::Owned(made) => Masked::changed(made.into_bytes()),
        },
        (_, Kind::Json) => {
            // A JSON string has the hash of its text, so that it joins with columns of text.
            let inner: Option<Cow<'_, str>> = serde_json::from_slice(value).ok();
            let inner = inner.as_deref().map_or(value, str::as_bytes);
            Masked::changed(quoted(&text(compiled, tags, style, inner)))
        }
    }
}

/// Shows a text with everything masked that detectors find in it.
pub(super) fn scanned<'v>(
    compiled: &Compiled,
    hidden: Tags,
    kind: Kind,
    value: &'v [u8],
    counts: &mut Counts,
) -> Masked<'v> {
    let shown = pieces(compiled, hidden, value, counts);
    match (shown, kind) {
        (None, _) => Masked::clear(value),
        (Some(_), Kind::Fixed) => Masked::null(),
        (Some(made), Kind::Text | Kind::Json) => Masked::changed(made),
    }
}

/// The text with every finding replaced; `None` where nothing was found.
fn pieces(compiled: &Compiled, hidden: Tags, value: &[u8], counts: &mut Counts) -> Option<Vec<u8>> {
    replaced(compiled, value, compiled.scanner.find(value, hidden), counts)
}

/// The text with these findings replaced; `None` where there are none.
pub(super) fn replaced(
    compiled: &Compiled,
    value: &[u8],
    findings: Vec<Finding>,
    counts: &mut Counts,
) -> Option<Vec<u8>> {
    if findings.is_empty() {
        return None;
    }
    let mut shown = Vec::with_capacity(value.len());
    let mut done = 0;
    for finding in findings {
        counts.add(finding.tags);
        let found = value.get(finding.range.clone()).unwrap_or_default();
        shown.extend_from_slice(value.get(done..finding.range.start).unwrap_or_default());
        shown.extend_from_slice(text(compiled, finding.tags, style(compiled, finding.tags), found).as_bytes());
        done = finding.range.end;
    }
    shown.extend_from_slice(value.get(done..).unwrap_or_default());
    Some(shown)
}

/// A text as one JSON string.
pub(super) fn quoted(text: &str) -> Vec<u8> {
    serde_json::to_vec(text).unwrap_or_else(|_| b"null".to_vec())
}

fn style(compiled: &Compiled, tags: Tags) -> Style {
    let styles = compiled.known(tags).map(|known| known.style);
    styles.reduce(Style::stricter).unwrap_or_default()
}

/// The text in the place of a value. A null has no text, and is redacted where a text must stand.
fn text(compiled: &Compiled, tags: Tags, style: Style, value: &[u8]) -> Cow<'static, str> {
    match style {
        Style::Redact | Style::Null => None,
        Style::Partial { keep } => partial(value, keep),
        Style::Hash => hash(compiled, tags, value),
    }
    .map_or(Cow::Borrowed(Masked::REDACTED), Cow::Owned)
}

/// Stars and the last characters, never more than half of them.
fn partial(value: &[u8], keep: u8) -> Option<String> {
    let value = std::str::from_utf8(value).ok()?;
    let all = value.chars().count();
    let kept = usize::from(keep).min(all / 2);
    let mut shown = "*".repeat((all - kept).min(MAX_STARS));
    shown.extend(value.chars().skip(all - kept));
    Some(shown)
}

/// The tag's name and a keyed hash of tag and value.
fn hash(compiled: &Compiled, tags: Tags, value: &[u8]) -> Option<String> {
    let key = compiled.key.as_ref()?;
    let tag = compiled.known(tags).next()?.tag.name();
    let mut sum = hmac::Context::with_key(key);
    sum.update(tag.as_bytes());
    // No tag holds this byte, so tag and value cannot run into one another.
    sum.update(&[0]);
    sum.update(value);
    let mut shown = format!("{tag}:");
    for byte in sum.sign().as_ref().iter().take(HASH_BYTES) {
        let _ = write!(shown, "{byte:02x}");
    }
    Some(shown)
}
