//! `portcullis sessions`: what was recorded?

use std::path::Path;

use portcullis_runtime::recording::{self, Summary};
use serde_json::json;

use super::{recordings, watch};
use crate::args;
use crate::output::{Failure, Output, Tone, Verdict};
use crate::{moment, visible};

pub(crate) fn run(config: &Path, args: &args::Sessions, output: &mut Output) -> Result<Verdict, Failure> {
    if let Some(control) = args.followed() {
        return watch::sessions(&control, args.json, output);
    }
    let dir = recordings(config, args.dir.as_ref())?;
    for summary in recording::list(&dir).map_err(Failure::of)? {
        if args.json {
            output.json_line(&as_json(&summary))?;
        } else {
            show(&summary, output)?;
        }
    }
    Ok(Verdict::Good)
}

fn show(summary: &Summary, output: &mut Output) -> Result<(), Failure> {
    let id = output.toned(Tone::Strong, visible::line(&summary.id));
    let who = summary.identity.as_ref().map_or("?", |identity| identity.name());
    let lasted = match summary.closed {
        Some(closed) => moment::length(closed.saturating_sub(summary.opened)),
        None if summary.recovered => String::from("the gate died"),
        None => String::from("open"),
    };
    let denied = if summary.denied > 0 {
        output.toned(Tone::Bad, format_args!(", {} denied", summary.denied))
    } else {
        String::new()
    };
    output.line(format_args!(
        "{id}  {}  {}  {}  {}  {} operations{denied}, {lasted}",
        moment::second(summary.opened),
        visible::line(&summary.protocol),
        visible::line(&summary.target),
        visible::line(who),
        summary.operations,
    ))?;
    match &summary.problem {
        Some(problem) => {
            let warning = output.toned(Tone::Warning, "not readable to its end:");
            output.line(format_args!("    {warning} {}", visible::line(problem)))
        }
        None => Ok(()),
    }
}

fn as_json(summary: &Summary) -> serde_json::Value {
    json!({
        "session": summary.id,
        "number": summary.number,
        "path": summary.path,
        "protocol": summary.protocol,
        "target": summary.target,
        "client": summary.client,
        "application": summary.application,
        "identity": summary.identity,
        "opened": summary.opened,
        "closed": summary.closed,
        "reason": summary.reason,
        "operations": summary.operations,
        "denied": summary.denied,
        "recovered": summary.recovered,
        "problem": summary.problem,
    })
}
