//! Reading recordings: that somebody does is in the audit before they get any of it. Here is also how one is
//! taken away.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State as Shared};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use futures::Stream;
use futures::stream::unfold;
use serde::Deserialize;

use super::audit::Doing;
use super::caller::Caller;
use super::sessions::{found, unreadable};
use super::{Api, Failure};
use crate::archive::{ArchiveError, Form, FormError, Pieces};
use crate::index::Session;
use crate::vocabulary::RECORDINGS_READ;

/// Whoever reads on in a recording within this time is the reader that the audit knows already.
const READS_ON: Duration = Duration::from_secs(3600);

/// The most readers that are remembered. Beyond, they are all forgotten, and written down again.
const MAX_READERS: usize = 10_000;

/// Who is known to read which recording: a recording is read a page at a time, and one entry for all pages
/// says more than one for each.
#[derive(Debug, Default)]
pub struct Readers(Mutex<HashMap<Reading, Instant>>);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Reading {
    issuer: String,
    subject: String,
    session: u64,
}

impl Readers {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Reading, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn knows(&self, reading: &Reading) -> bool {
        self.lock().get(reading).is_some_and(|since| since.elapsed() < READS_ON)
    }

    fn know(&self, reading: Reading) {
        let mut known = self.lock();
        if known.len() >= MAX_READERS {
            known.clear();
        }
        known.insert(reading, Instant::now());
    }
}

impl Caller {
    /// Reads something of a recording, once it is written down that they do. Whoever begins elsewhere than
    /// at the beginning is written down too, unless they are known to read on.
    pub(super) async fn reads<T>(
        &self,
        api: &Api,
        session: &Session,
        from_beginning: bool,
        deed: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let (issuer, subject) = (self.identity.issuer.clone(), self.identity.subject.clone());
        let reading = Reading { issuer, subject, session: session.number };
        if !from_beginning && api.readers.knows(&reading) {
            return deed.await;
        }
        let read = self.does(api, read(api, self, session, String::from("events")), deed).await?;
        api.readers.know(reading);
        Ok(read)
    }
}

fn read<'a>(api: &Api, who: &Caller, session: &'a Session, detail: String) -> Doing<'a> {
    Doing {
        action: RECORDINGS_READ,
        target: &session.target,
        what: format!("session {}", session.id),
        detail,
        by: who.warrant(api, RECORDINGS_READ, &session.target),
    }
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    #[serde(default)]
    #[param(inline)]
    format: Form,
    op: Option<u64>,
}

/// A whole recording, to be kept.
pub(super) async fn take(
    Shared(api): Shared<Api>,
    who: Caller,
    Path(id): Path<String>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Response, Failure> {
    let Query(Wanted { format, op }) =
        wanted.map_err(|why| Failure::new(why.status(), "bad-query", why.body_text()))?;
    let session = found(&api, &who, &id).await?;
    let number = session.number;
    let archive = std::sync::Arc::clone(&api.archive);
    let opening = async {
        let opened = tokio::task::spawn_blocking(move || archive.take(number, format, op)).await;
        opened.map_err(|why| unreadable(&ArchiveError(why.to_string())))?.map_err(Failure::from)
    };
    let detail = op.map_or_else(|| format.word().to_owned(), |op| format!("{} of operation {op}", format.word()));
    let pieces = who.does(&api, read(&api, &who, &session, detail), opening).await?;
    let (kind, ending) = content(format);
    let name = format!("attachment; filename=\"{}.{ending}\"", harmless(&session.id));
    let disposition = HeaderValue::try_from(name).unwrap_or(HeaderValue::from_static("attachment"));
    let mut response = Response::new(Body::from_stream(streamed(pieces)));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(header::CONTENT_DISPOSITION, disposition);
    Ok(response)
}

/// The media type of a form, and how the name of its file ends.
const fn content(form: Form) -> (&'static str, &'static str) {
    match form {
        Form::Sealed => ("application/octet-stream", "rec"),
        Form::Jsonl => ("application/jsonl; charset=utf-8", "jsonl"),
        Form::Asciicast | Form::AsciicastV3 => ("application/x-asciicast", "cast"),
        Form::Ocsf => ("application/jsonl; charset=utf-8", "ocsf.jsonl"),
    }
}

/// A session's id as part of a file's name: what any file system takes, and no header is ended by.
fn harmless(id: &str) -> String {
    let sign = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '_' };
    id.chars().take(100).map(sign).collect()
}

/// Pieces as their reader takes them, each read on a thread for that. An error cuts the answer short, so that
/// nobody takes a part for the whole.
fn streamed(pieces: Pieces) -> impl Stream<Item = Result<Vec<u8>, ArchiveError>> {
    unfold(Some(pieces), |pieces| async move {
        let mut pieces = pieces?;
        let read = tokio::task::spawn_blocking(move || (pieces.next(), pieces)).await;
        match read {
            Ok((Some(Ok(piece)), pieces)) => Some((Ok(piece), Some(pieces))),
            Ok((Some(Err(why)), _)) => {
                tracing::error!(error = %why, "a recording that is taken away cannot be read on");
                Some((Err(why), None))
            }
            Ok((None, _)) => None,
            Err(why) => Some((Err(ArchiveError(why.to_string())), None)),
        }
    })
}

impl From<FormError> for Failure {
    fn from(why: FormError) -> Self {
        match why {
            FormError::Unreadable(why) => unreadable(&why),
            FormError::NoTerminal(why) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "no-terminal", why),
            FormError::NotSealed => Self::new(StatusCode::CONFLICT, "not-sealed", why.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_of_a_file_holds_nothing_but_signs_of_ids() {
        assert_eq!(harmless("eu-1-0000000017"), "eu-1-0000000017");
        assert_eq!(harmless("../\"\r\nx: y\0ü"), "______x__y__");
        assert_eq!(harmless(&"x".repeat(500)).len(), 100);
    }

    #[test]
    fn readers_are_bounded() {
        let readers = Readers::default();
        let reading = |session| Reading { issuer: "i".into(), subject: "s".into(), session };
        for session in 0..=MAX_READERS as u64 {
            readers.know(reading(session));
        }
        assert_eq!(readers.lock().len(), 1);
        assert!(readers.knows(&reading(MAX_READERS as u64)) && !readers.knows(&reading(1)));
    }
}
