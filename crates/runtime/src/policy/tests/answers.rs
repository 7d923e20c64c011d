//! Rulings as tables: policies, a question, the answer; and what may be remembered of them.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use portcullis_core::identity::Kind;
use portcullis_core::operation::{Effect, Fact, Facts, Resource};
use portcullis_core::policy::Decision;
use portcullis_core::vocabulary::Action;

use super::fixture::{Asker, DELETE, READ, WRITE, ask, ask_at, does, does_with, noon, policy};

fn check(policies: &str, asker: &Asker, effects: Vec<Effect>, decision: &str, reason: &str) {
    let ruling = ask(&policy(policies), asker, effects);
    assert_eq!((ruling.decision.word(), ruling.reason.as_str()), (decision, reason), "{policies}");
}

const READS: &str = "@id(\"reads\") permit (principal in Group::\"okta:vendors\", action == Action::\"t:read\", resource in Target::\"shop\");";

#[test]
fn what_no_policy_permits_is_denied() {
    check(READS, &Asker::default(), vec![does(READ)], "allow", "permitted by policy `reads`");
    check(READS, &Asker::default(), vec![does(WRITE)], "deny", "no policy permits `t:write` on `shop/orders`");
    let elsewhere = Asker { target: "ledger", ..Asker::default() };
    check(READS, &elsewhere, vec![does(READ)], "deny", "no policy permits `t:read` on `shop/orders`");
    let unconfigured = Asker { target: "attic", ..Asker::default() };
    check(READS, &unconfigured, vec![does(READ)], "deny", "no policy permits `t:read` on `shop/orders`");
    let other = Asker { groups: vec!["other:vendors"], ..Asker::default() };
    check(READS, &other, vec![does(READ)], "deny", "no policy permits `t:read` on `shop/orders`");
    check(READS, &Asker::default(), vec![], "deny", "nothing is known of what this operation does");
}

#[test]
fn rule_about_a_wider_action_governs_the_narrower_one() {
    let wider = "@id(\"a\") permit (principal, action in Action::\"t:write\", resource);";
    check(wider, &Asker::default(), vec![does(DELETE)], "allow", "permitted by policy `a`");
    check(wider, &Asker::default(), vec![does(WRITE)], "allow", "permitted by policy `a`");
    let exact = "@id(\"a\") permit (principal, action == Action::\"t:write\", resource);";
    check(exact, &Asker::default(), vec![does(DELETE)], "deny", "no policy permits `t:delete` on `shop/orders`");
}

#[test]
fn resources_lie_in_their_containers_and_targets_in_their_labels() {
    for (within, decision) in [
        ("in Database::\"shop/shop\"", "allow"),
        ("in Database::\"shop/other\"", "deny"),
        ("in Database::\"ledger/shop\"", "deny"),
        ("== Table::\"shop/shop/orders\"", "allow"),
        ("is Table in Target::\"shop\"", "allow"),
        ("is Database in Target::\"shop\"", "deny"),
        ("in Label::\"env=prod\"", "allow"),
        ("in Label::\"env=dev\"", "deny"),
    ] {
        let text = format!("@id(\"a\") permit (principal, action, resource {within});");
        assert_eq!(ask(&policy(&text), &Asker::default(), vec![does(READ)]).decision.word(), decision, "{within}");
    }
}

#[test]
fn slash_in_a_name_does_not_reach_into_another_container() {
    let text = "@id(\"a\") permit (principal, action, resource in Database::\"shop/a\");";
    let resource = Resource::new("Table", ["a/b", "c"]);
    let effect = Effect { action: READ, resource, facts: Facts::new() };
    assert_eq!(ask(&policy(text), &Asker::default(), vec![effect]).decision, Decision::Deny);
}

