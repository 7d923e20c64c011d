//! The desk: every ask that is open, who waits for it, and the one place where asks change. A change
//! counts once it is stored.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use portcullis_core::approval;
use portcullis_core::clock::{Clock, unix_micros};
use portcullis_core::policy::Decision;
use tokio::sync::{Notify, broadcast, watch};

use crate::ask::{Answer, Ask, Person, State, Terms, Unanswerable};
use crate::store::{Store, StoreError};

/// The most asks that may be open at a time, and of those by one requester.
const MAX_OPEN: usize = 10_000;
const MAX_OWN: usize = 100;

/// Changes that a listener may be behind.
const MAX_TOLD: usize = 1_024;

/// The longest statement that is asked about with its values, in bytes: a human has to read it.
const MAX_READ: usize = 64 << 10;

/// Says which asks somebody may see.
pub type Sees<'a> = dyn Fn(&Ask) -> bool + Sync + 'a;

/// What can go wrong when an ask is changed.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// There is no such ask, or none that this person may see.
    #[error("there is no ask `{0}` that you may see")]
    Unknown(String),
    /// The answer does not count.
    #[error(transparent)]
    Unanswerable(#[from] Unanswerable),
    /// It cannot be stored, so it was not done.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Every open ask.
pub struct Desk {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    open: Mutex<Open>,
    /// Asks change one at a time.
    turn: tokio::sync::Mutex<()>,
    /// Somebody has left.
    left: Notify,
    /// Tells the ids of asks that are made or change.
    told: broadcast::Sender<String>,
}

#[derive(Default)]
struct Open {
    asks: HashMap<String, Entry>,
    /// The gate goes away, and whoever waits comes back: nothing is withdrawn.
    closing: bool,
}

struct Entry {
    ask: Ask,
    waiters: usize,
    stored: bool,
    /// The last client that waited for it has gone.
    abandoned: bool,
    changed: watch::Sender<State>,
}

/// One client's place at the desk.
pub(crate) struct Place {
    desk: Arc<Desk>,
    id: String,
    changed: watch::Receiver<State>,
    ttl: Duration,
    left: bool,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").finish_non_exhaustive()
    }
}

