//! An archive in memory, written to as a gate would.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use portcullis_control::archive::{Archive, ArchiveError, Events, Form, FormError, Pieces, Recorded};
use serde_json::{Value, json};

type Sessions = Arc<Mutex<BTreeMap<u64, Vec<Recorded>>>>;

#[derive(Default)]
pub(crate) struct MemoryArchive(Sessions);

/// A session of somebody on a target.
pub(crate) fn opened(number: u64, name: &str, target: &str) -> Value {
    let identity = crate::identity(name, &format!("{name}@example.com"), &["demo:agents"]);
    json!({ "opened": {
        "session": format!("gate-{number:010}"), "protocol": "postgres", "target": target, "client": "10.0.0.1",
        "application": "psql", "identity": identity,
    } })
}

/// An operation with its decision, and with its outcome if it was let pass.
pub(crate) fn operation(op: u64, statement: &str, decision: &str) -> Vec<Value> {
    let status = if decision == "allow" { "completed" } else { "refused" };
    vec![
        json!({ "operation": { "op": op, "kind": "Query", "statement": statement, "parameters": 0, "effects": [] } }),
        json!({ "decision": { "op": op, "decision": decision, "policies": ["p"], "reason": "", "revision": "r" } }),
        json!({ "outcome": {
            "op": op, "status": status, "message": "", "rows": 1, "bytes": 10, "micros": 300, "masked": { "email": 2 },
        } }),
    ]
}

pub(crate) fn closed(operations: u64) -> Value {
    json!({ "closed": { "reason": "the client said goodbye", "operations": operations } })
}

impl MemoryArchive {
    pub(crate) fn write(&self, number: u64, events: impl IntoIterator<Item = Value>) {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let written = sessions.entry(number).or_default();
        for event in events {
            let seq = written.len() as u64 + 1;
            written.push(Recorded { seq, at: number * 1_000_000 + seq, json: event.to_string() });
        }
    }

    /// A whole session with these statements and their decisions.
    pub(crate) fn session(&self, number: u64, name: &str, target: &str, statements: &[(&str, &str)]) {
        self.write(number, [opened(number, name, target)]);
        for ((statement, decision), op) in statements.iter().zip(1..) {
            self.write(number, operation(op, statement, decision));
        }
        self.write(number, [closed(statements.len() as u64)]);
    }
}

struct Reading {
    sessions: Sessions,
    number: u64,
    next: usize,
    complete: bool,
}

impl Archive for MemoryArchive {
    fn numbers(&self, first: u64) -> Result<Vec<u64>, ArchiveError> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).range(first..).map(|(number, _)| *number).collect())
    }

    fn mark(&self, number: u64) -> [u64; 3] {
        let sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        [sessions.get(&number).map_or(0, |events| events.len() as u64), 0, 0]
    }

    fn open(&self, number: u64) -> Result<Box<dyn Events>, ArchiveError> {
        Ok(Box::new(Reading { sessions: Arc::clone(&self.0), number, next: 0, complete: false }))
    }

    fn take(&self, number: u64, form: Form, op: Option<u64>) -> Result<Pieces, FormError> {
        let events = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&number).cloned();
        let events = events.ok_or(FormError::NotSealed)?;
        if matches!(form, Form::Asciicast | Form::AsciicastV3)
            && !events.iter().any(|event| event.json.contains("resize"))
        {
            return Err(FormError::NoTerminal(format!("no terminal of {op:?}")));
        }
        Ok(Box::new(events.into_iter().map(move |event| match event.json.contains("damaged") {
            true => Err(ArchiveError("segment 3 is damaged".into())),
            false => Ok(format!("{} {}\n", form.word(), event.json).into_bytes()),
        })))
    }
}

impl Events for Reading {
    fn next(&mut self) -> Option<Result<Recorded, ArchiveError>> {
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let found = sessions.get(&self.number)?.get(self.next)?.clone();
        if found.json.contains("damaged") {
            return Some(Err(ArchiveError("segment 3 is damaged".into())));
        }
        self.next += 1;
        self.complete = found.json.starts_with("{\"closed\"");
        Some(Ok(found))
    }

    fn again(&mut self) -> Result<(), ArchiveError> {
        Ok(())
    }

    fn is_complete(&self) -> bool {
        self.complete
    }
}
