//! `portcullis replay`: what happened in a session?

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use portcullis_core::identity::{Identity, Kind};
use portcullis_core::recording::{Event, Status, Stream, Text};
use portcullis_runtime::recording::export::{Export, Format};
use portcullis_runtime::recording::read::{ReadError, Reader};
use portcullis_runtime::recording::{self, read};
use serde_json::value::RawValue;

use super::recordings;
use crate::args;
use crate::output::{Failure, Output, Tone, Verdict};
use crate::{moment, visible};

/// Where the text of an operation begins.
const INDENT: &str = "        ";

pub(crate) fn run(config: &Path, args: &args::Replay, output: &mut Output) -> Result<Verdict, Failure> {
    let path = find(config, args)?;
    let mut reader = read::open(&path).map_err(Failure::of)?;
    if let Some(format) = args.format {
        return export(reader, format, args.op, output);
    }
    let mut began = None;
    for line in reader.by_ref() {
        let line = match line {
            Ok(line) => line,
            Err(why) => return Ok(unreadable(&why, output)),
        };
        if args.json {
            output.json_line(&Stored { seq: line.seq, at: line.at, event: raw(line.json())? })?;
            continue;
        }
        let began = *began.get_or_insert(line.at);
        let since = line.at.saturating_sub(began);
        match line.event() {
            Ok(event) => show(since, began, &event, output)?,
            Err(_) => {
                output.line(format_args!("{INDENT}an event of a later version: {}", visible::line(line.json())))?;
            }
        }
    }
    let end = reader.end();
    if !args.json && !end.complete {
        let note = output.toned(Tone::Warning, "the recording has no end: the session is open, or the gate died");
        output.line(note)?;
    }
    Ok(Verdict::Good)
}

fn unreadable(why: &ReadError, output: &mut Output) -> Verdict {
    output.error(format_args!("the recording cannot be read on: {why}"));
    Verdict::Finding
}

fn export(reader: Reader<'_>, format: Format, op: Option<u64>, output: &mut Output) -> Result<Verdict, Failure> {
    for piece in Export::begin(reader, format, op).map_err(Failure::of)? {
        match piece {
            Ok(piece) => output.stream().write_all(&piece)?,
            Err(why) => return Ok(unreadable(&why, output)),
        }
    }
    Ok(Verdict::Good)
}

/// An event as it is stored, with its number and its time.
#[derive(serde::Serialize)]
struct Stored {
    seq: u64,
    at: u64,
    event: Box<RawValue>,
}

fn raw(json: &str) -> Result<Box<RawValue>, Failure> {
    RawValue::from_string(json.to_owned()).map_err(Failure::of)
}

fn find(config: &Path, args: &args::Replay) -> Result<PathBuf, Failure> {
    let path = Path::new(&args.session);
    if path.is_file() {
        return Ok(path.to_owned());
    }
    let dir = recordings(config, args.dir.as_ref())?;
    let found = recording::find(&dir, &args.session).map_err(Failure::of)?;
    found.ok_or_else(|| Failure::Said(format!("there is no session `{}` in `{}`", args.session, dir.display())))
}

fn show(since: u64, began: u64, event: &Event<'_>, output: &mut Output) -> Result<(), Failure> {
    match event {
        Event::Opened { session, protocol, target, client, application, identity } => {
            let session = output.toned(Tone::Strong, visible::line(session));
            output.line(format_args!("session {session}: {} to {}", visible::line(protocol), visible::line(target)))?;
            output.line(format_args!("  who    {}", who(identity)))?;
            output.line(format_args!("  from   {} with `{}`", visible::line(client), visible::line(application)))?;
            output.line(format_args!("  began  {} UTC", moment::second(began)))
        }
        Event::Operation { op, kind, statement, effects, parameters, .. } => {
            let number = output.toned(Tone::Strong, format_args!("#{op}"));
            let with = if *parameters > 0 { format!(" with {parameters} parameters") } else { String::new() };
            output.line(format_args!("{number:<6} +{}  {}{with}", moment::length(since), visible::line(kind)))?;
            show_statement(statement, output)?;
            for effect in effects_of(effects) {
                let effect = output.toned(Tone::Dim, effect);
                output.line(format_args!("{INDENT}{effect}"))?;
            }
            Ok(())
        }
        Event::Decision { decision, policies, reason, .. } => show_decision(decision, policies, reason, output),
        Event::Asked { ask, .. } => output.line(format_args!("{INDENT}asked as {}", visible::line(ask))),
        Event::Answered { verdict, detail, .. } => {
            output.line(format_args!("{INDENT}{}: {}", visible::line(verdict), visible::line(detail)))
        }
        Event::Columns { columns, .. } => {
            let names: Vec<_> = columns.iter().map(|column| visible::line(&column.name)).collect();
            let names = output.toned(Tone::Strong, names.join(" | "));
            output.line(format_args!("{INDENT}{names}"))
        }
        Event::Rows { rows, .. } => rows.iter().try_for_each(|row| output.line(format_args!("{INDENT}{}", cells(row)))),
        Event::Terminal { stream, data, .. } => {
            let way = match stream {
                Stream::Input => "<",
                Stream::Output => ">",
                Stream::Error => "!",
            };
            let text = String::from_utf8_lossy(&data.0);
            output.line(format_args!("{INDENT}{way} {}", visible::lines(text.trim_end(), INDENT)))
        }
        Event::Resize { columns, rows, .. } => output.line(format_args!("{INDENT}{columns} by {rows} characters")),
        Event::Outcome { status, message, code, rows, bytes, micros, masked, .. } => {
            let (tone, word) = outcome(*status);
            let word = output.toned(tone, word);
            let code = if code.is_empty() { String::new() } else { format!(" {}", visible::line(code)) };
            output.line(format_args!(
                "{INDENT}{word}{code} after {}: {rows} rows, {bytes} bytes{}: {}",
                moment::length(*micros),
                masked_counts(masked),
                visible::line(message)
            ))
        }
        Event::Gap { events, reason } => {
            let bad = output.toned(Tone::Bad, format_args!("{events} events are missing"));
            output.line(format_args!("{bad}: {}", visible::line(reason)))
        }
        Event::Recovered { torn } => {
            let note = output.toned(Tone::Warning, "the gate died here");
            output.line(format_args!("{note}; {torn} bytes were not a whole event"))
        }
        Event::Closed { reason, operations } => {
            let reason = visible::line(reason);
            output.line(format_args!("closed +{} after {operations} operations: {reason}", moment::length(since)))
        }
    }
}

