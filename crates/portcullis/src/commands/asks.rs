//! `portcullis asks`, `show`, `approve`, `deny` and `revoke`: humans at the control API.

use std::fmt::Write as _;

use portcullis_control::api::{Ended, Ends, Listed, Reason, Shown};
use portcullis_control::ask::{Answer, State};

use super::watch;
use crate::args;
use crate::client::Client;
use crate::output::{Failure, Output, Tone, Verdict};
use crate::{moment, visible};

pub(crate) fn list(args: &args::Asks, output: &mut Output) -> Result<Verdict, Failure> {
    if args.watch {
        return watch::asks(args, output);
    }
    let client = Client::new(&args.control)?;
    let path = match args.state {
        Some(state) => format!("asks?state={}", state.word()),
        None if args.all => String::from("asks"),
        None => String::from("asks?state=pending"),
    };
    let Listed { asks } = client.get(&path)?;
    for shown in &asks {
        if args.json {
            output.json_line(shown)?;
        } else {
            line(shown, output)?;
        }
    }
    Ok(Verdict::Good)
}

pub(crate) fn show(args: &args::Show, output: &mut Output) -> Result<Verdict, Failure> {
    let shown: Shown = Client::new(&args.control)?.get(&format!("asks/{}", args.id))?;
    whole(&shown, args.json, output)
}

pub(crate) fn answer(args: &args::AnswerAsk, verb: &str, output: &mut Output) -> Result<Verdict, Failure> {
    let reason = Reason { reason: args.reason.clone() };
    let shown: Shown = Client::new(&args.control)?.post(&format!("asks/{}/{verb}", args.id), &reason)?;
    if args.json {
        output.json(&shown)?;
    } else {
        line(&shown, output)?;
    }
    Ok(Verdict::Good)
}

pub(crate) fn revoke(args: &args::Revoke, output: &mut Output) -> Result<Verdict, Failure> {
    if let Some(id) = &args.what.ask {
        let reason = args.reason.clone().ok_or_else(|| Failure::Said(String::from("say why with `--reason`")))?;
        let answer = args::AnswerAsk { control: args.control.clone(), id: id.clone(), reason, json: args.json };
        return self::answer(&answer, "revoke", output);
    }
    let what = &args.what;
    let ends = match (&what.session, &what.token_id, what.identity.as_deref()) {
        (Some(session), ..) => Ends::Session(session.clone()),
        (None, Some(token), _) => Ends::Token(token.clone()),
        (None, None, Some([issuer, subject])) => Ends::Identity { issuer: issuer.clone(), subject: subject.clone() },
        (None, None, _) => return Err(Failure::Said(String::from("say what to revoke; see `--help`"))),
    };
    let ended: Ended = Client::new(&args.control)?.post("revocations", &ends)?;
    if args.json {
        output.json(&ended)?;
    } else {
        output.line(format_args!("{} sessions were told to end", ended.sessions))?;
    }
    Ok(Verdict::Good)
}

/// One ask on one line.
pub(super) fn line(shown: &Shown, output: &mut Output) -> Result<(), Failure> {
    const LENGTH: usize = 80;
    let ask = &shown.ask;
    let statement = visible::line(&shown.statement_text);
    let mut short: String = statement.chars().take(LENGTH).collect();
    if short.len() < statement.len() {
        short.push('…');
    }
    let id = output.toned(Tone::Strong, visible::line(&ask.id));
    output.line(format_args!(
        "{id}  {}  {}  {}  {}  {short}",
        stand(ask.state, output),
        moment::second(ask.asked),
        visible::line(ask.requester.name()),
        visible::line(&ask.target),
    ))
}

fn stand(state: State, output: &Output) -> String {
    let tone = match state {
        State::Pending => Tone::Warning,
        State::Approved | State::Used => Tone::Good,
        State::Denied | State::Revoked => Tone::Bad,
        State::Expired | State::Withdrawn => Tone::Dim,
    };
    output.toned(tone, state.word())
}

/// All of an ask, as approvers have to see it.
fn whole(shown: &Shown, json: bool, output: &mut Output) -> Result<Verdict, Failure> {
    if json {
        output.json(shown)?;
        return Ok(Verdict::Good);
    }
    line(shown, output)?;
    let ask = &shown.ask;
    output.line("")?;
    output.line(format_args!("  who       {}", person(&ask.requester)))?;
    output.line(format_args!(
        "  where     {} as `{}`, from {} with {}, session {}",
        visible::line(&ask.target),
        visible::line(&ask.account),
        visible::line(&ask.client),
        if ask.application.is_empty() { String::from("?") } else { visible::line(&ask.application) },
        visible::line(&ask.session),
    ))?;
    output.line(format_args!("  why       {}, says {}", visible::line(&ask.reason), named(&ask.policies)))?;
    output.line(format_args!("  asks      {}", asks(shown)))?;
    output.line(format_args!("  until     {}", moment::second(ask.expires)))?;
    if let Some(rows) = ask.estimated_rows {
        output.line(format_args!("  writes    about {rows} rows, by the target's own estimate"))?;
    }
    if ask.in_transaction {
        let warning = output.toned(Tone::Warning, "a transaction is open: what it has locked stays locked meanwhile");
        output.line(format_args!("  beware    {warning}"))?;
    }
    output.line("\n  statement")?;
    output.line(format_args!("    {}", visible::lines(&shown.statement_text, "    ")))?;
    if !ask.values.is_empty() {
        output.line("\n  values")?;
        output.line(format_args!("    {}", visible::lines(ask.values.trim_end(), "    ")))?;
    }
    output.line("\n  effects")?;
    for effect in ask.effects.as_array().into_iter().flatten() {
        output.line(format_args!("    {}", visible::line(&effect.to_string())))?;
    }
    if !ask.answers.is_empty() {
        output.line("\n  answers")?;
    }
    for answer in &ask.answers {
        output.line(format_args!("    {}", answered(answer, output)))?;
    }
    Ok(Verdict::Good)
}

fn person(person: &portcullis_control::ask::Person) -> String {
    let mut who = visible::line(person.name());
    if person.name() != person.subject {
        let _ = write!(who, " ({})", visible::line(&person.subject));
    }
    let _ = write!(who, ", by {}", visible::line(&person.issuer));
    if person.workload {
        who.push_str(", a program");
    }
    for actor in &person.actors {
        let _ = write!(who, ", for whom {} acts", visible::line(actor));
    }
    who
}

fn named(policies: &[String]) -> String {
    policies.iter().map(|policy| format!("`{}`", visible::line(policy))).collect::<Vec<_>>().join(", ")
}

fn asks(shown: &Shown) -> String {
    let terms = &shown.ask.terms;
    let groups: Vec<String> = terms.groups.iter().map(|any| any.join(" or ")).collect();
    let humans = if terms.quorum == 1 { String::from("one human") } else { format!("{} humans", terms.quorum) };
    format!("{humans} of {}", visible::line(&groups.join(", and of ")))
}

fn answered(answer: &Answer, output: &Output) -> String {
    let word = if answer.yes { output.toned(Tone::Good, "yes") } else { output.toned(Tone::Bad, "no") };
    let (by, when) = (visible::line(answer.by.name()), moment::second(answer.at));
    format!("{word} by {by} at {when}: {}", visible::line(&answer.reason))
}
