//! The configuration: one TOML file, read into one typed tree.
//!
//! Unknown keys are errors that name the key that was meant; secrets are references; relative paths
//! start from the file's own folder. What a protocol's own keys mean is known to the protocol alone.

mod document;
pub mod duration;
mod near_miss;
mod problem;
mod schema;
pub mod sections;
mod target;

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

pub use near_miss::nearest;
pub use problem::{Problem, Problems, Source};
pub(crate) use schema::schema;
pub use sections::{Admin, ClientTls, Control, Identity, Limits, Log, LogFormat, Notify, NotifyKind, Session};
pub(crate) use target::Rest;
pub use target::{Address, Target, TargetEntry, TargetTls, TargetTlsMode};

/// The largest configuration file that is read, in bytes.
const CONFIG_BYTES: u64 = 4 << 20;

/// A gate's whole configuration.
#[derive(Debug)]
pub struct Config {
    /// What belongs to the process as a whole.
    pub process: Process,
    /// The targets, each with the part of its table that its protocol reads.
    pub targets: Vec<TargetEntry>,
    pub(crate) source: Arc<Source>,
    places: BTreeMap<String, Range<usize>>,
}

/// Everything but the targets.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Process {
    /// Who may prove who they are, and how.
    pub identity: Identity,
    /// Where the policies are.
    pub policy: crate::policy::PolicyConfig,
    /// What is masked in the replies of targets.
    #[serde(default)]
    pub masking: Option<crate::masking::Config>,
    /// Where recordings go.
    #[serde(default)]
    pub recording: crate::recording::Config,
    /// The listener for metrics and health.
    #[serde(default)]
    pub admin: Option<Admin>,
    /// The control plane in the gate's own process.
    #[serde(default)]
    pub control: Option<Control>,
    /// The gate's certificate.
    #[serde(default)]
    pub tls: Option<ClientTls>,
    /// Bounds on what strangers may hold open.
    #[serde(default)]
    pub limits: Limits,
    /// How sessions end.
    #[serde(default)]
    pub session: Session,
    /// What is written to standard error.
    #[serde(default)]
    pub log: Log,
}

impl Config {
    /// Reads the file. No port is bound, and no file that it names is opened. Whether what it says
    /// can be served is for [`check`](Config::check) to find.
    pub fn load(path: &Path) -> Result<Self, Problems> {
        use std::io::Read;
        let unreadable =
            |why: std::io::Error| Problem::of_file(path, format!("the configuration cannot be read: {why}"));
        let file = std::fs::File::open(path).map_err(unreadable)?;
        let mut text = String::new();
        file.take(CONFIG_BYTES + 1).read_to_string(&mut text).map_err(unreadable)?;
        if text.len() as u64 > CONFIG_BYTES {
            return Err(Problem::of_file(path, "the configuration is longer than 4 MiB").into());
        }
        Self::parse(path.to_owned(), text)
    }

    /// Reads a configuration's text, as if it stood in the file `path`.
    pub fn parse(path: PathBuf, text: String) -> Result<Self, Problems> {
        let source = Source::new(path, text);
        let document = document::read::<Process>(&source);
        let Some(mut process) = document.root else { return Err(document.problems) };
        let mut targets = document.targets;
        anchor(&mut process, &mut targets, source.folder());
        let config = Self { process, targets, source: Arc::new(source), places: document.places };
        document.problems.unless(config)
    }

    /// Everything that cannot be served, whatever the protocols say of their own keys.
    pub fn check(&self) -> Problems {
        let mut problems = Problems::default();
        check_process(self, &mut problems);
        check_targets(self, &mut problems);
        problems
    }

    /// A problem with one of the process's tables, such as `tls`.
    pub(crate) fn problem(&self, table: &str, message: impl Into<String>) -> Problem {
        self.source.problem(self.place(table), message)
    }

    /// Where a key of the process stands, by its dotted name.
    pub(crate) fn place(&self, key: &str) -> Option<Range<usize>> {
        self.places.get(key).cloned()
    }
}

/// Relative paths start from the configuration's folder.
fn anchor(process: &mut Process, targets: &mut [TargetEntry], folder: &Path) {
    let anchor = |path: &mut PathBuf| *path = folder.join(&*path);
    anchor(&mut process.policy.dir);
    anchor(&mut process.recording.dir);
    process.identity.oidc.iter_mut().filter_map(|issuer| issuer.ca.as_mut()).for_each(anchor);
    process.identity.cache_dir.iter_mut().for_each(anchor);
    process.control.iter_mut().for_each(|control| anchor(&mut control.database));
    if let Some(tls) = &mut process.tls {
        anchor(&mut tls.certificate);
        anchor(&mut tls.key);
    }
    for tls in targets.iter_mut().map(|target| &mut target.common.tls) {
        [&mut tls.ca, &mut tls.certificate, &mut tls.key].into_iter().flatten().for_each(anchor);
    }
}

fn check_process(config: &Config, problems: &mut Problems) {
    let mut wrong = |table: &str, what: &str| problems.0.push(config.problem(table, what));
    let process = &config.process;
    if process.identity.oidc.is_empty() {
        wrong("identity", "nobody could log in: there is no `[[identity.oidc]]`");
    }
    if process.limits.connections == 0 || process.limits.connections_per_address == 0 {
        wrong("limits", "`connections` and `connections_per_address` are at least 1");
    }
    if process.limits.login_deadline.is_zero() {
        wrong("limits", "`login_deadline` is longer than `0s`");
    }
    if let Some(control) = &process.control {
        if process.tls.is_none() && !control.listen.ip().is_loopback() {
            wrong("control", "`listen` beyond this machine needs the gate's certificate, `[tls]`: tokens pass there");
        }
        if control.max_login_age.is_zero() {
            wrong("control", "`max_login_age` is longer than `0s`");
        }
        if control.url.as_ref().is_some_and(|url| !url.starts_with("https://") && !url.starts_with("http://")) {
            wrong("control", "`url` begins with `https://`");
        }
        let mut names = HashSet::new();
        for notify in &control.notify {
            if let Err(what) = notify.check() {
                wrong("control.notify", what);
            }
            if !names.insert(&notify.name) {
                wrong("control.notify", &format!("two of `notify` have the name `{}`", notify.name));
            }
        }
    }
    if let Err(why) = process.recording.check() {
        wrong("recording", &why);
    }
    if process.session.max_age.is_zero() {
        wrong("session", "`max_age` is longer than `0s`");
    }
}

fn check_targets(config: &Config, problems: &mut Problems) {
    if config.targets.is_empty() {
        problems.0.push(config.problem("target", "there is nothing to serve: no `[[target]]`"));
    }
    let mut names = HashSet::new();
    let mut listeners = HashSet::new();
    for entry in &config.targets {
        let mut wrong = |key: &str, what| problems.0.push(config.source.problem(Some(entry.rest.place(key)), what));
        if let Err((key, what)) = entry.check(config.process.tls.is_some()) {
            wrong(key, what);
        }
        let target = &entry.common;
        if !names.insert(&target.name) {
            wrong("name", format!("two targets have the name `{}`", target.name));
        }
        if target.listen.port() != 0 && !listeners.insert(target.listen) {
            wrong("listen", format!("two targets listen on `{}`", target.listen));
        }
    }
}

#[cfg(test)]
mod tests;
