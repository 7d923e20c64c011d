//! `portcullis policy replay`: what would other policies have decided?

use std::collections::HashMap;
use std::path::Path;

use portcullis_runtime::policy::{CedarPolicy, Replay, Replayed};
use portcullis_runtime::recording::{self, Summary, read};

use super::policy::Bundle;
use super::recordings;
use crate::args::PolicyReplay;
use crate::output::{Failure, Output, Tone, Verdict};
use crate::{moment, policies, protocols, visible};

pub(crate) fn run(config: &Path, args: &PolicyReplay, output: &mut Output) -> Result<Verdict, Failure> {
    let labels: HashMap<_, _> = match super::load(config) {
        Ok(config) => {
            let targets = config.targets.into_iter().map(|target| target.common);
            targets.map(|target| (target.name, target.labels.into_iter().collect())).collect()
        }
        // Recordings and policies are enough; labels are what the configuration adds.
        Err(_) if args.dir.is_some() => HashMap::new(),
        Err(why) => return Err(why),
    };
    let bundle = Bundle { dir: args.policies.clone(), targets: labels.keys().cloned().collect() };
    let policy = CedarPolicy::load(&bundle.dir, &protocols::vocabularies(), &bundle.targets).map_err(Failure::of)?;
    let (mut operations, mut changed, mut sessions) = (0_u64, 0_u64, 0_u64);
    for summary in recording::list(&recordings(config, args.dir.as_ref())?).map_err(Failure::of)? {
        if !wanted(&summary, args) {
            continue;
        }
        sessions = sessions.saturating_add(1);
        let mut replay = Replay::new(&policy, &labels);
        for line in read::open(&summary.path).map_err(Failure::of)? {
            let Ok(line) = line else {
                output.warning(format_args!("session {} cannot be read to its end", visible::line(&summary.id)));
                break;
            };
            match replay.take(line.at, line.json()) {
                Replayed::Nothing => continue,
                Replayed::Same => {}
                Replayed::Changed(found) => {
                    changed = changed.saturating_add(1);
                    show(&policies::shown(&summary.id, *found), line.at, args.json, output)?;
                }
            }
            operations = operations.saturating_add(1);
        }
    }
    if !args.json {
        output.line(format_args!(
            "{changed} of {operations} operations in {sessions} sessions would be decided otherwise"
        ))?;
    }
    Ok(Verdict::good_if(changed == 0))
}

fn wanted(summary: &Summary, args: &PolicyReplay) -> bool {
    let micros =
        |time: Option<jiff::Timestamp>| time.map(|time| u64::try_from(time.as_microsecond()).unwrap_or_default());
    summary.protocol != portcullis_control::vocabulary::VOCABULARY.family
        && args.target.as_ref().is_none_or(|target| *target == summary.target)
        && micros(args.from).is_none_or(|from| summary.opened >= from)
        && micros(args.to).is_none_or(|to| summary.opened < to)
}

fn show(
    changed: &portcullis_control::policies::Changed,
    at: u64,
    json: bool,
    output: &mut Output,
) -> Result<(), Failure> {
    if json {
        return output.json_line(changed);
    }
    let now = output.toned(tone(&changed.now), &changed.now);
    output.line(format_args!(
        "{}#{}  {}  {} → {now}  {}  {}",
        visible::line(&changed.session),
        changed.op,
        moment::second(at),
        visible::line(&changed.was),
        visible::line(&changed.policies.join(", ")),
        visible::line(&changed.statement),
    ))
}

fn tone(decision: &str) -> Tone {
    match decision {
        "allow" => Tone::Good,
        "deny" => Tone::Bad,
        _ => Tone::Warning,
    }
}
