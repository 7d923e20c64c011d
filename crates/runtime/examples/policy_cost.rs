//! Measures what a decision costs: remembered, and asked anew among 30 policies.
//!
//! `cargo run --release -p portcullis-runtime --example policy_cost` prints medians.

use std::fmt::Write as _;
use std::hint::black_box;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant, SystemTime};

use portcullis_core::identity::{Identity, Kind};
use portcullis_core::operation::{Effect, Effects, Fact, Facts, Resource};
use portcullis_core::policy::{Policy as _, Question, Subject};
use portcullis_core::vocabulary::{Action, ActionEntry, FactEntry, FactType, ResourceKind, Vocabulary};
use portcullis_runtime::policy::CedarPolicy;

const READ: Action = Action::new("sql:read");
const SELECT: Action = Action::new("sql:select");
const WRITE: Action = Action::new("sql:write");
const UPDATE: Action = Action::new("sql:update");
const TABLES: &[&str] = &["Database", "Schema", "Table"];

const fn action(action: Action, within: &'static [Action]) -> ActionEntry {
    ActionEntry { action, within, applies_to: TABLES, meaning: "" }
}

static WORDS: Vocabulary = Vocabulary {
    family: "sql",
    actions: &[action(READ, &[]), action(SELECT, &[READ]), action(WRITE, &[]), action(UPDATE, &[WRITE])],
    resources: &[
        ResourceKind { name: "Database", parent: None },
        ResourceKind { name: "Schema", parent: Some("Database") },
        ResourceKind { name: "Table", parent: Some("Schema") },
    ],
    facts: &[
        FactEntry { name: "unfiltered", kind: FactType::Bool, meaning: "" },
        FactEntry { name: "functions", kind: FactType::Texts, meaning: "" },
    ],
};

/// Policies of 10 teams that all concern the same action on the same target, so that slicing
/// leaves every one of them to be asked.
fn policies() -> String {
    let mut text = String::new();
    for team in 0..10 {
        let _ = writeln!(
            text,
            "@id(\"reads-{team}\") permit (principal in Group::\"okta:team{team}\", action in Action::\"sql:write\", resource in Schema::\"shop/shop/team{team}\");
@id(\"asks-{team}\") @approval(\"okta:dba\") permit (principal in Group::\"okta:team{team}\", action in Action::\"sql:write\", resource in Target::\"shop\");
@id(\"never-{team}\") forbid (principal in Group::\"okta:team{team}\", action in Action::\"sql:write\", resource) when {{ context.unfiltered }};"
        );
    }
    text
}

fn subject() -> Subject {
    let identity = Identity {
        issuer: String::from("https://id.example.com"),
        subject: String::from("dana"),
        kind: Kind::User,
        groups: (0..8).map(|number| format!("okta:team{number}")).collect(),
        email: Some(String::from("dana@example.com")),
        actors: Vec::new(),
        token: None,
        authenticated: None,
        expires: SystemTime::now() + Duration::from_secs(3_600),
    };
    let labels = vec![(String::from("env"), String::from("prod"))];
    let client = Ipv4Addr::LOCALHOST.into();
    Subject::new(identity, String::from("shop"), labels, "sql", client, String::from("psql"), SystemTime::now())
}

fn update(table: &str, schema: &str) -> Effects {
    let functions = Fact::Texts(vec!["now".into()]);
    let resource = Resource::new("Table", ["shop", schema, table]);
    Effects::new(vec![Effect { action: UPDATE, resource, facts: Facts::from([("functions", functions)]) }])
}

/// The median over rounds of the time of one call, in nanoseconds.
fn median(rounds: usize, calls: usize, mut call: impl FnMut(usize)) -> f64 {
    let mut times: Vec<f64> = (0..rounds)
        .map(|round| {
            let begin = Instant::now();
            (0..calls).for_each(|number| call(round * calls + number));
            begin.elapsed().as_secs_f64() * 1e9 / calls as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times.get(rounds / 2).copied().unwrap_or_default()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    std::fs::write(dir.path().join("teams.cedar"), policies())?;
    let policy = CedarPolicy::load(dir.path(), &[&WORDS], &[String::from("shop")])?;
    let (subject, now) = (subject(), SystemTime::now());
    let known = update("orders", "team3");
    let hit = median(101, 10_000, |_| {
        black_box(policy.decide(&Question { subject: &subject, effects: &known, now }));
    });
    let cold = |schema: &str| {
        let fresh: Vec<Effects> = (0..2_020).map(|number| update(&format!("t{number}"), schema)).collect();
        median(101, 20, |number| {
            if let Some(effects) = fresh.get(number) {
                black_box(policy.decide(&Question { subject: &subject, effects, now }));
            }
        })
    };
    let (allow, ask) = (cold("team4"), cold("elsewhere"));
    #[expect(clippy::print_stdout, reason = "printing the figures is what this example is for")]
    {
        println!("remembered            {hit:>9.0} ns");
        println!("30 policies, one world {:>8.1} us", allow / 1e3);
        println!("30 policies, two worlds {:>7.1} us", ask / 1e3);
    }
    Ok(())
}
