//! Server-sent events as the control API sends them (HTML Living Standard, "Server-sent events"): a name and
//! JSON. A stream that is cut is over here; whoever reads it asks anew.

use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::output::Failure;

/// The longest event, in bytes.
const MAX_EVENT: usize = 64 << 20;

/// A stream that says nothing for so long is dead: the API says something every 15 seconds.
const SILENCE: Duration = Duration::from_secs(60);

/// A stream of events.
pub(crate) struct Events {
    response: reqwest::Response,
    unread: Unread,
}

/// One event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) name: String,
    data: Vec<u8>,
}

impl Event {
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(&self.data)
            .map_err(|why| Failure::Said(format!("the control API says what is not understood: {why}")))
    }
}

impl Events {
    pub(crate) fn new(response: reqwest::Response) -> Self {
        Self { response, unread: Unread::default() }
    }

    /// The next event; `None` once the stream is over, however it ended.
    pub(crate) async fn next(&mut self) -> Result<Option<Event>, Failure> {
        loop {
            if let Some(event) = self.unread.event() {
                return Ok(Some(event));
            }
            match tokio::time::timeout(SILENCE, self.response.chunk()).await {
                Ok(Ok(Some(bytes))) => self.unread.add(&bytes)?,
                Ok(Ok(None) | Err(_)) | Err(_) => return Ok(None),
            }
        }
    }
}

/// What has come and is no whole event yet.
#[derive(Default)]
struct Unread {
    bytes: Vec<u8>,
    /// So many of them are known to hold no end of an event.
    looked: usize,
}

impl Unread {
    fn add(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if self.bytes.len().saturating_add(bytes.len()) > MAX_EVENT {
            return Err(Failure::Said(String::from("the control API sends an event that is longer than can be read")));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// The first whole event; what has no data, such as a sign of life, is none.
    fn event(&mut self) -> Option<Event> {
        loop {
            let unseen = self.bytes.get(self.looked..)?;
            let Some(end) = unseen.windows(2).position(|two| two == b"\n\n") else {
                self.looked = self.bytes.len().saturating_sub(1);
                return None;
            };
            let whole: Vec<u8> = self.bytes.drain(..self.looked + end + 2).collect();
            self.looked = 0;
            if let Some(event) = parse(&whole) {
                return Some(event);
            }
        }
    }
}

fn parse(whole: &[u8]) -> Option<Event> {
    let (mut name, mut data) = (String::from("message"), Vec::new());
    for line in whole.split(|byte| *byte == b'\n') {
        let value = |field: &[u8]| line.strip_prefix(field).map(|value| value.strip_prefix(b" ").unwrap_or(value));
        if let Some(value) = value(b"event:") {
            name = String::from_utf8_lossy(value).into_owned();
        } else if let Some(value) = value(b"data:") {
            if !data.is_empty() {
                data.push(b'\n');
            }
            data.extend_from_slice(value);
        }
    }
    (!data.is_empty()).then_some(Event { name, data })
}

#[cfg(test)]
mod tests {
    use super::Unread;

    fn read(pieces: &[&str]) -> Vec<(String, String)> {
        let mut unread = Unread::default();
        let mut read = Vec::new();
        for piece in pieces {
            unread.add(piece.as_bytes()).unwrap();
            while let Some(event) = unread.event() {
                read.push((event.name, String::from_utf8(event.data).unwrap()));
            }
        }
        read
    }

    #[test]
    fn events_are_read_however_they_are_cut() {
        let whole = ":\n\nevent: ask\ndata: {\"a\":1}\n\n: alive\n\nevent:session\nid: 7\ndata: one\ndata: two\n\ndata: last\n\n";
        let expected: Vec<_> = [("ask", "{\"a\":1}"), ("session", "one\ntwo"), ("message", "last")]
            .map(|(name, data)| (name.to_owned(), data.to_owned()))
            .into();
        assert_eq!(read(&[whole]), expected);
        for at in 1..whole.len() {
            let (one, other) = whole.split_at(at);
            assert_eq!(read(&[one, other]), expected, "cut at {at}");
        }
        let bytes: Vec<_> = whole.split_inclusive(|_| true).collect();
        assert_eq!(read(&bytes), expected);
        assert_eq!(read(&["event: ask\ndata: not whole\n"]), []);
    }
}
