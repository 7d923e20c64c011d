//! benches/RESULTS.md: each section is replaced by the run that measures it, all else is kept.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::Context;

const TITLE: &str =
    "# Figures\n\nWritten by `cargo xtask bench`; what stands between the markers is replaced by each full run.\n";

/// A part of the file.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Section {
    Speed,
    Memory,
    Masking,
}

impl Section {
    const fn name(self) -> &'static str {
        match self {
            Self::Speed => "speed",
            Self::Memory => "memory",
            Self::Masking => "masking",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Speed => "## Speed",
            Self::Memory => "## Memory",
            Self::Masking => "## Masking",
        }
    }
}

/// The root of the checkout.
pub(crate) fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own).to_path_buf()
}

/// Puts the section's text into the file, which it names.
pub(crate) fn write(section: Section, text: &str) -> anyhow::Result<PathBuf> {
    let path = root().join("benches/RESULTS.md");
    let old = match fs::read_to_string(&path) {
        Ok(old) => old,
        Err(error) if error.kind() == ErrorKind::NotFound => TITLE.to_owned(),
        Err(error) => return Err(error).with_context(|| format!("cannot read `{}`", path.display())),
    };
    fs::write(&path, replaced(&old, section, text)).with_context(|| format!("cannot write `{}`", path.display()))?;
    Ok(path)
}

fn replaced(old: &str, section: Section, text: &str) -> String {
    let (name, title) = (section.name(), section.title());
    let (begin, end) = (format!("<!-- begin {name} -->"), format!("<!-- end {name} -->"));
    let body = format!("{begin}\n{}\n{end}", text.trim());
    let around = old.split_once(&begin).and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1)));
    match around {
        Some((before, after)) => format!("{before}{body}{after}"),
        None => format!("{}\n\n{title}\n\n{body}\n", old.trim_end()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_replaced_and_what_is_around_stays() {
        let first = replaced("# Figures\n", Section::Speed, "one");
        let both = replaced(&first, Section::Memory, "two");
        let written = both.replace("<!-- end speed -->", "<!-- end speed -->\n\nwhy\n");
        let again = replaced(&written, Section::Speed, "three");
        assert!(!again.contains("one"), "{again}");
        assert!(["three", "why", "two"].iter().all(|text| again.contains(text)), "{again}");
        assert_eq!(again.matches("## Speed").count(), 1);
    }
}
