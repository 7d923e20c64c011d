//! A target that speaks just enough of the wire protocol: it lets everybody in, answers SELECT with
//! a row and everything else with a tag, and fails what is no SQL, as PostgreSQL would.

use portcullis_core::stream::BoxStream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::scripted_client::frame;

/// Bytes of the value that `SELECT huge` answers: more than any buffer on the way holds.
pub(crate) const HUGE: usize = 8 << 20;

/// Serves one connection until it ends.
pub(crate) async fn serve(mut stream: BoxStream) {
    // The client's leaving is how every connection ends.
    let _ = conversation(&mut stream).await;
}

async fn conversation(stream: &mut BoxStream) -> std::io::Result<()> {
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
    let (mut skipping, mut text) = (false, String::new());
    loop {
        let tag = stream.read_u8().await?;
        let length = stream.read_u32().await?;
        let mut body = vec![0; length as usize - 4];
        stream.read_exact(&mut body).await?;
        let strings: Vec<String> =
            body.split(|byte| *byte == 0).map(|part| String::from_utf8_lossy(part).into_owned()).collect();
        if skipping && tag != b'S' {
            continue;
        }
        let reply = match tag {
            b'Q' => [run(stream, &strings[0], true).await?, frame(b'Z', b"I")].concat(),
            b'P' if is_sql(&strings[1]) => {
                text.clone_from(&strings[1]);
                frame(b'1', b"")
            }
            b'P' => {
                skipping = true;
                syntax_error()
            }
            b'B' => frame(b'2', b""),
            b'D' => frame(b'n', b""),
            b'C' => frame(b'3', b""),
            b'E' => run(stream, &text, false).await?,
            b'S' => {
                skipping = false;
                frame(b'Z', b"I")
            }
            b'X' => return Ok(()),
            _ => vec![],
        };
        stream.write_all(&reply).await?;
    }
}

fn is_sql(text: &str) -> bool {
    let first = text.split_whitespace().next().unwrap_or_default();
    ["SELECT", "DROP", "FETCH"].contains(&first)
}

fn syntax_error() -> Vec<u8> {
    frame(b'E', b"SERROR\0VERROR\0C42601\0Msyntax error\0P1\0\0")
}

async fn run(stream: &mut BoxStream, text: &str, describe: bool) -> std::io::Result<Vec<u8>> {
    if !is_sql(text) {
        return Ok(syntax_error());
    }
    if !text.starts_with("SELECT") {
        return Ok(frame(b'C', b"DROP TABLE\0"));
    }
    let mut reply = Vec::new();
    if describe {
        reply.extend(frame(b'T', b"\0\x01name\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0"));
    }
    let row = |value: &str| {
        let length = u32::try_from(value.len()).expect("a short value");
        frame(b'D', &[&[0, 1][..], &length.to_be_bytes(), value.as_bytes()].concat())
    };
    if let Some(trick) = trick(text) {
        stream.write_all(&[reply, trick].concat()).await?;
        stream.flush().await?;
        return Err(std::io::ErrorKind::ConnectionReset.into());
    }
    if text.contains("huge") {
        reply.extend(row(&"x".repeat(HUGE)));
    } else if text.contains("current_schemas") {
        reply.extend(row("public"));
    } else if text.contains("pg_class") {
        reply.extend(frame(b'D', b"\0\x02\0\0\0\x06people\0\0\0\x06public"));
    } else if text.contains("endless") {
        loop {
            reply.extend(row("again and again"));
            stream.write_all(&reply).await?;
            reply.clear();
            tokio::task::yield_now().await;
        }
    } else {
        reply.extend(row("Ann"));
    }
    reply.extend(frame(b'C', b"SELECT 1\0"));
    Ok(reply)
}

/// What a hostile target sends, by the name in the statement.
fn trick(text: &str) -> Option<Vec<u8>> {
    let done = [frame(b'C', b"SELECT 0\0"), frame(b'Z', b"I")].concat();
    Some(match text.split("trick_").nth(1)? {
        "unasked_rows" => [done, frame(b'D', b"\0\x01\0\0\0\x07unasked")].concat(),
        "absurd_length" => [&b"D\xff\xff\xff\xff"[..], b"absurd"].concat(),
        "short_length" => b"C\0\0\0\x02".to_vec(),
        "unknown_type" => frame(b'~', b"unknown type"),
        "copy_both" => frame(b'W', b"\0\0\0"),
        "more_columns" => [frame(b'D', b"\0\x02\0\0\0\x03one\0\0\0\x0fada@example.com"), done].concat(),
        "fewer_columns" => [frame(b'D', b"\0\0"), done].concat(),
        "longer_value" => [frame(b'D', b"\0\x01\0\0\0\x7fada@example.com"), done].concat(),
        "ready_twice" => [done, frame(b'Z', b"I")].concat(),
        // A number of three bytes, in binary, and a text that is none.
        "odd_values" => {
            let columns = b"\0\x02n\0\0\0\0\0\0\0\0\0\0\x14\0\x08\xff\xff\xff\xff\0\x01t\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0";
            let row = b"\0\x02\0\0\0\x03\x01\x02\x03\0\0\0\x13\xff\xfeada@example.com\xff\xfe";
            [frame(b'T', columns), frame(b'D', row), done].concat()
        }
        // Half a row, and then the end.
        _ => b"D\0\0\0\xff\0\x01half".to_vec(),
    })
}
