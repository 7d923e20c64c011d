//! A recorder that keeps events in memory, and fails where it is told to.

use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use portcullis_core::recording::{Event, Opening, RecordError, Recorder, Recording};
use serde_json::Value;

/// Where the recorder fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failing {
    /// Nowhere.
    Nothing = 0,
    /// No recording can be opened.
    Open = 1,
    /// Nothing can be added.
    Append = 2,
    /// Nothing can be made durable.
    Commit = 3,
}

/// Keeps every event as JSON.
#[derive(Debug, Default)]
pub struct FakeRecorder {
    shared: Arc<Shared>,
    opened: AtomicUsize,
}

#[derive(Debug, Default)]
struct Shared {
    events: Mutex<Vec<Value>>,
    failing: AtomicU8,
}

impl Shared {
    fn check(&self, at: Failing) -> Result<(), RecordError> {
        if self.failing.load(Ordering::SeqCst) == at as u8 {
            return Err(RecordError("the recorder was told to fail".into()));
        }
        Ok(())
    }
}

impl FakeRecorder {
    /// Fails from now on.
    pub fn fail(&self, at: Failing) {
        self.shared.failing.store(at as u8, Ordering::SeqCst);
    }

    /// Every event so far, as stored.
    pub fn events(&self) -> Vec<Value> {
        self.shared.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The events of one kind so far: `operation`, `decision`, `outcome`.
    pub fn of(&self, kind: &str) -> Vec<Value> {
        self.events().into_iter().filter_map(|event| event.get(kind).cloned()).collect()
    }
}

impl Recorder for FakeRecorder {
    fn open(&self, _opening: &Opening<'_>) -> Result<Box<dyn Recording>, RecordError> {
        self.shared.check(Failing::Open)?;
        let number = self.opened.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(FakeRecording { id: format!("fake-{number}"), shared: Arc::clone(&self.shared) }))
    }
}

struct FakeRecording {
    id: String,
    shared: Arc<Shared>,
}

impl Recording for FakeRecording {
    fn id(&self) -> &str {
        &self.id
    }

    fn append(&self, _at: u64, event: &Event<'_>) -> Result<(), RecordError> {
        self.shared.check(Failing::Append)?;
        let event = serde_json::to_value(event).map_err(|why| RecordError(why.to_string()))?;
        self.shared.events.lock().unwrap_or_else(PoisonError::into_inner).push(event);
        Ok(())
    }

    fn commit(&self) -> Result<(), RecordError> {
        self.shared.check(Failing::Commit)
    }
}
