//! A login by the browser of this machine: the authorization code flow with PKCE, which comes back to a
//! loopback port (RFC 8252 §7.3). One answer is taken, and only the one to what was asked.

use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::time::Duration;

use oauth2::{AuthUrl, AuthorizationCode, CsrfToken, PkceCodeChallenge, RedirectUrl};
use reqwest::Url;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::provider::refused;
use super::{Provider, Tokens};
use crate::output::{Failure, Output, Tone};
use crate::visible;

/// How long a human may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// How long a browser may take to say what it wants, and how many bytes.
const REQUEST: Duration = Duration::from_secs(5);
const MAX_REQUEST: usize = 16 << 10;

/// Requests that are no answer, such as for an icon, before it is given up.
const MAX_STRAY: usize = 100;

/// Sends a human to the provider's page, and waits for what comes back.
pub(crate) async fn log_in(provider: &Provider, output: &mut Output) -> Result<Tokens, Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(Failure::of)?;
    let port = listener.local_addr().map_err(Failure::of)?.port();
    let redirect = RedirectUrl::new(format!("http://127.0.0.1:{port}/callback")).map_err(Failure::of)?;
    let client =
        provider.client().set_auth_uri(AuthUrl::from_url(provider.authorization()?)).set_redirect_uri(redirect);
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let (url, state) =
        client.authorize_url(CsrfToken::new_random).add_scopes(provider.scopes()).set_pkce_challenge(challenge).url();
    output.line("Log in at this address; it opens in your browser, if there is one:\n")?;
    output.line(format_args!("  {}\n", output.toned(Tone::Strong, &url)))?;
    output.flush()?;
    open(&url);
    let waiting = tokio::time::timeout(PATIENCE, answer(&listener, port, &state)).await;
    let code = waiting.map_err(|_| Failure::Said(String::from("nobody logged in within five minutes")))??;
    drop(listener);
    let answer = client.exchange_code(code).set_pkce_verifier(verifier).request_async(provider.http()).await;
    provider.tokens(&answer.map_err(refused)?)
}

/// Opens a URL where there is a browser to be seen. Whether it opens is for the human to see.
fn open(url: &Url) {
    let (program, seen) = if cfg!(target_os = "macos") {
        ("open", true)
    } else {
        let screen = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        ("xdg-open", screen("DISPLAY") || screen("WAYLAND_DISPLAY"))
    };
    if seen {
        let mut browser = Command::new(program);
        browser.arg(url.as_str()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let _ = browser.spawn();
    }
}

/// What a browser came back with.
#[derive(Debug, PartialEq, Eq)]
enum Came {
    /// Something else: an icon, or what others sent.
    Stray,
    /// With a code.
    With(String),
    /// With a refusal.
    Refused(String),
}

async fn answer(listener: &TcpListener, port: u16, state: &CsrfToken) -> Result<AuthorizationCode, Failure> {
    for _ in 0..MAX_STRAY {
        let (mut stream, _) = listener.accept().await.map_err(Failure::of)?;
        let head = tokio::time::timeout(REQUEST, head(&mut stream)).await;
        let Ok(Ok(head)) = head else { continue };
        match came(&head, port, state.secret()) {
            Came::Stray => tell(&mut stream, "404 Not Found", "There is nothing here.").await,
            Came::With(code) => {
                tell(&mut stream, "200 OK", "You are logged in. You may close this window.").await;
                return Ok(AuthorizationCode::new(code));
            }
            Came::Refused(why) => {
                tell(&mut stream, "403 Forbidden", "You are not logged in. You may close this window.").await;
                return Err(Failure::Said(format!(
                    "the identity provider did not let you in: {}",
                    visible::line(&why)
                )));
            }
        }
    }
    Err(Failure::Said(String::from("too much came to the port that waited for your browser; try again")))
}

/// Reads a request's head.
async fn head(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if head.len() > MAX_REQUEST || stream.read_buf(&mut head).await? == 0 {
            return Err(std::io::ErrorKind::InvalidData.into());
        }
    }
    String::from_utf8(head).map_err(|_| std::io::ErrorKind::InvalidData.into())
}

/// Reads what a request says. Without the state that was sent along it is somebody else's.
fn came(head: &str, port: u16, state: &str) -> Came {
    let target = head.strip_prefix("GET ").and_then(|rest| rest.split(' ').next()).filter(|path| path.starts_with('/'));
    let url = target.and_then(|target| Url::parse(&format!("http://127.0.0.1:{port}{target}")).ok());
    let Some(url) = url.filter(|url| url.path() == "/callback") else { return Came::Stray };
    let said = |name: &str| {
        let mut values = url.query_pairs().filter(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        values.next().filter(|_| values.next().is_none())
    };
    if said("state").as_deref() != Some(state) {
        return Came::Stray;
    }
    match (said("error"), said("code")) {
        (Some(error), _) => {
            Came::Refused(said("error_description").map_or(error.clone(), |more| format!("{error} ({more})")))
        }
        (None, Some(code)) => Came::With(code),
        (None, None) => Came::Stray,
    }
}

async fn tell(stream: &mut TcpStream, status: &str, sentence: &str) {
    let page = format!("<!doctype html><meta charset=\"utf-8\"><title>Portcullis</title><p>{sentence}</p>\n");
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {}\r\ncache-control: no-store\r\n\
         content-security-policy: default-src 'none'\r\nreferrer-policy: no-referrer\r\nconnection: close\r\n\r\n{page}",
        page.len()
    );
    // A browser that is gone is told nothing.
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

#[cfg(test)]
mod tests {
    use super::{Came, came};

    #[test]
    fn only_the_answer_to_what_was_asked_is_taken() {
        let read = |target: &str| came(&format!("GET {target} HTTP/1.1\r\nhost: x\r\n\r\n"), 1, "right");
        assert_eq!(read("/callback?code=c%2B1&state=right&iss=x"), Came::With("c+1".into()));
        assert_eq!(
            read("/callback?error=access_denied&error_description=no&state=right"),
            Came::Refused("access_denied (no)".into())
        );
        for stray in [
            "/favicon.ico",
            "/callback",
            "/callback?code=c",
            "/callback?code=c&state=wrong",
            "/callback?code=c&state=right&state=wrong",
            "/callback?code=c&code=d&state=right",
            "/callback/x?code=c&state=right",
            "/callback?error=access_denied&state=wrong",
            "@evil.example/callback?code=c&state=right",
        ] {
            assert_eq!(read(stray), Came::Stray, "{stray}");
        }
        assert_eq!(came("POST /callback?code=c&state=right HTTP/1.1\r\n\r\n", 1, "right"), Came::Stray);
        assert_eq!(came("", 1, "right"), Came::Stray);
    }
}