/// The values of a row.
fn cells(row: &[Option<Text<'_>>]) -> String {
    let cell = |value: &Option<Text<'_>>| match value {
        Some(value) => visible::line(&String::from_utf8_lossy(&value.0)),
        None => String::from("NULL"),
    };
    row.iter().map(cell).collect::<Vec<_>>().join(" | ")
}

/// What was masked, by tag: `, masked: email 12, card 3`.
fn masked_counts(masked: &BTreeMap<Cow<'_, str>, u64>) -> String {
    if masked.is_empty() {
        return String::new();
    }
    let counts: Vec<_> = masked.iter().map(|(tag, count)| format!("{} {count}", visible::line(tag))).collect();
    format!(", masked: {}", counts.join(", "))
}

fn who(identity: &Identity) -> String {
    let kind = match identity.kind {
        Kind::User => "",
        Kind::Workload => ", a workload",
    };
    let actors =
        if identity.actors.is_empty() { String::new() } else { format!(", through {}", identity.actors.join(" for ")) };
    let groups =
        if identity.groups.is_empty() { String::new() } else { format!(", of {}", identity.groups.join(", ")) };
    let (name, subject, issuer) = (identity.name(), &identity.subject, &identity.issuer);
    visible::line(&format!("{name} ({subject} at {issuer}{kind}{actors}{groups})"))
}

fn show_statement(statement: &Text<'_>, output: &mut Output) -> Result<(), Failure> {
    let text = String::from_utf8_lossy(&statement.0);
    if text.is_empty() {
        return Ok(());
    }
    output.line(format_args!("{INDENT}{}", visible::lines(text.trim_end(), INDENT)))
}

/// What the operation would do, an effect a line.
fn effects_of(effects: &RawValue) -> Vec<String> {
    #[derive(serde::Deserialize)]
    struct Effect {
        action: String,
        resource: Resource,
    }
    #[derive(serde::Deserialize)]
    struct Resource {
        kind: String,
        path: Vec<String>,
    }
    let effects: Vec<Effect> = serde_json::from_str(effects.get()).unwrap_or_default();
    let shown = |effect: Effect| {
        let (kind, path) = (effect.resource.kind, effect.resource.path.join("/"));
        visible::line(format!("{} {kind} {path}", effect.action).trim_end())
    };
    effects.into_iter().map(shown).collect()
}

fn show_decision(decision: &str, policies: &[String], reason: &str, output: &mut Output) -> Result<(), Failure> {
    let tone = match decision {
        "allow" => Tone::Good,
        "deny" => Tone::Bad,
        _ => Tone::Warning,
    };
    let word = output.toned(tone, visible::line(decision));
    let by = if policies.is_empty() { String::new() } else { format!(" by `{}`", policies.join("`, `")) };
    let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    output.line(format_args!("{INDENT}{word}{}{}", visible::line(&by), visible::line(&why)))
}

const fn outcome(status: Status) -> (Tone, &'static str) {
    match status {
        Status::Completed => (Tone::Good, "completed"),
        Status::Failed => (Tone::Warning, "failed"),
        Status::Refused => (Tone::Bad, "refused"),
        Status::Aborted => (Tone::Warning, "aborted"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::masked_counts;

    #[test]
    fn what_was_masked_is_counted_by_tag() {
        assert_eq!(masked_counts(&BTreeMap::new()), "");
        let counts = BTreeMap::from([("email".into(), 12), ("card".into(), 3)]);
        assert_eq!(masked_counts(&counts), ", masked: card 3, email 12");
    }
}
