//! `portcullis policy explain`: how one operation would be decided, and by what.

use std::collections::BTreeMap;
use std::path::Path;

use portcullis_runtime::policy::{Asked, EffectExplained, Explanation, WorldExplained};
use serde_json::{Value, json};

use super::policy::Bundle;
use crate::args::PolicyExplain;
use crate::output::{Failure, Output, Tone, Verdict};

pub(crate) fn run(config: &Path, args: &PolicyExplain, output: &mut Output) -> Result<Verdict, Failure> {
    let policy = Bundle::find(config, &args.folder)?.load()?;
    let labels = labels(config, args)?;
    let explanation = policy.explain_asked(&asked(args, &labels)?).map_err(Failure::Said)?;
    if args.json {
        output.json(&explanation)?;
    } else {
        print(&explanation, output)?;
    }
    Ok(Verdict::Good)
}

/// The question, as a table test would write it.
fn asked(args: &PolicyExplain, labels: &BTreeMap<String, String>) -> Result<Asked, Failure> {
    let mut who = json!({ "groups": args.groups, "kind": if args.workload { "workload" } else { "user" } });
    let mut question = json!({ "target": args.target, "labels": labels });
    for (key, value) in [("subject", &args.subject), ("issuer", &args.issuer), ("email", &args.email)] {
        insert(&mut who, key, value.clone().map(Value::String));
    }
    let facts: BTreeMap<_, _> = args.facts.iter().map(|(name, text)| (name, fact(text))).collect();
    let effect = json!({ "action": args.action, "resource": args.resource, "facts": facts });
    insert(&mut question, "who", Some(who));
    insert(&mut question, "address", args.address.map(|address| json!(address)));
    insert(&mut question, "effects", Some(json!([effect])));
    serde_json::from_value(question).map_err(Failure::of)
}

fn insert(table: &mut Value, key: &str, value: Option<Value>) {
    if let (Some(table), Some(value)) = (table.as_object_mut(), value) {
        table.insert(key.to_owned(), value);
    }
}

/// `true`, `3` and `["a"]` are what they look like; anything else is a text.
fn fact(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

fn labels(config: &Path, args: &PolicyExplain) -> Result<BTreeMap<String, String>, Failure> {
    if !args.labels.is_empty() || args.folder.dir.is_some() {
        return Ok(args.labels.iter().cloned().collect());
    }
    let config = super::load(config)?;
    let target = config.targets.into_iter().find(|target| target.common.name == args.target);
    match target {
        Some(target) => Ok(target.common.labels),
        None => Err(Failure::Said(format!("the configuration has no target `{}`", args.target))),
    }
}

fn print(explanation: &Explanation, output: &mut Output) -> Result<(), Failure> {
    let tone = match explanation.decision {
        "allow" => Tone::Good,
        "deny" => Tone::Bad,
        _ => Tone::Warning,
    };
    let decision = output.toned(tone, explanation.decision);
    output.line(format_args!("{decision} (revision {})", explanation.revision))?;
    if !explanation.reason.is_empty() {
        output.line(format_args!("  because {}", explanation.reason))?;
    }
    if let Some(terms) = &explanation.terms {
        let groups: Vec<String> = terms.groups.iter().map(|any| any.join(" or ")).collect();
        output.line(format_args!(
            "  needs {} of {}, within {} seconds",
            terms.quorum,
            groups.join(" and of "),
            terms.ttl.as_secs()
        ))?;
    }
    for effect in &explanation.effects {
        print_effect(effect, output)?;
    }
    Ok(())
}

fn print_effect(effect: &EffectExplained, output: &mut Output) -> Result<(), Failure> {
    let path = effect.effect.resource.path.join("/");
    let what = format!("{} {} {path}", effect.effect.action, effect.effect.resource.kind);
    output.line(format_args!("  {}: {} by {}", what.trim_end(), effect.decision, listed(&effect.policies)))?;
    output.line(format_args!("    policies that could apply: {}", effect.considered))?;
    for (world, found) in [("as it is", &effect.as_is), ("as if approved", &effect.as_if_approved)] {
        if let Some(found) = found {
            print_world(world, found, output)?;
        }
    }
    Ok(())
}

fn print_world(world: &str, found: &WorldExplained, output: &mut Output) -> Result<(), Failure> {
    let allowed = if found.allowed { "allowed" } else { "not allowed" };
    output.line(format_args!("    {world}: {allowed}, by {}", listed(&found.deciding)))?;
    if !found.broken.is_empty() {
        let bad = output.toned(Tone::Bad, "cannot be evaluated");
        output.line(format_args!("    {bad}: {}", listed(&found.broken)))?;
    }
    Ok(())
}

fn listed(ids: &[String]) -> String {
    if ids.is_empty() { String::from("nothing") } else { format!("`{}`", ids.join("`, `")) }
}
