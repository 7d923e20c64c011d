//! `portcullis check`: is the configuration right, and do the targets answer?

use std::path::Path;

use super::gate;
use crate::args;
use crate::output::{Failure, Output, Tone, Verdict};

pub(crate) fn run(config: &Path, check: &args::Check, output: &mut Output) -> Result<Verdict, Failure> {
    let plan = gate(config)?.plan().map_err(Failure::of)?;
    let good = output.toned(Tone::Good, "ok");
    output.line(format_args!("{good} {}", config.display()))?;
    if !check.probe {
        return Ok(Verdict::Good);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::of)?;
    let mut verdict = Verdict::Good;
    for probe in runtime.block_on(plan.probe()) {
        match probe.result {
            Ok(()) => output.line(format_args!("{good} target {}", probe.target))?,
            Err(why) => {
                verdict = Verdict::Finding;
                let bad = output.toned(Tone::Bad, "FAIL");
                output.line(format_args!("{bad} target {}: {why}", probe.target))?;
            }
        }
    }
    Ok(verdict)
}
