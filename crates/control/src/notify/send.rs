//! One request to a receiver. Nothing of what it answers is read but the status, no redirect is followed, and
//! no address of it stands in an error, for that can be a secret.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::redirect::Policy;
use reqwest::{Client, Url, header};

use super::{Receiver, ReceiverError, message};
use crate::store::Delivery;

const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(10);

/// Sends requests.
pub(super) struct Sender {
    /// To this machine, whatever proxy there is.
    near: Client,
    /// To all others.
    far: Client,
}

/// Why a receiver was not told.
#[derive(Debug, thiserror::Error)]
pub(super) enum SendError {
    #[error(transparent)]
    Receiver(#[from] ReceiverError),
    #[error("what waits for it cannot be read: {0}")]
    Body(#[from] serde_json::Error),
    #[error("it cannot be reached: {0}")]
    Http(String),
    #[error("it answers with status {0}")]
    Status(u16),
}

impl Sender {
    pub(super) fn new() -> Result<Self, ReceiverError> {
        let localhost = [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)];
        let client = || {
            Client::builder()
                // A redirect could lead from https to anywhere.
                .redirect(Policy::none())
                .connect_timeout(CONNECT)
                .timeout(ANSWER)
                .pool_max_idle_per_host(0)
                .resolve_to_addrs("localhost", &localhost.map(|address| SocketAddr::new(address, 0)))
                .user_agent(concat!("portcullis/", env!("CARGO_PKG_VERSION")))
        };
        let made = |client: reqwest::ClientBuilder| client.build().map_err(|why| ReceiverError::Client(said(why)));
        Ok(Self { near: made(client().no_proxy())?, far: made(client())? })
    }

    /// Tells a receiver, at this time.
    pub(super) async fn send(
        &self,
        receiver: &Receiver,
        delivery: &Delivery,
        now: SystemTime,
    ) -> Result<(), SendError> {
        let url = receiver.url()?;
        let client = if is_loopback(&url) { &self.near } else { &self.far };
        let request = client.post(url).header(header::CONTENT_TYPE, "application/json");
        let request = match receiver.key()? {
            Some(key) => {
                let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
                request
                    .header("webhook-id", &delivery.id)
                    .header("webhook-timestamp", seconds)
                    .header("webhook-signature", key.sign(&delivery.id, seconds, &delivery.body))
                    .body(delivery.body.clone())
            }
            None => request.body(message::slack(&delivery.body)?),
        };
        let status = request.send().await.map_err(|why| SendError::Http(said(why)))?.status();
        if status.is_success() { Ok(()) } else { Err(SendError::Status(status.as_u16())) }
    }
}

/// Where a receiver is, if something may be sent there.
pub(super) fn destination(url: &str) -> Result<Url, &'static str> {
    let url = Url::parse(url.trim()).map_err(|_| "`url` is no URL")?;
    if url.scheme() == "https" && url.has_host() || is_loopback(&url) {
        Ok(url)
    } else {
        Err("`url` begins with `https://`, for what is told there is not for everybody on the way")
    }
}

/// Whether this is http to this very machine.
fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    url.scheme() == "http" && (host == "localhost" || address.is_ok_and(|address| address.is_loopback()))
}

/// An error with its causes and without the URL.
fn said(why: reqwest::Error) -> String {
    let why = why.without_url();
    let mut text = why.to_string();
    let mut cause = std::error::Error::source(&why);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::destination;

    #[test]
    fn nothing_is_told_in_clear_text_beyond_this_machine() {
        for good in
            ["https://hooks.example.com/T0/B0/x", "http://127.0.0.1:8080/x", "http://localhost/", "http://[::1]/"]
        {
            assert!(destination(good).is_ok(), "{good}");
        }
        for bad in ["http://hooks.example.com/", "http://localhost.example.com/", "ftp://127.0.0.1/", "hooks", ""] {
            let why = destination(bad).unwrap_err();
            assert!(bad.is_empty() || !why.contains(bad), "{bad}");
        }
    }
}
