//! `portcullis targets` and `ticket`: what one may get to, and how with a short password.

use portcullis_control::api::{TargetList, Ticket, TicketFor};
use portcullis_control::vitals::ShownTarget;

use crate::args;
use crate::client::Client;
use crate::output::{Failure, Output, Tone, Verdict};
use crate::visible;

pub(crate) fn list(args: &args::Targets, output: &mut Output) -> Result<Verdict, Failure> {
    let list: TargetList = Client::new(&args.control)?.get("targets")?;
    for target in &list.targets {
        if args.json {
            output.json_line(target)?;
        } else {
            line(target, output)?;
        }
    }
    Ok(Verdict::Good)
}

fn line(target: &ShownTarget, output: &mut Output) -> Result<(), Failure> {
    let health = &target.health;
    let tone = match health.state.as_str() {
        "up" => Tone::Good,
        "down" => Tone::Bad,
        _ => Tone::Dim,
    };
    let name = output.toned(Tone::Strong, visible::line(&target.name));
    let state = output.toned(tone, visible::line(&health.state));
    let labels: Vec<_> = target.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    output.line(format_args!(
        "{name}  {}  {}  {state}  {} sessions  {}",
        visible::line(&target.protocol),
        visible::line(&target.listen),
        target.live_sessions,
        visible::line(&labels.join(" ")),
    ))?;
    if health.detail.is_empty() {
        return Ok(());
    }
    output.line(format_args!("    {}", visible::line(&health.detail)))
}

pub(crate) fn ticket(args: &args::Ticket, output: &mut Output) -> Result<Verdict, Failure> {
    let asked = TicketFor { target: args.target.clone() };
    let made: Ticket = Client::new(&args.control)?.post("tickets", &asked)?;
    if args.json {
        output.json(&made)?;
    } else {
        // Alone on its line, so that a script can take it as it is.
        output.line(visible::line(&made.ticket))?;
    }
    Ok(Verdict::Good)
}