#[test]
fn conditions_read_facts_principals_and_the_session() {
    let effect = || {
        let mut effect = does_with(READ, "words", Fact::Texts(vec!["a".into(), "b".into()]));
        effect.facts.insert("rows", Fact::Long(7));
        vec![effect]
    };
    for (condition, decision) in [
        ("context.words.contains(\"a\") && context.rows == 7 && !context.flag && context.word == \"\"", "allow"),
        ("context.words.containsAll([\"a\", \"b\"]) && context.rows < 7", "deny"),
        ("context.address.isInRange(ip(\"10.0.0.0/8\"))", "allow"),
        ("context.address.isInRange(ip(\"192.168.0.0/16\"))", "deny"),
        ("context.application like \"ps*\"", "allow"),
        (
            "context.time >= datetime(\"2026-03-02T12:00:00Z\") && context.time < datetime(\"2026-03-02T12:00:01Z\")",
            "allow",
        ),
        ("context.session_age < duration(\"1s\")", "allow"),
        ("principal.issuer == \"https://id.example.com\" && principal.subject == \"dana\"", "allow"),
        ("principal has email && principal.email like \"*@example.com\"", "allow"),
        ("principal is User && principal.actors.isEmpty()", "allow"),
        ("resource is Table && resource.name == \"orders\"", "allow"),
        ("context has flag", "allow"),
    ] {
        let text = format!(
            "@id(\"a\") permit (principal, action in [Action::\"t:read\", Action::\"t:write\"], resource) when {{ {condition} }};"
        );
        assert_eq!(ask(&policy(&text), &Asker::default(), effect()).decision.word(), decision, "{condition}");
    }
}

#[test]
fn workload_that_acts_for_somebody_is_told_apart() {
    let text =
        "@id(\"a\") permit (principal is Workload, action, resource) when { principal.actors.contains(\"bot\") };";
    let bot = Asker { kind: Kind::Workload, actors: vec!["bot"], ..Asker::default() };
    assert_eq!(ask(&policy(text), &bot, vec![does(READ)]).decision, Decision::Allow);
    assert_eq!(ask(&policy(text), &Asker::default(), vec![does(READ)]).decision, Decision::Deny);
}

