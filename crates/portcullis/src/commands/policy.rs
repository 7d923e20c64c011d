//! `portcullis policy check | test | schema`: are the policies right, and do they say what they
//! should?

use std::path::{Path, PathBuf};

use portcullis_runtime::policy::{self, CedarPolicy};

use super::load;
use crate::args::{PolicyCheck, PolicyFolder, PolicyTest};
use crate::output::{Failure, Output, Tone, Verdict};
use crate::protocols;

/// Policies and the targets that they are about.
pub(super) struct Bundle {
    pub(super) dir: PathBuf,
    pub(super) targets: Vec<String>,
}

impl Bundle {
    /// The named folder; without one, the configured one with the configured targets.
    pub(super) fn find(config: &Path, folder: &PolicyFolder) -> Result<Self, Failure> {
        if let Some(dir) = &folder.dir {
            return Ok(Self { dir: dir.clone(), targets: Vec::new() });
        }
        let config = load(config)?;
        let targets = config.targets.iter().map(|target| target.common.name.clone()).collect();
        Ok(Self { dir: config.process.policy.dir, targets })
    }

    pub(super) fn load(&self) -> Result<CedarPolicy, Failure> {
        CedarPolicy::load(&self.dir, &protocols::vocabularies(), &self.targets).map_err(Failure::of)
    }
}

pub(crate) fn check(config: &Path, args: &PolicyCheck, output: &mut Output) -> Result<Verdict, Failure> {
    let bundle = Bundle::find(config, &args.folder)?;
    let checked = policy::check(&bundle.dir, &protocols::vocabularies(), &bundle.targets).map_err(Failure::of)?;
    if args.json {
        output.json(&checked)?;
        return Ok(Verdict::Good);
    }
    for policy in &checked.policies {
        let id = output.toned(Tone::Strong, &policy.id);
        let place = output.toned(Tone::Dim, format_args!("{}:{}", policy.file, policy.line));
        let marks = if policy.approval.is_empty() {
            String::new()
        } else {
            // A permit counts when approved, a forbid when not.
            let when = if policy.effect == "forbid" { "unless" } else { "once" };
            format!(" {when} approved by {} of `{}`", policy.quorum.unwrap_or(1), policy.approval.join("`, `"))
        };
        output.line(format_args!("{:6} {id}{marks}  {place}", policy.effect))?;
    }
    for warning in &checked.warnings {
        output.warning(warning);
    }
    let good = output.toned(Tone::Good, "ok");
    output.line(format_args!("{good} {} policies, revision {}", checked.policies.len(), checked.revision))?;
    Ok(Verdict::Good)
}

pub(crate) fn test(config: &Path, args: &PolicyTest, output: &mut Output) -> Result<Verdict, Failure> {
    let policy = Bundle::find(config, &args.folder)?.load()?;
    let (mut passed, mut failed) = (0_usize, 0_usize);
    for table in &args.tables {
        let report = policy::test(&policy, table).map_err(Failure::of)?;
        if args.json {
            output.json_line(&report)?;
        }
        for case in &report.cases {
            let place = format!("{}:{}", table.display(), case.line);
            match &case.failure {
                None => passed += 1,
                Some(_) => failed += 1,
            }
            if args.json {
                continue;
            }
            match &case.failure {
                None => {
                    let good = output.toned(Tone::Good, "ok");
                    output.line(format_args!("{good} {}", case.name))?;
                }
                Some(why) => {
                    let bad = output.toned(Tone::Bad, "FAIL");
                    output.line(format_args!("{bad} {} ({place}): {why}", case.name))?;
                }
            }
        }
    }
    if !args.json {
        output.line(format_args!("{passed} passed, {failed} failed"))?;
    }
    Ok(Verdict::good_if(failed == 0))
}

pub(crate) fn schema(output: &mut Output) -> Result<Verdict, Failure> {
    output.line(policy::schema_text(&protocols::vocabularies()).map_err(Failure::of)?)?;
    Ok(Verdict::Good)
}
