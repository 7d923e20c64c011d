//! `portcullis policy`.

use crate::gate::Folder;

/// A table, as policies name it.
const ORDERS: &str = "Table::\"orders-db/shop/public/orders\"";

#[test]
fn check_lists_the_policies() {
    let ran = Folder::new().run(&["policy", "check"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.out.contains("permit vendors-read") && ran.out.contains("forbid never-drop"), "{}", ran.out);
}

#[test]
fn check_needs_no_configuration_when_it_is_given_the_folder() {
    let folder = Folder::with("this is no configuration");
    assert_eq!(folder.run(&["policy", "check", "--dir", "policies"]).code, Some(0));
}

#[test]
fn a_table_that_fails_is_a_finding_with_its_line() {
    let folder = Folder::new();
    let case = |name: &str, expect: &str, action: &str| {
        format!(
            "[[case]]\nname = \"{name}\"\nexpect = \"{expect}\"\ntarget = \"orders-db\"\nwho = {{ groups = \
             [\"okta:vendors\"] }}\neffects = [{{ action = \"{action}\", resource = '{ORDERS}' }}]\n"
        )
    };
    folder.write("good.toml", &case("vendors read", "allow", "sql:read"));
    folder.write("bad.toml", &(case("vendors read", "allow", "sql:read") + &case("nobody drops", "allow", "sql:ddl")));

    let good = folder.run(&["policy", "test", "good.toml"]);
    assert_eq!((good.code, good.out.as_str()), (Some(0), "ok vendors read\n1 passed, 0 failed\n"), "{}", good.err);
    let bad = folder.run(&["policy", "test", "bad.toml"]);
    assert_eq!(bad.code, Some(1), "{}", bad.err);
    assert!(bad.out.contains("FAIL nobody drops (bad.toml:7): expected `allow`"), "{}", bad.out);
}

#[test]
fn explain_says_which_policy_decides() {
    let folder = Folder::new();
    let explain = |action: &str| {
        let who = ["policy", "explain", "--target", "orders-db", "--group", "okta:vendors"];
        folder.run(&[&who[..], &["--action", action, "--resource", ORDERS]].concat())
    };
    let read = explain("sql:read");
    assert!(read.out.starts_with("allow ") && read.out.contains("`vendors-read`"), "{}{}", read.out, read.err);
    let drop = explain("sql:ddl");
    assert!(drop.out.starts_with("deny ") && drop.out.contains("schema changes go through migrations"), "{}", drop.out);
    let slip = explain("sql:raed");
    assert_eq!(slip.code, Some(2));
    assert!(slip.err.contains("did you mean `sql:read`?"), "{}", slip.err);
}

#[test]
fn sample_policies_are_valid_and_pass_their_own_tests() {
    let deployed = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/policies");
    let checked = Folder::new().run(&["policy", "check", "--dir", deployed]);
    assert_eq!((checked.code, &*checked.err), (Some(0), ""), "{}", checked.out);
    let table = format!("{deployed}/tests.toml");
    let tested = Folder::new().run(&["policy", "test", "--dir", deployed, &table]);
    assert_eq!(tested.code, Some(0), "{}", tested.out);
}

#[test]
fn other_policies_are_tried_on_what_was_recorded() {
    let (folder, _) = crate::recordings::recorded();
    folder.write("others/all.cedar", "@id(\"everything\")\npermit (principal, action, resource);\n");
    folder.write("same/none.cedar", "@id(\"nothing\")\nforbid (principal, action, resource);\n");
    let changed = folder.run(&["policy", "replay", "others"]);
    assert_eq!(changed.code, Some(1), "{}", changed.err);
    assert!(changed.out.contains("deny → allow  everything  DROP TABLE orders \\u{1b}[2J"), "{}", changed.out);
    assert!(changed.out.contains("1 of 1 operations in 1 sessions would be decided otherwise"), "{}", changed.out);
    let same = folder.run(&["policy", "replay", "same", "--target", "orders-db"]);
    assert_eq!(
        (same.code, same.out.as_str()),
        (Some(0), "0 of 1 operations in 1 sessions would be decided otherwise\n")
    );
    let none = folder.run(&["policy", "replay", "others", "--to", "2020-01-01T00:00:00Z", "--json"]);
    assert_eq!((none.code, none.out.as_str()), (Some(0), ""), "{}", none.err);
    assert_eq!(folder.run(&["policy", "replay", "missing"]).code, Some(2));
}
