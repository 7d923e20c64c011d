//! OCSF 1.3 (schema.ocsf.io): one object for each operation, once it is over or the recording ends. SQL is
//! Datastore Activity, all else API Activity; what OCSF has no place for is in `unmapped`.
//!
//! Rows and what terminals showed are not in it.

mod activity;

use std::collections::BTreeMap;

use portcullis_core::identity::{Identity, Kind};
use portcullis_core::recording::{Event, Status, Text};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use self::activity::{Class, foremost};
use crate::recording::read::Line;

/// The version of the schema.
const SCHEMA: &str = "1.3.0";

/// The most operations that are open at a time, and their most bytes. Beyond, the first of them is written
/// as one whose end is not known.
const MAX_OPEN: usize = 1_024;
const MAX_BYTES: usize = 64 << 20;

/// What is known so far.
#[derive(Default)]
pub(super) struct Ocsf {
    session: Session,
    open: BTreeMap<u64, Operation>,
    bytes: usize,
}

/// What all operations of a session share.
#[derive(Default)]
struct Session {
    id: String,
    protocol: String,
    target: String,
    actor: Value,
    actors: Vec<String>,
    client: String,
    /// What the last operation was.
    class: Class,
}

/// An operation that is not over.
struct Operation {
    at: u64,
    kind: String,
    statement: Vec<u8>,
    effects: Box<RawValue>,
    unmapped: Map<String, Value>,
    authorizations: Vec<Value>,
}

/// What the recording says of an effect.
#[derive(Deserialize)]
struct Effect {
    action: String,
    resource: Resource,
}

#[derive(Deserialize)]
struct Resource {
    kind: String,
    path: Vec<String>,
}

/// How an operation ended.
struct Ended<'a> {
    at: u64,
    status: Option<Status>,
    code: &'a str,
    message: &'a str,
}

impl Ocsf {
    pub(super) fn write(&mut self, line: &Line, out: &mut Vec<u8>) {
        // Events of later versions are not known, and may be about anything.
        let Ok(event) = line.event() else { return };
        match event {
            Event::Opened { session, protocol, target, client, application, identity } => {
                self.session = Session {
                    actor: actor(&identity, &session, &application),
                    actors: identity.actors.clone(),
                    id: session.into_owned(),
                    protocol: protocol.into_owned(),
                    target: target.into_owned(),
                    client: client.into_owned(),
                    class: Class::default(),
                };
            }
            Event::Operation { op, kind, statement, parameters, effects, .. } => {
                let unmapped = Map::from_iter([("parameters".to_owned(), json!(parameters))]);
                let operation = Operation {
                    at: line.at,
                    kind: kind.into_owned(),
                    statement: statement.0.into_owned(),
                    effects: effects.into_owned(),
                    unmapped,
                    authorizations: Vec::new(),
                };
                self.begin(op, operation, out);
            }
            Event::Decision { op, decision, policies, reason, revision } => {
                let Some(operation) = self.open.get_mut(&op) else { return };
                let by = |policy: &String| json!({ "decision": decision, "policy": { "uid": policy } });
                operation.authorizations = policies.iter().map(by).collect();
                operation.add("decision", json!(decision));
                operation.add("reason", json!(reason));
                operation.add("policy_revision", json!(revision));
            }
            Event::Asked { op, ask } => self.note(op, "ask", json!(ask)),
            Event::Answered { op, verdict, detail } => {
                self.note(op, "verdict", json!({ "verdict": verdict, "detail": detail }));
            }
            Event::Outcome { op, status, message, code, rows, bytes, masked, .. } => {
                self.note(op, "rows", json!(rows));
                self.note(op, "bytes", json!(bytes));
                if !masked.is_empty() {
                    self.note(op, "masked", json!(masked));
                }
                self.over(op, &Ended { at: line.at, status: Some(status), code: &code, message: &message }, out);
            }
            Event::Columns { .. }
            | Event::Rows { .. }
            | Event::Terminal { .. }
            | Event::Resize { .. }
            | Event::Gap { .. }
            | Event::Recovered { .. }
            | Event::Closed { .. } => {}
        }
    }

