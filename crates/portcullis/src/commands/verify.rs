//! `portcullis verify`: are recordings as they were written?

use std::path::Path;

use portcullis_runtime::recording::verify::{self, DirReport, FileReport, Signatures, State};
use portcullis_runtime::recording::{Damage, RootKey};
use serde_json::{Value, json};

use crate::args;
use crate::moment;
use crate::output::{Failure, Output, Tone, Verdict};

pub(crate) fn run(args: &args::Verify, output: &mut Output) -> Result<Verdict, Failure> {
    let key: Option<RootKey> = args.key.as_deref().map(str::parse).transpose().map_err(Failure::of)?;
    let mut intact = true;
    for path in &args.paths {
        intact &= if path.is_dir() {
            let report = verify::dir(path, key.as_ref()).map_err(Failure::of)?;
            show_folder(path, &report, args.json, output)?;
            report.is_intact()
        } else {
            let report = verify::file(path, key.as_ref()).map_err(Failure::of)?;
            show_file(&report, args.json, output)?;
            report.is_intact()
        };
    }
    Ok(Verdict::good_if(intact))
}

fn show_folder(path: &Path, report: &DirReport, as_json: bool, output: &mut Output) -> Result<(), Failure> {
    for file in &report.files {
        show_file(file, as_json, output)?;
    }
    if as_json {
        return output.json_line(&folder_json(path, report));
    }
    let bad = output.toned(Tone::Bad, "FAIL");
    if let Some(damage) = &report.log {
        output.line(format_args!("{bad} {damage}"))?;
    }
    for range in &report.missing {
        let (first, last) = (range.start(), range.end());
        output.line(format_args!("{bad} {}: the sessions {first} to {last} are missing", path.display()))?;
    }
    let good = report.files.iter().filter(|file| file.is_intact()).count();
    let signed = report.last_checkpoint.map_or_else(String::new, |at| format!(", the last of {}", moment::second(at)));
    let word = if report.is_intact() { output.toned(Tone::Good, "ok") } else { bad };
    output.line(format_args!(
        "{word} {}: {good} of {} recordings intact, {} checkpoints{signed}",
        path.display(),
        report.files.len(),
        report.checkpoints
    ))?;
    if let Some(key) = &report.root {
        output.line(format_args!("   gate `{}`, key {key}", report.gate))?;
    }
    Ok(())
}

fn show_file(report: &FileReport, as_json: bool, output: &mut Output) -> Result<(), Failure> {
    if as_json {
        return output.json_line(&file_json(report));
    }
    let path = report.path.display();
    if !report.is_intact() {
        let bad = output.toned(Tone::Bad, "FAIL");
        return match (&report.state, &report.signatures) {
            (State::Damaged(damage), _) | (_, Signatures::LogDamaged(damage)) => {
                output.line(format_args!("{bad} {path}: {damage}"))
            }
            _ => output.line(format_args!("{bad} {path}: a checkpoint vouches for it, and it is not there")),
        };
    }
    let good = output.toned(Tone::Good, "ok");
    let signed = match report.signatures {
        Signatures::Unchecked => String::from("no checkpoints beside it, so only its chain was verified"),
        _ if report.unsigned() == 0 => String::from("signed to its end"),
        _ => format!("its last {} bytes are not signed yet", report.unsigned()),
    };
    output.line(format_args!("{good} {path}: {}, {} events, {signed}", state(report), report.events))
}

fn state(report: &FileReport) -> String {
    let lost = if report.lost > 0 { format!(", {} events lost", report.lost) } else { String::new() };
    match report.state {
        State::Recovered { torn } => format!("recovered after the gate died, {torn} torn bytes{lost}"),
        State::Open { torn: 0 } => format!("open{lost}"),
        State::Open { torn } => format!("open, {torn} bytes are no whole event yet{lost}"),
        State::Complete | State::Damaged(_) | State::Missing => format!("complete{lost}"),
    }
}

fn folder_json(path: &Path, report: &DirReport) -> Value {
    json!({
        "folder": path,
        "intact": report.is_intact(),
        "gate": report.gate,
        "key": report.root.map(|key| key.to_string()),
        "checkpoints": report.checkpoints,
        "last_checkpoint": report.last_checkpoint,
        "missing": report.missing.iter().map(|range| [*range.start(), *range.end()]).collect::<Vec<_>>(),
        "damage": report.log.as_ref().map(damage_json),
    })
}

fn file_json(report: &FileReport) -> Value {
    let (state, damage) = match (&report.state, &report.signatures) {
        (State::Damaged(damage), _) => ("damaged", Some(damage)),
        (State::Missing, _) => ("missing", None),
        (_, Signatures::LogDamaged(damage)) => ("unsigned", Some(damage)),
        (State::Complete, _) => ("complete", None),
        (State::Recovered { .. }, _) => ("recovered", None),
        (State::Open { .. }, _) => ("open", None),
    };
    json!({
        "recording": report.path,
        "intact": report.is_intact(),
        "proven": report.is_proven(),
        "state": state,
        "events": report.events,
        "lost": report.lost,
        "bytes": report.bytes,
        "unsigned_bytes": report.unsigned(),
        "damage": damage.map(damage_json),
    })
}

fn damage_json(damage: &Damage) -> Value {
    json!({ "file": damage.path, "offset": damage.offset, "length": damage.length, "what": damage.what })
}
