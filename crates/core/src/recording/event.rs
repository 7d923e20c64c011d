//! The events of a recording, in the form in which they are stored: one JSON object a line.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::identity::Identity;

/// One event. Operations are numbered from 1 within their session.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event<'a> {
    /// The session began.
    Opened {
        /// The session's id.
        session: Cow<'a, str>,
        /// The protocol's name.
        protocol: Cow<'a, str>,
        /// The target's configured name.
        target: Cow<'a, str>,
        /// The client's address.
        client: Cow<'a, str>,
        /// The application name that the client gave.
        application: Cow<'a, str>,
        /// Who it is.
        identity: Cow<'a, Identity>,
    },
    /// Something was asked.
    Operation {
        /// The operation's number.
        op: u64,
        /// The protocol's name for the message.
        kind: Cow<'a, str>,
        /// The exact bytes that say what was asked.
        statement: Text<'a>,
        /// How many values were bound.
        parameters: usize,
        /// Their types, as the protocol names them.
        #[serde(default, skip_serializing_if = "<[u32]>::is_empty")]
        types: Cow<'a, [u32]>,
        /// What it would do: an array of `{action, resource, facts}`.
        #[serde(borrow)]
        effects: Cow<'a, RawValue>,
    },
    /// It was decided.
    Decision {
        /// The operation's number.
        op: u64,
        /// `allow`, `ask-first` or `deny`.
        decision: Cow<'a, str>,
        /// The policies that decided.
        policies: Cow<'a, [String]>,
        /// Why.
        reason: Cow<'a, str>,
        /// The policy bundle's revision.
        revision: Cow<'a, str>,
    },
    /// Humans were asked.
    Asked {
        /// The operation's number.
        op: u64,
        /// The ask's id.
        ask: Cow<'a, str>,
    },
    /// They answered, or did not.
    Answered {
        /// The operation's number.
        op: u64,
        /// `approved`, `denied`, `expired`, `withdrawn` or `lost`.
        verdict: Cow<'a, str>,
        /// Who, or why.
        detail: Cow<'a, str>,
    },
    /// What the rows of a result are made of. A result that follows another in the same operation
    /// begins with its own.
    Columns {
        /// The operation's number.
        op: u64,
        /// From left to right.
        columns: Cow<'a, [Column]>,
    },
    /// Rows of a result, as its client got them. Only the first of a long result are recorded; the
    /// outcome says how many there were.
    Rows {
        /// The operation's number.
        op: u64,
        /// Each has one value for each column; `None` is NULL.
        rows: Vec<Vec<Option<Text<'a>>>>,
    },
    /// Bytes of a terminal or of a program's streams.
    Terminal {
        /// The operation's number.
        op: u64,
        /// Which way they went.
        stream: Stream,
        /// What the client got, or what it sent. What is typed while the terminal does not echo is
        /// never here.
        data: Text<'a>,
    },
    /// A terminal has this size from now on.
    Resize {
        /// The operation's number.
        op: u64,
        /// Characters in a line.
        columns: u32,
        /// Lines.
        rows: u32,
    },
    /// It is over.
    Outcome {
        /// The operation's number.
        op: u64,
        /// How it ended.
        status: Status,
        /// What the target said of it: a command tag, or an error's text, masked.
        message: Cow<'a, str>,
        /// The target's error code, where there is one.
        #[serde(default, skip_serializing_if = "str::is_empty")]
        code: Cow<'a, str>,
        /// Rows returned.
        rows: u64,
        /// Bytes returned to the client.
        bytes: u64,
        /// Microseconds from the decision to here.
        micros: u64,
        /// How many values were masked in what the client got and in `message`, by tag. A value
        /// with several tags counts under each.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        masked: BTreeMap<Cow<'a, str>, u64>,
    },
    /// Some events could not be recorded, and the target's configuration allows that.
    Gap {
        /// How many events are missing.
        events: u64,
        /// Why.
        reason: Cow<'a, str>,
    },
    /// The process that wrote this recording died; what follows the last checkpoint was recovered.
    Recovered {
        /// Bytes at the end that were not a whole event.
        torn: u64,
    },
    /// The session ended.
    Closed {
        /// Why, in words.
        reason: Cow<'a, str>,
        /// How many operations there were.
        operations: u64,
    },
}

/// A column of a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name, as the client was told.
    pub name: String,
    /// The protocol's name or number for its type.
    pub kind: String,
}

/// One of a program's streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// From the client.
    Input,
    /// To the client.
    Output,
    /// To the client, as errors.
    Error,
}

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The target did it.
    Completed,
    /// The target answered with an error.
    Failed,
    /// The gate did not let it pass.
    Refused,
    /// The session ended before the target answered.
    Aborted,
}

/// Bytes that are usually text: stored as a JSON string where they are UTF-8, else as
/// `{"base64": "…"}`. Nothing is lost either way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text<'a>(pub Cow<'a, [u8]>);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Stored<'a> {
    Plain(Cow<'a, str>),
    Encoded { base64: Cow<'a, str> },
}

impl Serialize for Text<'_> {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => to.serialize_str(text),
            Err(_) => Stored::Encoded { base64: STANDARD.encode(&self.0).into() }.serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for Text<'_> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match Stored::deserialize(from)? {
            Stored::Plain(text) => Ok(Self(Cow::Owned(text.into_owned().into_bytes()))),
            Stored::Encoded { base64 } => {
                let bytes = STANDARD.decode(base64.as_bytes()).map_err(serde::de::Error::custom)?;
                Ok(Self(Cow::Owned(bytes)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Text;

    fn round_trip(bytes: &[u8]) -> String {
        let stored = serde_json::to_string(&Text(bytes.into())).unwrap();
        let back: Text<'_> = serde_json::from_str(&stored).unwrap();
        assert_eq!(&*back.0, bytes);
        stored
    }

    #[test]
    fn text_is_stored_as_text_and_other_bytes_lose_nothing() {
        assert_eq!(round_trip(b"select 1"), r#""select 1""#);
        assert_eq!(round_trip(&[0xff, 0x00]), r#"{"base64":"/wA="}"#);
    }
}
