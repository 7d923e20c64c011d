//! What is wrong with a bundle is told with file, line and column; nothing wrong is let in.

use super::fixture::{folder, load};
use crate::policy::{PolicyErrors, check};

fn errors(policies: &str) -> PolicyErrors {
    let dir = folder(policies);
    load(dir.path()).map(|_| ()).expect_err(policies)
}

/// Place, message and help of the only error.
fn sole(policies: &str) -> ((usize, usize), String, String) {
    let errors = errors(policies).0;
    assert_eq!(errors.len(), 1, "{policies}: {errors:?}");
    (errors[0].place.unwrap_or_default(), errors[0].message.clone(), errors[0].help.clone().unwrap_or_default())
}

const REST: &str = "permit (principal, action, resource);";

#[test]
fn annotations_are_held_to_what_they_mean() {
    for (annotations, place, message, help) in [
        ("", (2, 1), "a policy needs an `@id`", "write `@id(\"a-name-for-this-rule\")` above it"),
        ("@id(\"\")", (2, 1), "`@id` is empty", ""),
        ("@id(\"a\") @aproval(\"g:x\")", (2, 10), "unknown annotation `@aproval`", "did you mean `@approval`?"),
        (
            "@id(\"a\")\n@qorum(\"2\") @approval(\"g:x\")",
            (3, 1),
            "unknown annotation `@qorum`",
            "did you mean `@quorum`?",
        ),
        (
            "@id(\"a\") @zebra(\"x\")",
            (2, 10),
            "unknown annotation `@zebra`",
            "known are `@id`, `@reason`, `@approval`, `@quorum` and `@ttl`",
        ),
        ("@id(\"a\") @quorum(\"2\")", (2, 10), "`@quorum` means nothing without `@approval`", ""),
        ("@id(\"a\") @ttl(\"2m\")", (2, 10), "`@ttl` means nothing without `@approval`", ""),
        (
            "@id(\"a\") @approval(\"g:x\") @quorum(\"0\")",
            (2, 27),
            "`@quorum` is a whole number from 1 to 10, not `0`",
            "",
        ),
        (
            "@id(\"a\") @approval(\"g:x\") @quorum(\"two\")",
            (2, 27),
            "`@quorum` is a whole number from 1 to 10, not `two`",
            "",
        ),
        (
            "@id(\"a\") @approval(\"g:x\") @ttl(\"soon\")",
            (2, 27),
            "`@ttl` is a duration from `1s` to `24h`, not `soon`",
            "",
        ),
        ("@id(\"a\") @approval(\" , \")", (2, 10), "`@approval` names no group", ""),
        ("@id(\"a\") @approval", (2, 10), "`@approval` is empty", ""),
        (
            "@id(\"a\") @approval(\"g:x,dba\")",
            (2, 10),
            "the group `dba` has no issuer's prefix, so nobody is in it",
            "",
        ),
        ("@id(\"a\") @reason", (2, 10), "`@reason` is empty", ""),
        ("@id(\"a\") @reason(\"x\\ny\")", (2, 10), "`@reason` holds control characters", ""),
    ] {
        let found = sole(&format!("// one policy\n{annotations}\n{REST}").replace("\n\n", "\n"));
        assert_eq!(found, (place, message.to_owned(), help.to_owned()), "{annotations}");
    }
}

