//! The JSON schema of the configuration: the process's tables, and for each protocol the common
//! keys of a target beside the protocol's own.

use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::{Process, Target};

/// A function that adds a protocol's own schema to a generator.
pub(crate) type OwnSchema = fn(&mut SchemaGenerator) -> Schema;

/// The schema for the protocols that are given, by name.
pub(crate) fn schema(protocols: &[(&'static str, OwnSchema)]) -> Value {
    let mut generator = SchemaSettings::draft2020_12().for_deserialize().into_generator();
    let targets: Vec<Value> = protocols.iter().map(|(name, own)| target(&mut generator, name, *own)).collect();
    let mut root = generator.into_root_schema_for::<Process>();
    root.insert("title".into(), "The configuration of a Portcullis gate".into());
    let listed = json!({ "type": "array", "items": { "oneOf": targets }, "description": "The protected services." });
    if let Some(properties) = root.get_mut("properties").and_then(Value::as_object_mut) {
        properties.insert("target".into(), listed);
    }
    if let Some(required) = root.get_mut("required").and_then(Value::as_array_mut) {
        required.push("target".into());
    }
    root.to_value()
}

fn target(generator: &mut SchemaGenerator, name: &str, own: OwnSchema) -> Value {
    let mut whole = inlined(generator, <Target as schemars::JsonSchema>::json_schema);
    let own = inlined(generator, own);
    for key in ["properties", "required"] {
        match (whole.get_mut(key), own.get(key)) {
            (Some(Value::Object(all)), Some(Value::Object(more))) => {
                all.extend(more.iter().map(|(name, schema)| (name.clone(), schema.clone())));
            }
            (Some(Value::Array(all)), Some(Value::Array(more))) => all.extend(more.iter().cloned()),
            _ => {}
        }
    }
    if let Some(Value::Object(properties)) = whole.get_mut("properties") {
        properties
            .insert("protocol".into(), json!({ "const": name, "description": "The protocol that the target speaks." }));
    }
    whole.insert("title".into(), json!(format!("A {name} target")));
    Value::Object(whole)
}

fn inlined(generator: &mut SchemaGenerator, of: OwnSchema) -> Map<String, Value> {
    match of(generator).to_value() {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
