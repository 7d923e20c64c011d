//! Configurations: what is accepted, what is refused before anything runs, where clients are sent.

use portcullis_core::identity::Discovery;

use super::*;
use crate::identity::OidcError;

fn error(configs: Vec<OidcConfig>) -> String {
    Oidc::new(configs, None, Held::now()).err().map(|error| error.to_string()).unwrap_or_default()
}

#[test]
fn configurations_that_would_open_the_gate_are_refused() {
    let local = "http://127.0.0.1:1";
    let table = [
        ("http://id.example.com", json!({}), "must be an https URL"),
        ("http://10.0.0.1", json!({}), "must be an https URL"),
        ("http://localhost.example.com", json!({}), "must be an https URL"),
        ("ftp://127.0.0.1", json!({}), "must be an https URL"),
        ("https://id.example.com?tenant=1", json!({}), "must be an https URL"),
        ("https://user@id.example.com", json!({}), "must be an https URL"),
        ("id.example.com", json!({}), "must be an https URL"),
        (local, json!({ "name": "Okta" }), "is no name for an issuer"),
        (local, json!({ "name": "a:b" }), "is no name for an issuer"),
        (local, json!({ "name": "" }), "is no name for an issuer"),
        (local, json!({ "audience": [] }), "needs an `audience`"),
        (local, json!({ "audience": "" }), "needs an `audience`"),
        (local, json!({ "algorithms": [] }), "empty list of `algorithms`"),
        (local, json!({ "ca": "/nonexistent/ca.pem" }), "cannot be used"),
        (local, json!({ "ca": "Cargo.toml" }), "it holds no certificate"),
    ];
    for (url, more, expected) in table {
        let said = error(vec![config(url, more.clone())]);
        assert!(said.contains(expected), "{url} {more}: {said}");
    }
    let twice = |first, second| error(vec![config(local, first), config("http://127.0.0.1:2", second)]);
    assert!(twice(json!({}), json!({})).contains("two issuers are named `okta`"));
    let same = vec![config(local, json!({})), config(local, json!({ "name": "b" }))];
    assert!(matches!(Oidc::new(same, None, Held::now()), Err(OidcError::SameIssuer(_))));
}

#[test]
fn unknown_keys_and_symmetric_algorithms_do_not_parse() {
    for more in [r#""colour": 1"#, r#""algorithms": ["HS256"]"#, r#""algorithms": ["none"]"#, r#""kind": "robot""#] {
        let text = format!(r#"{{"name": "a", "issuer": "https://a.example", "audience": "b", {more}}}"#);
        assert!(serde_json::from_str::<OidcConfig>(&text).is_err(), "{more}");
    }
    let schema = schemars::schema_for!(OidcConfig);
    assert_eq!(schema.get("additionalProperties"), Some(&json!(false)));
}

#[test]
fn clients_are_sent_to_the_only_issuer_of_people() {
    let people = |name, url| config(url, json!({ "name": name, "scope": "openid groups" }));
    let programs = config("http://127.0.0.1:3", json!({ "name": "ci", "kind": "workload" }));
    let first = people("a", "http://127.0.0.1:1/realm/");
    let sent = |configs| Oidc::new(configs, None, Held::now()).unwrap().discovery();
    let expected = Discovery {
        configuration: String::from("http://127.0.0.1:1/realm/.well-known/openid-configuration"),
        scope: String::from("openid groups"),
    };
    assert_eq!(sent(vec![first.clone(), programs.clone()]), Some(expected));
    assert_eq!(sent(vec![first, people("b", "http://127.0.0.1:2")]), None);
    assert_eq!(sent(vec![programs]), None);
}