    /// The recording ends here: what is still open has no end that is known.
    pub(super) fn end(&mut self, out: &mut Vec<u8>) {
        while self.cut(out) {}
    }

    fn begin(&mut self, op: u64, operation: Operation, out: &mut Vec<u8>) {
        self.bytes = self.bytes.saturating_add(operation.size());
        if let Some(before) = self.open.insert(op, operation) {
            self.bytes = self.bytes.saturating_sub(before.size());
        }
        while (self.open.len() > MAX_OPEN || self.bytes > MAX_BYTES) && self.cut(out) {}
    }

    /// Writes the first open operation as one whose end is not known.
    fn cut(&mut self, out: &mut Vec<u8>) -> bool {
        let Some((op, at)) = self.open.first_key_value().map(|(op, operation)| (*op, operation.at)) else {
            return false;
        };
        self.over(op, &Ended { at, status: None, code: "", message: "" }, out);
        true
    }

    fn note(&mut self, op: u64, key: &str, value: Value) {
        if let Some(operation) = self.open.get_mut(&op) {
            operation.add(key, value);
        }
    }

    fn over(&mut self, op: u64, ended: &Ended<'_>, out: &mut Vec<u8>) {
        let Some(operation) = self.open.remove(&op) else { return };
        self.bytes = self.bytes.saturating_sub(operation.size());
        super::json(&self.session.object(op, operation, ended), out);
        out.push(b'\n');
    }
}

impl Operation {
    fn add(&mut self, key: &str, value: Value) {
        self.unmapped.insert(key.to_owned(), value);
    }

    fn size(&self) -> usize {
        self.statement.len().saturating_add(self.effects.get().len())
    }
}

impl Session {
    /// What every event of OCSF has.
    fn head(&self, op: u64, operation: &Operation, class: Class, action: &str, ended: &Ended<'_>) -> Value {
        let (activity, activity_name) = class.activity(action);
        let (status, status_name) = status(ended.status);
        let (severity, severity_name) =
            if ended.status == Some(Status::Refused) { (3, "Medium") } else { (1, "Informational") };
        json!({
            "metadata": {
                "version": SCHEMA,
                "product": {
                    "name": "Portcullis", "vendor_name": "Portcullis", "version": env!("CARGO_PKG_VERSION"),
                },
                "uid": format!("{}/{op}", self.id),
                "correlation_uid": self.id,
            },
            "category_uid": 6,
            "category_name": "Application Activity",
            "class_uid": class.uid(),
            "class_name": class.name(),
            "activity_id": activity,
            "activity_name": activity_name,
            "type_uid": class.uid() * 100 + activity,
            "severity_id": severity,
            "severity": severity_name,
            "time": operation.at / 1_000,
            "start_time": operation.at / 1_000,
            "end_time": ended.at.max(operation.at) / 1_000,
            "duration": ended.at.saturating_sub(operation.at) / 1_000,
            "status_id": status,
            "status": status_name,
            "actor": self.actor,
            "src_endpoint": { "ip": self.client },
            "dst_endpoint": { "name": self.target, "svc_name": self.protocol },
        })
    }

