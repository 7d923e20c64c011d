//! Configurations that are wrong, each with all that is said about it.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Config, TargetTlsMode};

const PROCESS: &str = r#"[policy]
dir = "policies"
[recording]
dir = "recordings"
[tls]
certificate = "gate.crt"
key = "gate.key"
[[identity.oidc]]
name = "okta"
issuer = "https://id.example.com"
audience = "portcullis"
"#;

const TARGET: &str = r#"[[target]]
name = "orders-db"
protocol = "postgres"
listen = "0.0.0.0:5432"
address = "orders.internal:5432"
login = { user = "gate", password = { file = "orders" } }
"#;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Own {
    login: Login,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Login {
    user: String,
    password: portcullis_core::secret::SecretRef,
}

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(PathBuf::from("/etc/gate.toml"), text.to_owned()).map_err(|problems| problems.to_string())
}

/// Everything that is wrong with a configuration, the protocol's own part included.
fn wrong(text: &str) -> String {
    match parse(text) {
        Err(problems) => problems,
        Ok(config) if !config.check().0.is_empty() => config.check().to_string(),
        Ok(config) => {
            let own = config.targets[0].rest.read::<Own>(&config.source);
            own.expect_err("something is wrong with it").to_string()
        }
    }
}

#[test]
fn a_whole_configuration_is_read() {
    let config = parse(&format!("{PROCESS}{TARGET}")).unwrap();
    assert_eq!(config.process.policy.dir, PathBuf::from("/etc/policies"));
    let target = &config.targets[0];
    assert_eq!(target.common.name, "orders-db");
    assert_eq!(target.common.tls.mode, TargetTlsMode::Require);
    let own: Own = target.rest.read(&config.source).unwrap();
    assert_eq!(own.login.user, "gate");
    assert_eq!(own.login.password, portcullis_core::secret::SecretRef::File("/etc/orders".into()));
}

#[test]
fn wrong_configurations_say_where_and_what_was_meant() {
    let whole = format!("{PROCESS}{TARGET}");
    for (right, slip, told) in [
        (
            "listen = ",
            "lsiten = ",
            "/etc/gate.toml:15:1: unknown key `lsiten`; did you mean `listen`?\n  15 | lsiten = …\n     | ^",
        ),
        (
            "login = { user",
            "login = { usr",
            "/etc/gate.toml:17:11: unknown key `usr`; did you mean `user`?\n  17 | login = …",
        ),
        (
            "login = ",
            "lgoin = ",
            "/etc/gate.toml:17:1: unknown key `lgoin`; did you mean `login`?\n  17 | lgoin = …\n     | ^",
        ),
        (
            "{ file = \"orders\" }",
            "\"hunter2\"",
            "/etc/gate.toml:17:37: a secret must not stand here itself; give its place: `{ env = \"NAME\" }` or \
             `{ file = \"PATH\" }`\n  17 | login = …",
        ),
        (
            "[policy]",
            "[polic]",
            "/etc/gate.toml:1:2: unknown key `polic`; did you mean `policy`?\n  1 | [polic]\n    |  ^",
        ),
        (
            "\"orders.internal:5432\"",
            "\"orders.internal\"",
            "/etc/gate.toml:16:11: an address is `HOST:PORT`, with a port from 1 to 65535\n  16 | address = …\n     |           ^",
        ),
        (
            "protocol = ",
            "plaintext_login = true\nprotocol = ",
            "/etc/gate.toml:14:1: only a listener on a loopback address may let clients log in without TLS\n  14 | \
             plaintext_login = …\n     | ^",
        ),
        ("[[target]]", "[target]", "/etc/gate.toml: targets are written `[[target]]`, with two brackets"),
        (
            "\"orders-db\"",
            "\"Orders DB\"",
            "/etc/gate.toml:13:1: a name has 1 to 63 of `a` to `z`, `0` to `9`, `-`, `_` and `.`\n  13 | name = …\n     | ^",
        ),
        (
            "[policy]",
            "[session]\nmax_age = \"1 day\"\n[policy]",
            "/etc/gate.toml:2:11: `1 day` is not a duration; write for example `2s`, `15m` or `1h30m`\n  2 | max_age = \
             …\n    |           ^",
        ),
    ] {
        let text = whole.replacen(right, slip, 1);
        assert_ne!(text, whole, "{right} is there to be replaced");
        let got = wrong(&text);
        assert!(got.starts_with(told), "{slip}:\n{got}\n-- and not\n{told}");
        assert!(!got.contains("hunter2"));
    }
}

#[test]
fn all_problems_are_told_at_once() {
    let second = TARGET.replace("name = ", "nmae = ");
    let third = TARGET.replace("5432\"\naddress", "5432\"\nadress");
    let told = wrong(&format!("{PROCESS}{TARGET}{second}{third}"));
    assert!(told.contains("did you mean `name`?") && told.contains("did you mean `address`?"), "{told}");
}

#[test]
fn two_targets_share_neither_name_nor_listener() {
    let told = wrong(&format!("{PROCESS}{TARGET}{TARGET}"));
    assert!(told.contains("two targets have the name `orders-db`"), "{told}");
    assert!(told.contains("two targets listen on `0.0.0.0:5432`"), "{told}");
}

#[test]
fn a_receiver_of_notifications_has_what_its_kind_needs() {
    let control = "[control]\nlisten = \"127.0.0.1:8443\"\n";
    let receiver = |keys: &str| format!("[[control.notify]]\nname = \"r\"\nurl = {{ env = \"URL\" }}\n{keys}\n");
    for (receivers, told) in [
        (receiver("kind = \"webhook\""), "has a `secret` to sign with"),
        (receiver("kind = \"slack\"\nsecret = { env = \"KEY\" }"), "has no `secret`"),
        (receiver("kind = \"slack\"").repeat(2), "two of `notify` have the name `r`"),
        (receiver("kind = \"slack\"\nurll = 1"), "unknown key `urll`; did you mean `url`?"),
        (
            receiver("kind = \"slack\"").replace("{ env = \"URL\" }", "\"https://hunter2\""),
            "a secret must not stand here",
        ),
    ] {
        let got = wrong(&format!("{PROCESS}{control}{receivers}{TARGET}"));
        assert!(got.contains(told) && !got.contains("hunter2"), "{got}\n-- and not\n{told}");
    }
}

#[test]
fn a_listener_that_would_let_nobody_in_is_refused() {
    let told =
        wrong(&format!("{PROCESS}{TARGET}").replace("[tls]\ncertificate = \"gate.crt\"\nkey = \"gate.key\"\n", ""));
    assert!(told.contains("nobody could log in here"), "{told}");
}
