//! The API as it is written down, so that every change of it shows in review.

use portcullis_control::api::document::openapi;
use serde_json::Value;

/// Set, it writes the document instead of comparing it.
const WRITE: &str = "PORTCULLIS_WRITE_OPENAPI";

#[test]
fn api_is_as_it_is_written_down() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
    let now = serde_json::to_string_pretty(&openapi()).unwrap() + "\n";
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(path, &now).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(written == now, "the API has changed; run this test with `{WRITE}=1` and look at docs/openapi.json");
}

#[test]
fn everything_that_is_referred_to_is_described() {
    fn references<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str));
                members.values().for_each(|value| references(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let document = serde_json::to_value(openapi()).unwrap();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 50);
    for reference in found {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference} is not described");
    }
}