#[test]
fn strictest_effect_wins_and_reasons_are_joined_once() {
    let text = "\
@id(\"r\") permit (principal, action == Action::\"t:read\", resource);
@id(\"w\") @reason(\"ask somebody\") @approval(\"okta:dba, okta:lead\") permit (principal, action in Action::\"t:write\", resource);
@id(\"n\") @reason(\"never\") forbid (principal, action in [Action::\"t:read\", Action::\"t:write\"], resource) when { context.flag };
@id(\"m\") @reason(\"never ever\") forbid (principal, action in [Action::\"t:read\", Action::\"t:write\"], resource) when { context.rows == 9 };";
    let never = || does_with(WRITE, "flag", Fact::Bool(true));
    let asker = Asker::default();
    check(text, &asker, vec![does(READ), does(WRITE), does(READ)], "ask-first", "ask somebody");
    check(text, &asker, vec![does(READ), never(), does(WRITE)], "deny", "never");
    let ever = does_with(DELETE, "rows", Fact::Long(9));
    check(text, &asker, vec![never(), ever, never()], "deny", "never; never ever");
    let ruling = ask(&policy(text), &asker, vec![does(DELETE), does(WRITE)]);
    let Decision::AskFirst(terms) = &ruling.decision else { panic!("{ruling:?}") };
    assert_eq!(terms.groups, [["okta:dba", "okta:lead"]]);
    assert_eq!((terms.quorum, terms.ttl), (1, Duration::from_secs(900)));
}

#[test]
fn evaluation_error_denies_and_names_the_policy() {
    let text = "\
@id(\"all\") permit (principal, action, resource);
@id(\"sum\") permit (principal, action in [Action::\"t:read\", Action::\"t:write\"], resource) when { context.rows + 9223372036854775807 > 0 };";
    let ruling = ask(&policy(text), &Asker::default(), vec![does_with(READ, "rows", Fact::Long(1))]);
    assert_eq!(ruling.decision, Decision::Deny);
    assert_eq!(
        (ruling.policies.as_slice(), &*ruling.reason),
        (&[String::from("sum")][..], "policy `sum` could not be evaluated")
    );
}

#[test]
fn effect_outside_of_the_vocabulary_is_denied() {
    let all = "@id(\"all\") permit (principal, action, resource);";
    let asker = Asker::default();
    let odd = Effect { action: Action::new("t:odd"), ..does(READ) };
    check(all, &asker, vec![odd], "deny", "the action `t:odd` is in no vocabulary");
    let kind = Effect { resource: Resource::new("Path", ["a"]), ..does(READ) };
    check(all, &asker, vec![kind], "deny", "`t:read` does not apply to the kind of resource `Path`");
    let short = Effect { resource: Resource::new("Table", ["a"]), ..does(READ) };
    check(all, &asker, vec![short], "deny", "the resource of `t:read` does not name every level from the target down");
    let fact = does_with(READ, "odd", Fact::Bool(true));
    check(all, &asker, vec![fact], "deny", "the fact `odd` is in no vocabulary, or of another type there");
    let mistyped = does_with(READ, "flag", Fact::Long(1));
    check(all, &asker, vec![mistyped], "deny", "the fact `flag` is in no vocabulary, or of another type there");
    let crowd = (0..1_001).map(|number| does_with(READ, "rows", Fact::Long(number))).collect();
    check(all, &asker, crowd, "deny", "the operation does more than 1000 things at once");
}

#[test]
fn repeated_question_gets_the_same_ruling() {
    let policy = policy(READS);
    let first = ask(&policy, &Asker::default(), vec![does(READ)]);
    assert!(Arc::ptr_eq(&first, &ask(&policy, &Asker::default(), vec![does(READ)])));
    let other = Asker { groups: vec!["other:group"], ..Asker::default() };
    assert_eq!(ask(&policy, &other, vec![does(READ)]).decision, Decision::Deny);
    assert_eq!(ask(&policy, &Asker::default(), vec![does(DELETE)]).decision, Decision::Deny);
}

#[test]
fn answer_that_depends_on_time_is_not_remembered() {
    for condition in [
        "context.time < datetime(\"2026-03-02T12:05:00Z\")",
        "context.session_age < duration(\"5m\")",
        "context.session_age.toSeconds() < 300 && (context has time)",
    ] {
        let text = format!("@id(\"a\") permit (principal, action, resource) when {{ {condition} }};");
        let policy = policy(&text);
        let at = |minutes: u64| {
            ask_at(&policy, &Asker::default(), vec![does(READ)], noon() + Duration::from_secs(60 * minutes))
                .decision
                .word()
        };
        assert_eq!([at(0), at(4), at(6), at(1)], ["allow", "allow", "deny", "allow"], "{condition}");
    }
}

#[test]
fn time_in_a_policy_about_others_does_not_cost_the_memory() {
    let text = format!(
        "{READS} @id(\"b\") permit (principal in Group::\"okta:b\", action, resource) when {{ context.session_age < duration(\"5m\") }};"
    );
    let policy = policy(&text);
    let first = ask(&policy, &Asker::default(), vec![does(READ)]);
    assert!(Arc::ptr_eq(&first, &ask(&policy, &Asker::default(), vec![does(READ)])));
    let both = Asker { groups: vec!["okta:vendors", "okta:b"], ..Asker::default() };
    let first = ask(&policy, &both, vec![does(READ)]);
    assert!(!Arc::ptr_eq(&first, &ask(&policy, &both, vec![does(READ)])));
}

#[test]
fn address_and_application_are_told_apart_in_memory() {
    let text = "@id(\"a\") permit (principal, action, resource) when { context.address == ip(\"10.1.2.3\") && context.application == \"psql\" };";
    let policy = policy(text);
    let allowed = |asker: &Asker| ask(&policy, asker, vec![does(READ)]).decision == Decision::Allow;
    assert!(allowed(&Asker::default()));
    assert!(!allowed(&Asker { client: Ipv4Addr::new(10, 1, 2, 4).into(), ..Asker::default() }));
    assert!(!allowed(&Asker { application: "pg_dump", ..Asker::default() }));
    assert!(allowed(&Asker { client: Ipv4Addr::new(10, 1, 2, 3).to_ipv6_mapped().into(), ..Asker::default() }));
}
