//! The table as it is written: what it comes to for each target, and what is said of its mistakes.

use portcullis_core::masking::{Rules, Tag};

use crate::config::Config;

const HEAD: &str = "[policy]\ndir = \"p\"\n[[identity.oidc]]\nname = \"okta\"\nissuer = \"https://id.example.com\"\naudience = \"x\"\n";

const MASKING: &str = r#"[masking]
key = { file = "masking.key" }
detect = ["email", "card"]
[[masking.column]]
match = "public.customers.email"
tag = "email"
[[masking.column]]
match = "*.*.salary"
tag = "pay"
targets = ["ledger*"]
[[masking.pattern]]
regex = "(?i)project [a-z]+"
tag = "project"
[masking.tags.email]
style = "hash"
[masking.tags.card]
style = "partial"
keep = 4
[masking.tags.pay]
style = "null"
"#;

fn config(masking: &str, folder: &std::path::Path) -> Result<Config, String> {
    let target = |name: &str, port| {
        format!("[[target]]\nname = \"{name}\"\nprotocol = \"t\"\nlisten = \"127.0.0.1:{port}\"\naddress = \"db:1\"\n")
    };
    let text = format!("{masking}{HEAD}{}{}", target("shop", 1), target("ledger-eu", 2));
    Config::parse(folder.join("gate.toml"), text).map_err(|problems| problems.to_string())
}

fn folder(key: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("masking.key"), key).unwrap();
    dir
}

fn rules(masking: &str) -> Vec<Rules> {
    let dir = folder("0123456789abcdef0123456789abcdef\n");
    super::rules(&config(masking, dir.path()).unwrap()).unwrap()
}

fn names(rules: &Rules) -> Vec<&str> {
    rules.names(rules.all() | rules.detected()).map(Tag::name).collect()
}

#[test]
fn every_target_has_the_rules_that_are_about_it() {
    let all = rules(MASKING);
    assert_eq!(names(&all[0]), ["card", "email", "project"]);
    assert_eq!(names(&all[1]), ["card", "email", "pay", "project"]);
    assert!(!all[1].tags_of("hr", "staff", "Salary").is_empty() && all[0].tags_of("hr", "staff", "salary").is_empty());
    let one = rules(&MASKING.replacen("[masking]", "[masking]\ntargets = [\"l*\"]", 1));
    assert!(one[0].is_none() && !one[1].is_none());
    assert!(rules("").iter().all(Rules::is_none));
    assert_eq!(names(&rules("[masking]\ndetect = \"all\"\n")[0]).len(), 17);
}

#[test]
fn mistakes_are_told_with_their_line() {
    let dir = folder("0123456789abcdef");
    let path = dir.path().join("gate.toml").display().to_string();
    for (right, slip, told) in [
        ("\"card\"]", "\"crad\"]", ":3:20: there is no detector `crad`; did you mean `card`?"),
        ("[\"email\", \"card\"]", "\"al\"", ":3:10: expected a list of detectors, or `\"all\"`"),
        ("public.customers.email", "customers.email", ":5:9: a pattern is `schema.table.column`"),
        ("tag = \"email\"", "tag = \"E Mail\"", ":1:2: a tag has 1 to 63 of"),
        ("ledger*", "legder-eu", ":10:12: no target is called `legder-eu`; did you mean `ledger-eu`?"),
        ("project [a-z]+", "project (", ":12:9: this is no regular expression"),
        ("(?i)project [a-z]+", "x*", ":12:9: the expression is satisfied with nothing at all"),
        ("\nkeep = 4", "", ":16:15: `style = \"partial\"` needs `keep`"),
        ("style = \"null\"", "style = \"null\"\nkeep = 4", ":21:1: `keep` belongs to `style = \"partial\"` alone"),
        ("\"null\"", "\"nul\"", ":20:9: unknown value `nul`; did you mean `null`?"),
        ("tags.pay", "tags.pya", ":19:15: nothing carries the tag `pya`"),
        ("key = { file = \"masking.key\" }\n", "", ":1:2: the style of `email` is a keyed hash, and there is no key"),
        ("masking.key\"", "nokey\"", ":2:1: the secret file"),
        ("[[masking.column]]", "[[masking.columns]]", ":4:11: unknown key `columns`; did you mean `column`?"),
    ] {
        let text = MASKING.replacen(right, slip, 1);
        assert_ne!(text, MASKING, "{right} is there to be replaced");
        let found = match config(&text, dir.path()) {
            Ok(config) => super::rules(&config).expect_err(slip).to_string(),
            Err(problems) => problems,
        };
        let wanted = format!("{path}{told}");
        assert!(found.starts_with(&wanted), "{slip}:\n{found}\n-- and not\n{wanted}");
    }
}

#[test]
fn a_key_that_is_too_short_is_refused_and_not_repeated() {
    let dir = folder("hunter2");
    let told = super::rules(&config(MASKING, dir.path()).unwrap()).unwrap_err().to_string();
    assert!(
        told.contains(":2:1: the key of keyed hashes has at least 16 bytes") && !told.contains("hunter2"),
        "{told}"
    );
}