    fn object(&mut self, op: u64, operation: Operation, ended: &Ended<'_>) -> Value {
        let effects: Vec<Effect> = serde_json::from_str(operation.effects.get()).unwrap_or_default();
        let action = foremost(effects.iter().map(|effect| effect.action.as_str()));
        // Of what could not be found out, the session's other operations say what it is.
        let class = if action.is_empty() { self.class } else { Class::of(action) };
        self.class = class;
        let mut object = self.head(op, &operation, class, action, ended);
        let Some(fields) = object.as_object_mut() else { return object };
        for (key, text) in [("status_code", ended.code), ("status_detail", ended.message)] {
            if !text.is_empty() {
                fields.insert(key.to_owned(), json!(text));
            }
        }
        let Operation { kind, statement, effects: raw, mut unmapped, authorizations, .. } = operation;
        if !authorizations.is_empty()
            && let Some(actor) = fields.get_mut("actor").and_then(Value::as_object_mut)
        {
            actor.insert("authorizations".to_owned(), json!(authorizations));
        }
        if !self.actors.is_empty() {
            unmapped.insert("actors".to_owned(), json!(self.actors));
        }
        unmapped.insert("kind".to_owned(), json!(kind));
        unmapped.insert("effects".to_owned(), serde_json::from_str(raw.get()).unwrap_or_default());
        match class {
            Class::Datastore => self.datastore(fields, &effects, &statement),
            Class::Api => {
                let resources: Vec<_> = effects.iter().map(|effect| effect.resource.object(&self.target)).collect();
                fields.insert("api".to_owned(), json!({ "operation": kind, "service": { "name": self.protocol } }));
                fields.insert("resources".to_owned(), json!(resources));
            }
        }
        if class == Class::Api || std::str::from_utf8(&statement).is_err() {
            // What is no text is in its exact bytes.
            unmapped.insert("statement".to_owned(), json!(Text(statement.into())));
        }
        fields.insert("unmapped".to_owned(), Value::Object(unmapped));
        object
    }

    fn datastore(&self, fields: &mut Map<String, Value>, effects: &[Effect], statement: &[u8]) {
        let table = effects.iter().map(|effect| &effect.resource).find(|resource| resource.kind == "Table");
        let first = |resource: &Resource| resource.path.first().cloned();
        let database = table.and_then(first).or_else(|| effects.iter().find_map(|effect| first(&effect.resource)));
        let database = database.unwrap_or_else(|| self.target.clone());
        fields.insert("database".to_owned(), json!({ "name": database, "type_id": 1, "type": "Relational" }));
        fields.insert("query_info".to_owned(), json!({ "query_string": String::from_utf8_lossy(statement) }));
        if let Some(table) = table {
            let name = table.path.last().cloned().unwrap_or_default();
            fields.insert("table".to_owned(), json!({ "name": name, "uid": table.path.join(".") }));
        }
        let (id, name) = if table.is_some() { (3, "Table") } else { (1, "Database") };
        fields.insert("type_id".to_owned(), json!(id));
        fields.insert("type".to_owned(), json!(name));
    }
}

impl Resource {
    fn object(&self, target: &str) -> Value {
        let name = if self.path.is_empty() { target.to_owned() } else { self.path.join("/") };
        json!({ "name": name, "type": self.kind })
    }
}

fn actor(identity: &Identity, session: &str, application: &str) -> Value {
    let (type_id, type_name) = match identity.kind {
        Kind::User => (1, "User"),
        Kind::Workload => (3, "System"),
    };
    let groups: Vec<_> = identity.groups.iter().map(|group| json!({ "name": group })).collect();
    let mut user = json!({
        "uid": identity.subject, "name": identity.name(), "type_id": type_id, "type": type_name, "groups": groups,
    });
    if let (Some(email), Some(user)) = (&identity.email, user.as_object_mut()) {
        user.insert("email_addr".to_owned(), json!(email));
    }
    json!({
        "user": user,
        "idp": { "name": identity.issuer, "uid": identity.issuer },
        "session": { "uid": session, "issuer": identity.issuer },
        "app_name": application,
    })
}

/// `status_id`, and its caption.
const fn status(status: Option<Status>) -> (u32, &'static str) {
    match status {
        Some(Status::Completed) => (1, "Success"),
        Some(Status::Failed | Status::Refused) => (2, "Failure"),
        Some(Status::Aborted) => (activity::OTHER, "Aborted"),
        None => (0, "Unknown"),
    }
}
