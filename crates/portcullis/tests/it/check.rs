//! `portcullis check`.

use crate::gate::{Folder, TARGET};

#[test]
fn a_good_configuration_is_said_to_be_good() {
    let ran = Folder::new().run(&["check"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "ok portcullis.toml\n"), "{}", ran.err);
}

#[test]
fn wrong_configurations_exit_with_2_and_point_at_the_line() {
    for (right, slip, told) in [
        (
            "listen = ",
            "lsiten = ",
            "error: portcullis.toml:15:1: unknown key `lsiten`; did you mean `listen`?\n  15 | lsiten = …\n     | ^",
        ),
        ("{ user = ", "{ usr = ", "portcullis.toml:20:11: unknown key `usr`; did you mean `user`?"),
        ("\nlogin = ", "\nlogni = ", "portcullis.toml:20:1: unknown key `logni`; did you mean `login"),
        ("plaintext_login", "plaintext_logni", "portcullis.toml:17:1: unknown key `plaintext_logni`; did you mean"),
        (
            "protocol = \"postgres\"",
            "protocol = \"postgers\"",
            "portcullis.toml:14:1: this gate serves no protocol `postgers`; did you mean `postgres`?",
        ),
        ("{ env = \"ORDERS_PASSWORD\" }", "\"hunter2\"", "a secret must not stand here itself"),
        ("plaintext_login = true\n", "", "nobody could log in here"),
    ] {
        let folder = Folder::of_targets(&TARGET.replacen(right, slip, 1));
        let ran = folder.run(&["check"]);
        assert_eq!(ran.code, Some(2), "{slip}: {}", ran.err);
        assert!(ran.err.contains(told), "{slip}: {}", ran.err);
        assert!(!ran.err.contains("hunter2"));
    }
}

#[test]
fn a_policy_that_cannot_be_used_is_pointed_at() {
    let folder = Folder::new();
    folder.write("policies/orders.cedar", "@id(\"x\") permit (principal, action == Action::\"sql:raed\", resource);");
    let ran = folder.run(&["check"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("policies/orders.cedar:1"), "{}", ran.err);
}

#[test]
fn a_target_that_does_not_answer_is_a_finding() {
    let ran = Folder::new().command(&["check", "--probe"]).env("ORDERS_PASSWORD", "x").output().unwrap();
    let ran = crate::gate::Ran::from(ran);
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    assert!(ran.out.contains("FAIL target orders-db: target connection"), "{}", ran.out);
}

#[test]
fn a_missing_configuration_is_named() {
    let ran = Folder::new().run(&["check", "--config", "nowhere.toml"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.starts_with("error: nowhere.toml: the configuration cannot be read"), "{}", ran.err);
}