#[test]
fn errors_of_form_and_of_type_point_at_their_place() {
    for (text, place, message) in [
        ("@id(\"a\")\npermit (principal, action, resource) when { context.flg };", (2, 45), "attribute `flg`"),
        (
            "@id(\"a\")\npermit (principal, action == Action::\"t:raed\", resource);",
            (2, 30),
            "unrecognized action `Action::\"t:raed\"`",
        ),
        (
            "@id(\"a\")\npermit (principal in Gruop::\"g:x\", action, resource);",
            (2, 22),
            "unrecognized entity type `Gruop`",
        ),
        (
            "@id(\"a\")\npermit (principal, action == Action::\"t:read\", resource) when { context.rows == \"x\" };",
            (2, 65),
            "not compatible",
        ),
        (
            "@id(\"a\")\npermit (principal, action, resource) when { principal.email == \"x\" };",
            (2, 45),
            "optional attribute `email`",
        ),
        ("@id(\"a\")\npermit (principal, action, resource", (2, 36), "unexpected end of input"),
        ("@id(\"a\")\npermit (principal == ?principal, action, resource);", (1, 1), "is not for this gate"),
        ("@id(\"a\")\npermit (principal, action, resource) when { false };", (1, 1), "policy is impossible"),
        ("@id(\"a\")\npermit (principal in Group::\"vendors\", action, resource);", (2, 22), "has no issuer's prefix"),
        (
            "@id(\"a\")\npermit (principal, action, resource == Table::\"shop/orders\");",
            (2, 40),
            "wrong number of parts",
        ),
    ] {
        let found = errors(text).0;
        assert!(found.iter().any(|error| error.place == Some(place) && error.message.contains(message)), "{found:#?}");
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let dir = folder(
        "@id(\"a\") permit (principal, action, resource);\npermit (principal, action, resource) when { context.flg };",
    );
    std::fs::create_dir(dir.path().join("more")).unwrap();
    std::fs::write(dir.path().join("more/b.cedar"), "\n@id(\"a\")\npermit (principal, action, resource);").unwrap();
    std::fs::write(dir.path().join("more/c.cedar"), "@id(\"c\") permit (principal").unwrap();
    let errors = load(dir.path()).map(|_| ()).unwrap_err();
    let told = errors.to_string().replace(&format!("{}/", dir.path().display()), "");
    let lines: Vec<&str> = told.lines().filter(|line| line.contains(".cedar:")).collect();
    assert_eq!(lines.len(), 4, "{told}");
    assert!(lines[0].starts_with("all.cedar:2:1: a policy needs an `@id`"), "{told}");
    assert!(lines[1].starts_with("all.cedar:2:45:"), "{told}");
    assert_eq!(lines[2], "more/b.cedar:2:1: the id `a` is already that of the policy at `all.cedar:1`");
    assert!(lines[3].starts_with("more/c.cedar:1:"), "{told}");
    assert!(told.contains("\n  2 | @id(\"a\")\n    | ^"), "{told}");
}

#[test]
fn folders_that_hold_no_bundle_are_refused() {
    let empty = tempfile::tempdir().unwrap();
    assert!(load(empty.path()).unwrap_err().to_string().ends_with("there is no `.cedar` file in this folder"));
    assert!(load(&empty.path().join("nowhere")).is_err());
    std::fs::write(empty.path().join("a.cedar"), [0xff, 0xfe]).unwrap();
    assert!(load(empty.path()).unwrap_err().to_string().ends_with("the file is not UTF-8"));
}

#[test]
fn hidden_versions_of_a_mounted_bundle_count_once() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("..v1")).unwrap();
    std::fs::write(dir.path().join("..v1/a.cedar"), format!("@id(\"a\") {REST}")).unwrap();
    std::os::unix::fs::symlink("..v1/a.cedar", dir.path().join("a.cedar")).unwrap();
    assert!(load(dir.path()).is_ok());
}

#[test]
fn policy_about_an_unknown_target_gets_a_warning() {
    let dir = folder("@id(\"a\")\npermit (principal, action, resource in Target::\"shpo\");");
    let targets = [String::from("shop")];
    let checked = check(dir.path(), &[&super::fixture::SMALL], &targets).unwrap();
    let told: Vec<_> = checked.warnings.iter().map(|warning| (warning.place, warning.help.as_deref())).collect();
    assert_eq!(told, [(Some((2, 40)), Some("did you mean `shop`?"))]);
    assert_eq!(checked.policies.iter().map(|policy| (policy.id.as_str(), policy.line)).collect::<Vec<_>>(), [("a", 1)]);
}
