//! Table tests of policies: questions in a TOML file, each with the answer that is expected.
//!
//! It asks the policies as the gate does; it does not know what a right answer is.

use std::path::Path;

use portcullis_core::policy::{Policy as _, Question};
use serde::{Deserialize, Serialize};

use super::problem::{PolicyError, PolicyErrors, Source};
use super::{Asked, CedarPolicy};

/// Bytes of one table.
const MAX_TABLE_BYTES: u64 = 4 << 20;

/// What became of a table of cases.
#[derive(Debug, Serialize)]
pub struct TestReport {
    /// The revision that was asked.
    pub revision: std::sync::Arc<str>,
    /// Each case, in the order of the file.
    pub cases: Vec<CaseReport>,
}

impl TestReport {
    /// Whether every case got the answer that it expects.
    pub fn passed(&self) -> bool {
        self.cases.iter().all(|case| case.failure.is_none())
    }
}

/// What became of one case.
#[derive(Debug, Serialize)]
pub struct CaseReport {
    /// The case's name.
    pub name: String,
    /// The line that it begins on.
    pub line: usize,
    /// What differs from what is expected; absent where nothing does.
    pub failure: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    case: Vec<toml::Spanned<toml::Table>>,
}

/// What a case expects, beside the question.
#[derive(Debug, Deserialize)]
struct Expected {
    name: String,
    expect: Word,
    policies: Option<Vec<String>>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Word {
    Allow,
    AskFirst,
    Deny,
}

impl Word {
    const fn word(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::AskFirst => "ask-first",
            Self::Deny => "deny",
        }
    }
}

/// Puts every question of a file to the policies. The file is a list of `[[case]]` with `name`,
/// `expect`, where wished `policies`, and the keys of [`Asked`].
pub fn test(policy: &CedarPolicy, file: &Path) -> Result<TestReport, PolicyErrors> {
    let source = read(file)?;
    let table: Table = toml::from_str(&source.text).map_err(|error| wrong(&source, &error))?;
    let mut errors = Vec::new();
    let mut cases = Vec::new();
    for case in table.case {
        let at = case.span().start;
        match run(policy, case.into_inner()) {
            Ok((name, failure)) => cases.push(CaseReport { name, line: source.place(at).0, failure }),
            Err(message) => errors.push(source.error(at, message)),
        }
    }
    if errors.is_empty() { Ok(TestReport { revision: policy.revision(), cases }) } else { Err(PolicyErrors(errors)) }
}

fn read(file: &Path) -> Result<Source, PolicyErrors> {
    let about = |what: String| PolicyErrors::from(PolicyError::of_file(file.display().to_string(), what));
    let size = std::fs::metadata(file).map_err(|error| about(error.to_string()))?.len();
    if size > MAX_TABLE_BYTES {
        return Err(about(format!("the file has more than {MAX_TABLE_BYTES} bytes")));
    }
    let text = std::fs::read_to_string(file).map_err(|error| about(error.to_string()))?;
    Ok(Source { name: file.display().to_string().into(), text: text.into() })
}

fn wrong(source: &Source, error: &toml::de::Error) -> PolicyErrors {
    source.error(error.span().map_or(0, |span| span.start), error.message()).into()
}

/// One case: its name, and what differs from what it expects.
fn run(policy: &CedarPolicy, mut case: toml::Table) -> Result<(String, Option<String>), String> {
    let mut expected = toml::Table::new();
    for key in ["name", "expect", "policies"] {
        if let Some(value) = case.remove(key) {
            expected.insert(key.to_owned(), value);
        }
    }
    let Expected { name, expect, policies } = expected.try_into().map_err(|error| error.message().to_owned())?;
    let asked: Asked = case.try_into().map_err(|error| format!("case `{name}`: {}", error.message()))?;
    let (subject, effects, now) = asked.understood(&policy.words).map_err(|error| format!("case `{name}`: {error}"))?;
    let ruling = policy.decide(&Question { subject: &subject, effects: &effects, now });
    let (word, by) = (ruling.decision.word(), &ruling.policies);
    let told = || format!("it is `{word}` by {by:?}: {}", ruling.reason);
    let failure = if word != expect.word() {
        Some(format!("expected `{}`, but {}", expect.word(), told()))
    } else {
        policies.filter(|policies| policies != by).map(|policies| format!("expected by {policies:?}, but {}", told()))
    };
    Ok((name, failure))
}
