//! Notices that the folder of policies changed, and has it read again once it has come to rest.
//!
//! File notifications only wake it; what counts is the content, which is looked at now and then
//! anyway, for file systems that notify nobody.

use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use super::CedarPolicy;
use super::bundle::Bundle;
use super::problem::{PolicyError, PolicyErrors};

/// How long the content must stay the same before it is used: a bundle that is half written may
/// well be valid, and lack a forbid.
const REST: Duration = Duration::from_millis(250);
/// How often the content is looked at when nothing notifies.
const POLL: Duration = Duration::from_secs(2);
/// How long a content that never rests is waited for before that is told.
const RESTLESS: Duration = Duration::from_secs(10);

/// A running watch; it ends when this is dropped.
#[derive(Debug)]
pub struct Watch {
    stop: Sender<Wake>,
}

#[derive(Debug)]
enum Wake {
    Changed,
    Stop,
}

impl Watch {
    /// Watches the folder of `policy` on a thread of its own.
    pub fn start(policy: &Arc<CedarPolicy>) -> std::io::Result<Self> {
        let (stop, wakes) = mpsc::channel();
        let notifier = notifier(&policy.dir, stop.clone());
        let policy = Arc::downgrade(policy);
        std::thread::Builder::new().name(String::from("policy-watch")).spawn(move || {
            // It must live as long as the thread; without it, polling is enough.
            let _notifier = notifier;
            watch(&policy, &wakes);
        })?;
        Ok(Self { stop })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // The thread may be gone already.
        let _ = self.stop.send(Wake::Stop);
    }
}

fn notifier(dir: &Path, wake: Sender<Wake>) -> Option<RecommendedWatcher> {
    let heard = move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| !event.kind.is_access()) {
            let _ = wake.send(Wake::Changed);
        }
    };
    let watcher = notify::recommended_watcher(heard).and_then(|mut watcher| {
        watcher.watch(dir, RecursiveMode::Recursive)?;
        Ok(watcher)
    });
    watcher.inspect_err(|error| tracing::warn!(%error, "changes of policies are found by polling alone")).ok()
}

fn watch(policy: &Weak<CedarPolicy>, wakes: &Receiver<Wake>) {
    let mut seen: Option<Result<Bundle, PolicyErrors>> = None;
    loop {
        match wakes.recv_timeout(POLL) {
            Ok(Wake::Changed) | Err(RecvTimeoutError::Timeout) => {}
            Ok(Wake::Stop) | Err(RecvTimeoutError::Disconnected) => return,
        }
        let Some(policy) = policy.upgrade() else { return };
        let Some(content) = settled(&policy, wakes) else { return };
        // A content that was refused is refused and logged once, not at every look.
        if seen.as_ref() != Some(&content) {
            seen = Some(content.clone());
            let _ = policy.adopt(content);
        }
    }
}

/// The content of the folder once it has stayed the same for a while; `None` when told to stop.
fn settled(policy: &CedarPolicy, wakes: &Receiver<Wake>) -> Option<Result<Bundle, PolicyErrors>> {
    let since = Instant::now();
    let mut content = Bundle::read(&policy.dir);
    if content.as_ref().is_ok_and(|bundle| bundle.revision == policy.revision()) && policy.health().failing.is_none() {
        return Some(content);
    }
    loop {
        rest(wakes)?;
        let again = Bundle::read(&policy.dir);
        if again == content {
            return Some(content);
        }
        content = again;
        if since.elapsed() > RESTLESS {
            let restless = PolicyError::of_file(policy.dir.display().to_string(), "the files do not stop changing");
            return Some(Err(restless.into()));
        }
    }
}

/// Waits for [`REST`], whatever changes meanwhile; `None` when told to stop.
fn rest(wakes: &Receiver<Wake>) -> Option<()> {
    let end = Instant::now() + REST;
    loop {
        match wakes.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(Wake::Changed) => {}
            Err(RecvTimeoutError::Timeout) => return Some(()),
            Ok(Wake::Stop) | Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
}
