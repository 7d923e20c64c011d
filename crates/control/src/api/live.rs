//! What happens now, as server-sent events: sessions as they change, and the events of one session. Whoever
//! reads slowly gets everything all the same: what is not sent yet stays in the archive, not in memory.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State as Shared};
use axum::http::HeaderMap;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures::Stream;
use futures::stream::unfold;
use tokio::sync::broadcast::error::RecvError;

use super::asks::Shown;
use super::caller::Caller;
use super::sessions::{Range, ShownEvent, found};
use super::{Api, Failure};
use crate::archive::{Archive, Events, Recorded};
use crate::index::Session;
use crate::vocabulary::{ASKS_READ, SESSIONS_READ, VOCABULARY};

/// How often a connection on which nothing happens says that it lives.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// How often a session's files are looked at for more.
const LOOK: Duration = Duration::from_millis(250);

/// Events that are read together.
const BATCH: usize = 256;

type Said = Result<Event, Infallible>;

/// An event whose data is a sentence, as JSON like that of every other.
fn said(event: &str, sentence: &str) -> Said {
    let event = Event::default().event(event);
    Ok(event.json_data(sentence).unwrap_or_default())
}

/// Sessions whenever one opens, changes or ends. Whoever falls behind is told to list them anew.
pub(super) async fn sessions(Shared(api): Shared<Api>, who: Caller) -> Result<Sse<impl Stream<Item = Said>>, Failure> {
    who.permitted_among(&api, api.index.targets().await?)?;
    let heard = api.changed.subscribe();
    // Asked for each, since a target may have its first session later, and policies may change.
    let stream = unfold((api, who, heard), |(api, who, mut heard)| async move {
        loop {
            let event = match heard.recv().await {
                Ok(number) => match api.index.stored(number).await {
                    Ok(Some(session)) if is_seen(&session, &who, &api) => {
                        Event::default().event("session").json_data(&session).ok()
                    }
                    Ok(_) | Err(_) => None,
                },
                Err(RecvError::Lagged(_)) => said("behind", "list the sessions anew").ok(),
                Err(RecvError::Closed) => return None,
            };
            if let Some(event) = event {
                return Some((Ok(event), (api, who, heard)));
            }
        }
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(HEARTBEAT)))
}

/// Whether it is a session on a target that the caller may look at, and not the record of what people do here.
fn is_seen(session: &Session, who: &Caller, api: &Api) -> bool {
    session.protocol != VOCABULARY.family && who.may(api, SESSIONS_READ, &session.target)
}

/// Asks that the caller may see, whenever one is made or changes. Whoever falls behind is told to list them anew.
pub(super) async fn asks(Shared(api): Shared<Api>, who: Caller) -> Sse<impl Stream<Item = Said>> {
    let heard = api.desk.hear();
    let stream = unfold((api, who, heard), |(api, who, mut heard)| async move {
        loop {
            let event = match heard.recv().await {
                Ok(id) => match api.desk.show(&|ask| who.sees(&api, ask, ASKS_READ), &id).await {
                    Ok(ask) => Event::default().event("ask").json_data(Shown::from(ask)).ok(),
                    Err(_) => None,
                },
                Err(RecvError::Lagged(_)) => said("behind", "list the asks anew").ok(),
                Err(RecvError::Closed) => return None,
            };
            if let Some(event) = event {
                return Some((Ok(event), (api, who, heard)));
            }
        }
    });
    Sse::new(stream).keep_alive(KeepAlive::new().interval(HEARTBEAT))
}

/// Where a reader of one session is.
struct Tail {
    archive: Arc<dyn Archive>,
    number: u64,
    after: u64,
    events: Option<Box<dyn Events>>,
    read: std::vec::IntoIter<Recorded>,
    ended: bool,
}

/// The events of one session, from where the reader says that it is.
pub(super) async fn events(
    Shared(api): Shared<Api>,
    who: Caller,
    Path(id): Path<String>,
    range: Result<Query<Range>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Said>>, Failure> {
    let Query(range) = range.map_err(|why| Failure::new(why.status(), "bad-query", why.body_text()))?;
    let session = found(&api, &who, &id).await?;
    // A browser that comes back says what it saw last.
    let last = headers.get("last-event-id").and_then(|seen| seen.to_str().ok()?.parse().ok());
    let after = last.unwrap_or(range.after);
    who.reads(&api, &session, after == 0, std::future::ready(Ok(()))).await?;
    let tail = Tail {
        archive: api.archive,
        number: session.number,
        after,
        events: None,
        read: Vec::new().into_iter(),
        ended: false,
    };
    let stream = unfold(Some(tail), |tail| async move {
        let mut tail = tail?;
        match tail.next().await {
            Ok(Some(recorded)) => {
                let id = recorded.seq.to_string();
                let event = Event::default().event("recorded").id(id).json_data(ShownEvent::new(recorded)).ok()?;
                Some((Ok(event), Some(tail)))
            }
            Ok(None) => Some((said("ended", "the recording is complete"), None)),
            Err(why) => Some((said("unreadable", &why), None)),
        }
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(HEARTBEAT)))
}

impl Tail {
    /// The next event; `None` at the end of a recording that is complete.
    async fn next(&mut self) -> Result<Option<Recorded>, String> {
        loop {
            if let Some(recorded) = self.read.next() {
                self.after = recorded.seq;
                return Ok(Some(recorded));
            }
            if self.ended {
                return Ok(None);
            }
            let (archive, number, after, events) =
                (Arc::clone(&self.archive), self.number, self.after, self.events.take());
            let reading = tokio::task::spawn_blocking(move || {
                // Looked at before it is read, so that nothing that comes meanwhile is missed.
                let mark = archive.mark(number);
                batch(&*archive, number, after, events).map(|batch| (mark, batch))
            });
            let (mark, (events, read)) = reading.await.map_err(|why| why.to_string())??;
            self.ended = read.is_empty() && events.is_complete();
            let wait = read.is_empty() && !self.ended;
            (self.events, self.read) = (Some(events), read.into_iter());
            if wait {
                self.until_there_is_more(mark).await?;
            }
        }
    }

    async fn until_there_is_more(&mut self, mark: [u64; 3]) -> Result<(), String> {
        let is_same = || {
            let (archive, number) = (Arc::clone(&self.archive), self.number);
            tokio::task::spawn_blocking(move || archive.mark(number) == mark)
        };
        while is_same().await.map_err(|why| why.to_string())? {
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }
}

type Batch = (Box<dyn Events>, Vec<Recorded>);

fn batch(archive: &dyn Archive, number: u64, after: u64, events: Option<Box<dyn Events>>) -> Result<Batch, String> {
    let mut events = match events {
        Some(mut events) => {
            events.again().map_err(|why| why.to_string())?;
            events
        }
        None => archive.open(number).map_err(|why| why.to_string())?,
    };
    let mut read = Vec::new();
    while read.len() < BATCH
        && let Some(recorded) = events.next()
    {
        let recorded = recorded.map_err(|why| why.to_string())?;
        if recorded.seq > after {
            read.push(recorded);
        }
    }
    Ok((events, read))
}
