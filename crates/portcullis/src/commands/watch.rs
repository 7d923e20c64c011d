//! `portcullis asks --watch` and `sessions --follow`: what changes, as it changes. What was missed while a
//! stream was cut is made up by listing anew.

use std::collections::HashMap;
use std::time::Duration;

use portcullis_control::api::{Listed, SessionList, Shown};
use portcullis_control::index::Session;

use super::asks;
use crate::args;
use crate::client::{Client, wait};
use crate::output::{Failure, Output, Tone, Verdict};
use crate::visible;

/// How long to wait before a stream that was cut is asked for anew.
const PAUSE: Duration = Duration::from_secs(1);

pub(crate) fn asks(args: &args::Asks, output: &mut Output) -> Result<Verdict, Failure> {
    let client = Client::new(&args.control)?;
    wait(async {
        // What each ask was like when it was last shown; only what is pending can change again.
        let mut known: HashMap<String, String> = HashMap::new();
        loop {
            // First this, so that nothing falls in between.
            let mut events = client.follow("asks/live").await?;
            let Listed { asks } = client.read("asks?state=pending").await?;
            known.retain(|id, _| asks.iter().any(|shown| shown.ask.id == *id));
            for shown in asks.iter().rev() {
                ask(shown, &mut known, args.json, output)?;
            }
            while let Some(event) = events.next().await? {
                match event.name.as_str() {
                    "ask" => ask(&event.read()?, &mut known, args.json, output)?,
                    _ => break,
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    })
}

/// Shows an ask that has changed.
fn ask(shown: &Shown, known: &mut HashMap<String, String>, json: bool, output: &mut Output) -> Result<(), Failure> {
    let now = format!("{} {}", shown.ask.state.word(), shown.ask.answers.len());
    if known.insert(shown.ask.id.clone(), now.clone()).is_some_and(|before| before == now) {
        return Ok(());
    }
    if json {
        output.json_line(shown)?;
    } else {
        asks::line(shown, output)?;
    }
    output.flush()
}

pub(crate) fn sessions(control: &args::Control, json: bool, output: &mut Output) -> Result<Verdict, Failure> {
    let client = Client::new(control)?;
    wait(async {
        let mut live: HashMap<String, bool> = HashMap::new();
        loop {
            let mut events = client.follow("sessions/live").await?;
            let SessionList { sessions, .. } = client.read("sessions?state=live&limit=200").await?;
            live.retain(|id, _| sessions.iter().any(|session| session.id == *id));
            for one in sessions.iter().rev() {
                session(one, &mut live, json, output)?;
            }
            while let Some(event) = events.next().await? {
                match event.name.as_str() {
                    "session" => session(&event.read()?, &mut live, json, output)?,
                    _ => break,
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    })
}

/// Shows a session that has opened or ended; as JSON, whatever has changed.
fn session(
    session: &Session,
    live: &mut HashMap<String, bool>,
    json: bool,
    output: &mut Output,
) -> Result<(), Failure> {
    let is_news = live.insert(session.id.clone(), session.live) != Some(session.live);
    if !session.live {
        live.remove(&session.id);
    }
    if json {
        output.json_line(session)?;
    } else if is_news {
        line(session, output)?;
    }
    output.flush()
}

fn line(session: &Session, output: &mut Output) -> Result<(), Failure> {
    let (at, what) = match &session.closed_at {
        Some(closed) => (closed, output.toned(Tone::Dim, "ended")),
        None => (&session.opened_at, output.toned(Tone::Good, "began")),
    };
    let denied = match session.denied {
        0 => String::new(),
        denied => output.toned(Tone::Bad, format_args!(", {denied} denied")),
    };
    let id = output.toned(Tone::Strong, visible::line(&session.id));
    output.line(format_args!(
        "{id}  {what}  {}  {}  {}  {}  {} operations{denied}",
        visible::line(at),
        visible::line(&session.protocol),
        visible::line(&session.target),
        visible::line(&session.identity.name),
        session.operations,
    ))
}
