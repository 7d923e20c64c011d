//! The policies of the documentation.

use portcullis_sql::vocabulary::VOCABULARY;

use super::fixture::folder;
use crate::policy::{Asked, CedarPolicy, schema_text, test};

/// The example of the design, as it stands there.
const EXAMPLE: &str = r#"@id("vendor-reads")
permit (principal in Group::"okta:vendors", action in Action::"sql:read", resource in Target::"orders-db");

@id("vendor-writes-need-a-dba") @approval("okta:dba") @ttl("15m")
permit (principal in Group::"okta:vendors", action in Action::"sql:write", resource in Target::"orders-db");

@id("no-unfiltered-writes-alone") @approval("okta:dba") @quorum("2")
forbid (principal, action in Action::"sql:write", resource) when { context.unfiltered };

@id("never") @reason("schema changes go through migrations")
forbid (principal, action in Action::"sql:ddl", resource in Target::"orders-db");
"#;

fn asked(action: &str, unfiltered: bool) -> Asked {
    serde_json::from_value(serde_json::json!({
        "who": { "subject": "dana", "groups": ["okta:vendors"] },
        "target": "orders-db",
        "effects": [{
            "action": action,
            "resource": "Table::\"orders-db/shop/public/orders\"",
            "facts": { "unfiltered": unfiltered },
        }],
    }))
    .unwrap()
}

#[test]
fn example_of_the_design_decides_as_it_says() {
    let dir = folder(EXAMPLE);
    let policy = CedarPolicy::load(dir.path(), &[&VOCABULARY], &[String::from("orders-db")]).unwrap();
    for (action, unfiltered, decision, policies, groups, quorum) in [
        ("sql:select", false, "allow", &["vendor-reads"][..], 0, None),
        ("sql:update", false, "ask-first", &["vendor-writes-need-a-dba"], 1, Some(1)),
        ("sql:delete", true, "ask-first", &["no-unfiltered-writes-alone", "vendor-writes-need-a-dba"], 1, Some(2)),
        ("sql:drop", false, "deny", &["never"], 0, None),
        ("sql:grant", false, "deny", &[], 0, None),
    ] {
        let told = policy.explain_asked(&asked(action, unfiltered)).unwrap();
        assert_eq!(
            (told.decision, told.policies.iter().map(String::as_str).collect::<Vec<_>>()),
            (decision, policies.to_vec())
        );
        assert_eq!(told.terms.as_ref().map(|terms| terms.quorum), quorum, "{action}");
        assert_eq!(told.terms.map_or(0, |terms| terms.groups.len()), groups, "{action}");
    }
}

#[test]
fn explanation_shows_both_worlds() {
    let dir = folder(EXAMPLE);
    let policy = CedarPolicy::load(dir.path(), &[&VOCABULARY], &[String::from("orders-db")]).unwrap();
    let told = serde_json::to_value(policy.explain_asked(&asked("sql:delete", true)).unwrap()).unwrap();
    let effect = &told["effects"][0];
    assert_eq!(effect["action"], "sql:delete");
    assert_eq!(effect["facts"]["unfiltered"], true);
    assert_eq!(effect["considered"], 2);
    assert_eq!(effect["as_is"]["allowed"], false);
    assert_eq!(effect["as_is"]["deciding"], serde_json::json!(["no-unfiltered-writes-alone"]));
    assert_eq!(effect["as_if_approved"]["allowed"], true);
    assert_eq!(effect["as_if_approved"]["deciding"], serde_json::json!(["vendor-writes-need-a-dba"]));
}

#[test]
fn question_in_words_that_nobody_knows_is_told_so() {
    let dir = folder(EXAMPLE);
    let policy = CedarPolicy::load(dir.path(), &[&VOCABULARY], &[]).unwrap();
    let wrong = |change: fn(&mut Asked)| {
        let mut question = asked("sql:select", false);
        change(&mut question);
        policy.explain_asked(&question).unwrap_err()
    };
    let told = wrong(|question| question.effects[0].action = String::from("sql:selct"));
    assert_eq!(told, "there is no action `sql:selct`; did you mean `sql:select`?");
    let told = wrong(|question| question.target = String::from("other"));
    assert_eq!(told, "`Table::\"orders-db/shop/public/orders\"` is not in the target `other`");
    let told = wrong(|question| question.effects[0].facts = [(String::from("unfilterd"), true.into())].into());
    assert_eq!(told, "there is no fact `unfilterd`; did you mean `unfiltered`?");
    let told = wrong(|question| question.effects[0].facts = [(String::from("unfiltered"), 1.into())].into());
    assert_eq!(told, "the fact `unfiltered` is of another type");
}

#[test]
fn table_tells_what_differs_and_where() {
    let dir = folder(EXAMPLE);
    let policy = CedarPolicy::load(dir.path(), &[&VOCABULARY], &[]).unwrap();
    let table = dir.path().join("tests.toml");
    let case = |expect: &str| {
        format!(
            "\n[[case]]\nname = \"a\"\nexpect = \"{expect}\"\ntarget = \"orders-db\"\neffects = [{{ action = \"sql:ddl\", resource = 'Database::\"orders-db/shop\"' }}]\n"
        )
    };
    std::fs::write(&table, [case("deny"), case("allow")].concat()).unwrap();
    let report = test(&policy, &table).unwrap();
    let failures: Vec<_> = report.cases.iter().map(|case| (case.line, case.failure.as_deref())).collect();
    let told = "expected `allow`, but it is `deny` by [\"never\"]: schema changes go through migrations";
    assert_eq!(failures, [(2, None), (8, Some(told))]);
    std::fs::write(&table, case("deny").replace("sql:ddl", "sql:dll")).unwrap();
    let told = test(&policy, &table).unwrap_err().to_string();
    assert!(told.contains("tests.toml:2:1: case `a`: there is no action `sql:dll`; did you mean `sql:ddl`?"), "{told}");
}

#[test]
fn schema_is_written_for_people_to_read() {
    let text = schema_text(&[&VOCABULARY]).unwrap();
    for line in [
        "entity Table in [Schema] = { name: String };",
        "  unfiltered: Bool,",
        "action \"sql:delete\" in [\"sql:write\"] appliesTo { principal: [User, Workload], resource: [Database, Schema, Table], context: sqlContext };",
    ] {
        assert!(text.contains(line), "{line}\nis not in\n{text}");
    }
}
