//! The two worlds, brute force: what Cedar decides is compared with a literal reading of the rule.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use portcullis_core::operation::Fact;
use portcullis_core::policy::{Decision, Terms};
use proptest::prelude::*;

use super::fixture::{Asker, READ, ask, does_with, policy};

/// When a policy applies to an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Always,
    Never,
    Flag,
    NoFlag,
    Fails,
}

#[derive(Debug, Clone, Copy)]
struct Spec {
    permits: bool,
    mark: Option<Mark>,
    when: When,
}

#[derive(Debug, Clone, Copy)]
struct Mark {
    group: u8,
    quorum: u32,
    minutes: u64,
}

fn mark() -> impl Strategy<Value = Option<Mark>> {
    proptest::option::of((0..3_u8, 1..4_u32, 1..4_u64).prop_map(|(group, quorum, minutes)| Mark {
        group,
        quorum,
        minutes,
    }))
}

fn spec() -> impl Strategy<Value = Spec> {
    let when = prop_oneof![
        4 => Just(When::Always),
        1 => Just(When::Never),
        3 => Just(When::Flag),
        3 => Just(When::NoFlag),
        1 => Just(When::Fails),
    ];
    (any::<bool>(), mark(), when).prop_map(|(permits, mark, when)| Spec { permits, mark, when })
}

fn id(number: usize) -> String {
    format!("p{number}")
}

fn text(specs: &[Spec]) -> String {
    let mut text = String::new();
    for (number, spec) in specs.iter().enumerate() {
        let _ = write!(text, "@id(\"{}\") @reason(\"r{number}\") ", id(number));
        if let Some(mark) = spec.mark {
            let _ = write!(
                text,
                "@approval(\"g:{}\") @quorum(\"{}\") @ttl(\"{}m\") ",
                mark.group, mark.quorum, mark.minutes
            );
        }
        let effect = if spec.permits { "permit" } else { "forbid" };
        let when = match spec.when {
            When::Always => "context.word == \"\"",
            When::Never => "context.word == \"never\"",
            When::Flag => "context.flag",
            When::NoFlag => "!context.flag",
            When::Fails => "context.rows + 9223372036854775807 + 1 > 0",
        };
        let _ = writeln!(
            text,
            "{effect} (principal, action in [Action::\"t:read\", Action::\"t:write\"], resource) when {{ {when} }};"
        );
    }
    text
}

/// What the rule says of one effect, read literally.
#[derive(Debug, PartialEq, Eq)]
enum Read {
    Allow(BTreeSet<usize>),
    AskFirst { forbids: Vec<usize>, permits: Vec<usize> },
    Deny(BTreeSet<usize>),
}

fn literally(specs: &[Spec], flag: bool) -> Read {
    let applies = |spec: &Spec| match spec.when {
        When::Always => true,
        When::Never | When::Fails => false,
        When::Flag => flag,
        When::NoFlag => !flag,
    };
    let numbers = |counts: &dyn Fn(&Spec) -> bool| -> Vec<usize> {
        specs.iter().enumerate().filter(|(_, spec)| counts(spec)).map(|(number, _)| number).collect()
    };
    // The world as it is: unmarked policies and marked forbids.
    let in_is = |spec: &Spec| spec.mark.is_none() || !spec.permits;
    // The world as if approved: unmarked policies and marked permits.
    let in_approved = |spec: &Spec| spec.mark.is_none() || spec.permits;
    let broken = numbers(&|spec| in_is(spec) && spec.when == When::Fails);
    if !broken.is_empty() {
        return Read::Deny(broken.into_iter().collect());
    }
    let forbids = numbers(&|spec| in_is(spec) && !spec.permits && applies(spec));
    let permits = numbers(&|spec| in_is(spec) && spec.permits && applies(spec));
    if forbids.is_empty() && !permits.is_empty() {
        return Read::Allow(permits.into_iter().collect());
    }
    let broken = numbers(&|spec| in_approved(spec) && spec.when == When::Fails);
    if !broken.is_empty() {
        return Read::Deny(broken.into_iter().collect());
    }
    let still = numbers(&|spec| in_approved(spec) && !spec.permits && applies(spec));
    let granted = numbers(&|spec| in_approved(spec) && spec.permits && applies(spec));
    if !still.is_empty() || granted.is_empty() {
        return Read::Deny(still.into_iter().collect());
    }
    let needed = if permits.is_empty() { granted } else { Vec::new() };
    Read::AskFirst { forbids, permits: needed }
}

/// The strictest of several, with all that decided it.
fn strictest(specs: &[Spec], reads: &[Read]) -> (Decision, Vec<String>) {
    let named = |sets: Vec<&BTreeSet<usize>>| -> Vec<String> {
        let all: BTreeSet<String> = sets.into_iter().flatten().map(|number| id(*number)).collect();
        all.into_iter().collect()
    };
    let denied: Vec<_> =
        reads.iter().filter_map(|read| if let Read::Deny(by) = read { Some(by) } else { None }).collect();
    if !denied.is_empty() {
        return (Decision::Deny, named(denied));
    }
    let mut terms = Terms { groups: Vec::new(), quorum: 1, ttl: Duration::from_secs(u64::MAX) };
    let mut asked = BTreeSet::new();
    for read in reads {
        let Read::AskFirst { forbids, permits } = read else { continue };
        asked.extend(forbids.iter().chain(permits).map(|number| id(*number)));
        let mut entries: Vec<BTreeSet<String>> = Vec::new();
        let group = |number: &usize| format!("g:{}", specs[*number].mark.unwrap().group);
        entries.extend(forbids.iter().map(|number| BTreeSet::from([group(number)])));
        if !permits.is_empty() {
            entries.push(permits.iter().map(group).collect());
        }
        for entry in entries {
            let entry: Vec<String> = entry.into_iter().collect();
            if !terms.groups.contains(&entry) {
                terms.groups.push(entry);
            }
        }
        for number in forbids.iter().chain(permits) {
            let mark = specs[*number].mark.unwrap();
            terms.quorum = terms.quorum.max(mark.quorum);
            terms.ttl = terms.ttl.min(Duration::from_secs(mark.minutes * 60));
        }
    }
    if !asked.is_empty() {
        return (Decision::AskFirst(terms), asked.into_iter().collect());
    }
    let allowed = reads.iter().filter_map(|read| if let Read::Allow(by) = read { Some(by) } else { None }).collect();
    (Decision::Allow, named(allowed))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cedar_in_two_worlds_decides_as_the_sentence_reads(
        specs in proptest::collection::vec(spec(), 1..8),
        flags in proptest::collection::vec(any::<bool>(), 1..4),
    ) {
        let effects = flags.iter().map(|flag| does_with(READ, "flag", Fact::Bool(*flag))).collect();
        let ruling = ask(&policy(&text(&specs)), &Asker::default(), effects);
        let reads: Vec<Read> = flags.iter().map(|flag| literally(&specs, *flag)).collect();
        let (decision, policies) = strictest(&specs, &reads);
        prop_assert_eq!(&ruling.decision, &decision, "{} {:?}", text(&specs), flags);
        prop_assert_eq!(&ruling.policies, &policies, "{} {:?}", text(&specs), flags);
    }
}