impl Desk {
    /// Opens the desk with what was open when it was closed last.
    pub async fn open(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Result<Arc<Self>, StoreError> {
        let most = u32::try_from(MAX_OPEN).unwrap_or(u32::MAX);
        let mut open = Open::default();
        for ask in store.latest(&[State::Pending, State::Approved], most).await? {
            open.asks.insert(ask.id.clone(), Entry::new(ask, true));
        }
        Ok(Arc::new(Self {
            store,
            clock,
            open: Mutex::new(open),
            turn: tokio::sync::Mutex::default(),
            left: Notify::new(),
            told: broadcast::Sender::new(MAX_TOLD),
        }))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> u64 {
        unix_micros(self.clock.now())
    }

    /// Puts an ask, or joins the open one about the same thing. An error is for the operator.
    pub(crate) fn put(self: &Arc<Self>, asked: &approval::Ask<'_>) -> Result<Place, &'static str> {
        let Decision::AskFirst(terms) = &asked.ruling.decision else { return Err("nothing is to be asked") };
        if asked.statement.len().saturating_add(asked.values.len()) > MAX_READ {
            return Err("the statement is too long for anybody to read");
        }
        let requester = Person::from(&asked.subject.identity);
        let fingerprint = hexadecimal(asked.fingerprint);
        let now = self.now();
        let mut open = self.lock();
        let same = |entry: &&mut Entry| entry.ask.fingerprint == fingerprint && entry.ask.expires > now;
        if let Some(entry) = open.asks.values_mut().filter(|entry| entry.ask.state.is_open()).find(same) {
            entry.waiters = entry.waiters.saturating_add(1);
            entry.abandoned = false;
            let ttl = Duration::from_micros(entry.ask.expires.saturating_sub(now));
            return Ok(Place::new(self, &entry.ask.id, entry.changed.subscribe(), ttl));
        }
        let own = open.asks.values().filter(|entry| entry.ask.requester.is_same(&requester)).count();
        if open.asks.len() >= MAX_OPEN || own >= MAX_OWN {
            return Err("too many asks are open");
        }
        let ask = made(asked, terms, requester, fingerprint, now).map_err(|_| "its effects cannot be written down")?;
        let id = ask.id.clone();
        let mut entry = Entry::new(ask, false);
        entry.waiters = 1;
        let changed = entry.changed.subscribe();
        open.asks.insert(id.clone(), entry);
        Ok(Place::new(self, &id, changed, terms.ttl))
    }

    /// Asks in these states that somebody may see, the latest first. Those that are open are found
    /// however many asks of others are later.
    pub async fn list(&self, sees: &Sees<'_>, states: &[State], most: u32) -> Result<Vec<Ask>, StoreError> {
        let over: Vec<State> = states.iter().copied().filter(|state| !state.is_open()).collect();
        let mut asks = if over.is_empty() { Vec::new() } else { self.store.latest(&over, most).await? };
        asks.retain(|ask| sees(ask));
        let wanted = |ask: &Ask| ask.state.is_open() && states.contains(&ask.state) && sees(ask);
        let open = self.lock();
        asks.extend(
            open.asks.values().filter(|entry| entry.stored && wanted(&entry.ask)).map(|entry| entry.ask.clone()),
        );
        drop(open);
        asks.sort_by(|one, other| (other.asked, &other.id).cmp(&(one.asked, &one.id)));
        asks.truncate(usize::try_from(most).unwrap_or(usize::MAX));
        Ok(asks)
    }

    /// One ask that somebody may see.
    pub async fn show(&self, sees: &Sees<'_>, id: &str) -> Result<Ask, DeskError> {
        let ask = self.store.get(id).await?.filter(|ask| sees(ask));
        ask.ok_or_else(|| DeskError::Unknown(id.to_owned()))
    }

    /// Takes an answer.
    pub async fn answer(&self, id: &str, by: Person, yes: bool, reason: String) -> Result<Ask, DeskError> {
        let _turn = self.turn.lock().await;
        let mut ask = self.show(&|ask| ask.is_for(&by), id).await?;
        ask.answer(Answer { by, yes, reason, at: self.now() })?;
        self.keep(ask.clone()).await?;
        Ok(ask)
    }

    /// Takes an approval back that was not used yet, or ends an ask.
    pub async fn revoke(&self, may: &Sees<'_>, id: &str, by: Person, reason: String) -> Result<Ask, DeskError> {
        let _turn = self.turn.lock().await;
        let mut ask = self.show(may, id).await?;
        if !ask.state.is_open() {
            return Err(Unanswerable::Over(ask.state).into());
        }
        ask.answers.push(Answer { by, yes: false, reason, at: self.now() });
        ask.state = State::Revoked;
        self.keep(ask.clone()).await?;
        Ok(ask)
    }

    /// Takes back whatever an identity has asked for and not done yet.
    pub async fn revoke_all(&self, issuer: &str, subject: &str, by: &Person) -> Result<(), StoreError> {
        let _turn = self.turn.lock().await;
        let theirs = |entry: &&Entry| entry.ask.requester.issuer == issuer && entry.ask.requester.subject == subject;
        let asks: Vec<Ask> = self.lock().asks.values().filter(theirs).map(|entry| entry.ask.clone()).collect();
        for mut ask in asks.into_iter().filter(|ask| ask.state.is_open()) {
            let reason = String::from("the sessions of whoever asked were ended");
            ask.answers.push(Answer { by: by.clone(), yes: false, reason, at: self.now() });
            ask.state = State::Revoked;
            self.keep(ask).await?;
        }
        Ok(())
    }

    /// Ends what is over by the clock on the wall, and what nobody waits for any more.
    pub async fn sweep(&self) -> Result<(), StoreError> {
        let now = self.now();
        let mut due = Vec::new();
        for entry in self.lock().asks.values().filter(|entry| entry.stored && entry.ask.state.is_open()) {
            if entry.ask.expires <= now {
                due.push((entry.ask.id.clone(), State::Expired));
            } else if entry.abandoned && entry.ask.state == State::Pending {
                due.push((entry.ask.id.clone(), State::Withdrawn));
            }
        }
        for (id, state) in due {
            self.end(&id, state).await?;
        }
        Ok(())
    }

    /// Hears the ids of asks that are made or change, from now on.
    pub(crate) fn hear(&self) -> broadcast::Receiver<String> {
        self.told.subscribe()
    }

    /// Waits until somebody has left.
    pub(crate) async fn someone_left(&self) {
        self.left.notified().await;
    }

    /// From now on nothing is withdrawn: the gate goes away, and clients may come back to the next.
    pub fn close(&self) {
        self.lock().closing = true;
    }

    /// Ends an open ask in one of the ways that need no human.
    async fn end(&self, id: &str, state: State) -> Result<(), StoreError> {
        let _turn = self.turn.lock().await;
        let Some(mut ask) = self.current(id).filter(|ask| ask.state.is_open()) else { return Ok(()) };
        // Somebody may have come or answered since it was found to be abandoned.
        let still = self.lock().asks.get(id).is_some_and(|entry| entry.abandoned);
        if state == State::Withdrawn && !(still && ask.state == State::Pending) {
            return Ok(());
        }
        ask.state = state;
        self.keep(ask).await
    }

    fn current(&self, id: &str) -> Option<Ask> {
        self.lock().asks.get(id).map(|entry| entry.ask.clone())
    }

    /// Stores an ask, then lets everybody know. Only whoever has the turn may call it.
    async fn keep(&self, ask: Ask) -> Result<(), StoreError> {
        self.store.put(&ask).await?;
        // Nobody listening is no failure.
        let _ = self.told.send(ask.id.clone());
        let mut open = self.lock();
        let Some(entry) = open.asks.get_mut(&ask.id) else { return Ok(()) };
        let (id, state) = (ask.id.clone(), ask.state);
        entry.ask = ask;
        entry.stored = true;
        entry.changed.send_replace(state);
        if !state.is_open() && entry.waiters == 0 {
            open.asks.remove(&id);
        }
        Ok(())
    }

    /// Stores an ask that was just put.
    async fn begin(&self, id: &str) -> Result<(), StoreError> {
        let _turn = self.turn.lock().await;
        let new = self.lock().asks.get(id).filter(|entry| !entry.stored).map(|entry| entry.ask.clone());
        match new {
            Some(ask) => self.keep(ask).await,
            None => Ok(()),
        }
    }

    /// Uses an approval, if nobody has. The use is stored before it counts.
    async fn take(&self, id: &str) -> Result<Option<Vec<String>>, StoreError> {
        let _turn = self.turn.lock().await;
        let (now, closing) = (self.now(), self.lock().closing);
        let usable = |ask: &Ask| ask.state == State::Approved && ask.expires > now;
        // A gate that goes away does nothing more; whoever asks the next one finds the approval there.
        let Some(mut ask) = self.current(id).filter(|ask| usable(ask) && !closing) else { return Ok(None) };
        ask.state = State::Used;
        let said = ask.said();
        self.keep(ask).await?;
        Ok(Some(said))
    }

    /// One client waits no longer. The last one to go leaves what nobody has decided to the sweep.
    fn leave(&self, id: &str) {
        let mut open = self.lock();
        let closing = open.closing;
        let Some(entry) = open.asks.get_mut(id) else { return };
        entry.waiters = entry.waiters.saturating_sub(1);
        if entry.waiters > 0 {
            return;
        }
        if entry.stored && entry.ask.state.is_open() {
            entry.abandoned = !closing;
            self.left.notify_one();
        } else {
            // It is over, or nobody was ever shown it.
            open.asks.remove(id);
        }
    }
}

impl Entry {
    fn new(ask: Ask, stored: bool) -> Self {
        let changed = watch::Sender::new(ask.state);
        Self { ask, waiters: 0, stored, abandoned: false, changed }
    }
}

impl Place {
    fn new(desk: &Arc<Desk>, id: &str, changed: watch::Receiver<State>, ttl: Duration) -> Self {
        Self { desk: Arc::clone(desk), id: id.to_owned(), changed, ttl, left: false }
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// How many rows the target estimates that would be written. It counts for whoever asks first.
    pub(crate) fn estimated(&self, rows: u64) {
        if let Some(entry) = self.desk.lock().asks.get_mut(&self.id).filter(|entry| !entry.stored) {
            entry.ask.estimated_rows = Some(rows);
        }
    }

    /// Waits for the verdict, at most as long as the ask was good for when this client came, however
    /// the clock on the wall is moved meanwhile.
    pub(crate) async fn verdict(mut self) -> approval::Verdict {
        use approval::Verdict;
        const GONE: &str = "the approval was used by another client, has expired, or the gate is shutting down";
        let lost = |why: &StoreError| {
            tracing::error!(error = %why, "an ask is lost");
            Verdict::Lost(String::from("the approvals cannot be stored"))
        };
        if let Err(why) = self.desk.begin(&self.id).await {
            return lost(&why);
        }
        let waiting = self.changed.wait_for(|state| *state != State::Pending);
        let state = match tokio::time::timeout(self.ttl, waiting).await {
            Ok(state) => state.map_or(State::Withdrawn, |state| *state),
            Err(_) => State::Expired,
        };
        match state {
            State::Approved => match self.desk.take(&self.id).await {
                Ok(Some(said)) => Verdict::Approved(said),
                Ok(None) => Verdict::Lost(String::from(GONE)),
                Err(why) => lost(&why),
            },
            State::Denied | State::Revoked => Verdict::Denied(self.said_no()),
            State::Expired => {
                if let Err(why) = self.desk.end(&self.id, State::Expired).await {
                    return lost(&why);
                }
                Verdict::Expired
            }
            State::Used => Verdict::Lost(String::from(GONE)),
            State::Withdrawn | State::Pending => Verdict::Lost(String::from("the ask was withdrawn")),
        }
    }

    fn said_no(&self) -> String {
        let ask = self.desk.current(&self.id);
        let no = ask.and_then(|ask| ask.answers.into_iter().rfind(|answer| !answer.yes));
        no.map_or_else(String::new, |no| format!("{}: {}", no.by.name(), no.reason.trim()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !std::mem::replace(&mut self.left, true) {
            self.desk.leave(&self.id);
        }
    }
}

fn made(
    asked: &approval::Ask<'_>,
    terms: &portcullis_core::policy::Terms,
    requester: Person,
    fingerprint: String,
    now: u64,
) -> Result<Ask, serde_json::Error> {
    let ttl = u64::try_from(terms.ttl.as_micros()).unwrap_or(u64::MAX);
    Ok(Ask {
        id: new_id(),
        fingerprint,
        requester,
        session: asked.session.to_owned(),
        target: asked.subject.target.clone(),
        account: asked.account.to_owned(),
        client: asked.subject.client.to_string(),
        application: asked.subject.application.clone(),
        statement: asked.statement.to_vec(),
        values: String::from_utf8_lossy(asked.values).into_owned(),
        effects: serde_json::from_str(asked.effects.json().get())?,
        estimated_rows: None,
        in_transaction: asked.in_transaction,
        policies: asked.ruling.policies.clone(),
        reason: asked.ruling.reason.clone(),
        revision: asked.ruling.revision.to_string(),
        terms: Terms { groups: terms.groups.clone(), quorum: terms.quorum },
        asked: now,
        expires: now.saturating_add(ttl),
        answers: Vec::new(),
        state: State::Pending,
    })
}

/// An id that is short enough to be read out and that nobody can guess: 60 random bits.
fn new_id() -> String {
    const SIGNS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let mut bits: u64 = rand::random();
    let mut id = String::with_capacity(12);
    for _ in 0..12 {
        let sign = SIGNS.get(usize::try_from(bits & 31).unwrap_or_default()).copied().unwrap_or(b'0');
        id.push(char::from(sign));
        bits >>= 5;
    }
    id
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
