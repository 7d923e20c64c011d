//! The target of a session in memory: it lets everybody in, checks that what comes is allowed to
//! come, and answers as it should, or with anything at all.

use std::io;

use portcullis_core::stream::BoxStream;
use portcullis_postgres::wire::body::Body;
use portcullis_sql::postgres::{Analyzer, Settings};
use portcullis_sql::vocabulary;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::frame;

/// What may come from the gate after its login.
const TAGS: &[u8] = b"QPBDECHSXdcf";

/// How a target behaves.
#[derive(Clone)]
pub(crate) enum Script {
    /// As PostgreSQL would.
    Obedient,
    /// It answers the first message with this, and leaves.
    Says(Vec<u8>),
}

/// Serves one connection until it ends.
pub(crate) async fn serve(mut stream: BoxStream, script: Script) {
    // The gate's leaving is how every connection ends.
    let _ = conversation(&mut stream, script).await;
}

async fn conversation(stream: &mut BoxStream, script: Script) -> io::Result<()> {
    let length = stream.read_u32().await?;
    let mut startup = vec![0; length as usize - 4];
    stream.read_exact(&mut startup).await?;
    let greeting = [
        frame(b'R', &[0, 0, 0, 0]),
        frame(b'S', b"server_encoding\0UTF8\0"),
        frame(b'S', b"client_encoding\0UTF8\0"),
        frame(b'S', b"standard_conforming_strings\0on\0"),
        frame(b'K', &[0, 0, 0, 7, 1, 2, 3, 4]),
        frame(b'Z', b"I"),
    ];
    stream.write_all(&greeting.concat()).await?;
    let own = startup.windows(10).any(|part| part == b"portcullis");
    let mut session = Session::default();
    loop {
        let (tag, body) = message(stream).await?;
        let reply = match &script {
            Script::Says(bytes) if !own && !is_question(&body) => return stream.write_all(bytes).await,
            Script::Says(_) | Script::Obedient => session.reply(tag, &body),
        };
        stream.write_all(&reply).await?;
        if tag == b'X' {
            return Ok(());
        }
    }
}

async fn message(stream: &mut BoxStream) -> io::Result<(u8, Vec<u8>)> {
    let tag = stream.read_u8().await?;
    assert!(TAGS.contains(&tag), "a message of type {tag} was relayed");
    let length = stream.read_u32().await?;
    let mut body = vec![0; (length as usize).checked_sub(4).expect("no length is shorter than itself")];
    stream.read_exact(&mut body).await?;
    Ok((tag, body))
}

/// What the gate itself asks on a client's connection.
fn is_question(body: &[u8]) -> bool {
    body.windows(15).any(|part| part == b"current_schemas")
}

#[derive(Default)]
struct Session {
    text: Vec<u8>,
    skipping: bool,
    /// COPY runs, and began with a simple query.
    copying: Option<bool>,
}

impl Session {
    fn reply(&mut self, tag: u8, body: &[u8]) -> Vec<u8> {
        let mut strings = Body::new(tag, body);
        if self.skipping && tag != b'S' {
            return Vec::new();
        }
        match tag {
            b'Q' => {
                let text = strings.string().expect("a query is a string");
                strings.end().expect("a query is one string");
                check(text);
                self.run(text, true)
            }
            b'P' => {
                strings.string().expect("a Parse has a name");
                let text = strings.string().expect("a Parse has a text");
                check(text);
                self.text = text.to_vec();
                if is_sql(text) { frame(b'1', b"") } else { self.fail() }
            }
            b'B' => frame(b'2', b""),
            b'D' => frame(b'n', b""),
            b'C' => frame(b'3', b""),
            b'E' => self.run(&self.text.clone(), false),
            b'S' if self.copying.is_none() => {
                self.skipping = false;
                frame(b'Z', b"I")
            }
            b'c' | b'f' => match self.copying.take() {
                Some(simple) => [frame(b'C', b"COPY 1\0"), ready(simple)].concat(),
                None => Vec::new(),
            },
            _ => Vec::new(),
        }
    }

    fn run(&mut self, text: &[u8], simple: bool) -> Vec<u8> {
        let word = text.split(u8::is_ascii_whitespace).find(|word| !word.is_empty()).unwrap_or_default();
        if !is_sql(text) {
            let failed = self.fail();
            self.skipping = !simple;
            return [failed, ready(simple)].concat();
        }
        if word.eq_ignore_ascii_case(b"copy") {
            self.copying = Some(simple);
            return frame(b'G', &[0, 0, 0]);
        }
        let names = frame(b'T', b"\0\x01name\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0");
        let row = match text.windows(8).any(|part| part == b"pg_class") {
            true => frame(b'D', b"\0\x02\0\0\0\x06people\0\0\0\x06public"),
            false => frame(b'D', b"\0\x01\0\0\0\x06public"),
        };
        [if simple { names } else { Vec::new() }, row, frame(b'C', b"SELECT 1\0"), ready(simple)].concat()
    }

    fn fail(&mut self) -> Vec<u8> {
        self.skipping = true;
        frame(b'E', b"SERROR\0VERROR\0C42601\0Msyntax error\0P1\0\0")
    }
}

fn ready(simple: bool) -> Vec<u8> {
    if simple { frame(b'Z', b"I") } else { Vec::new() }
}

/// All that this target takes for SQL.
fn is_sql(text: &[u8]) -> bool {
    let first = text.split(u8::is_ascii_whitespace).find(|word| !word.is_empty()).unwrap_or_default();
    [&b"select"[..], b"copy", b"fetch", b"execute", b"prepare", b"set"]
        .iter()
        .any(|word| first.eq_ignore_ascii_case(word))
}

/// What policy denies must not be here.
fn check(text: &[u8]) {
    let analysis = Analyzer::new(0).analyse(text, Settings::default());
    let effects = analysis.statements.iter().flat_map(|statement| &statement.effects);
    for effect in effects {
        assert_ne!(effect.action, vocabulary::DROP, "a denied statement reached the target");
    }
}
