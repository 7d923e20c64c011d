//! The control API's client: where it is, and as whom. The token comes from a file or the environment,
//! never from the command line, which others on the machine can read.

use std::path::Path;
use std::time::Duration;

use portcullis_control::api::Failure as Refused;
use reqwest::{Certificate, Method, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::args;
use crate::output::Failure;

const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(30);

/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 64 << 20;

/// The longest token, in bytes.
const MAX_TOKEN: u64 = 64 << 10;

/// Names the token.
const TOKEN: &str = "PORTCULLIS_TOKEN";

/// A client of one control API.
pub(crate) struct Client {
    http: reqwest::Client,
    base: Url,
    token: String,
}

impl Client {
    pub(crate) fn new(control: &args::Control) -> Result<Self, Failure> {
        let wrong = |why: String| Failure::Said(why);
        let base = Url::parse(control.control.trim_end_matches('/'))
            .map_err(|why| wrong(format!("`{}` is no URL of a control API: {why}", control.control)))?;
        if base.scheme() != "https" && !is_loopback(&base) {
            return Err(wrong(format!(
                "`{base}` is beyond this machine and not https: a token would be read on the way"
            )));
        }
        let mut http = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .timeout(ANSWER)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("portcullis/", env!("CARGO_PKG_VERSION")));
        if is_loopback(&base) {
            http = http.no_proxy();
        }
        if let Some(ca) = &control.ca {
            let pem = std::fs::read(ca).map_err(|why| wrong(format!("`{}` cannot be read: {why}", ca.display())))?;
            let trusted = Certificate::from_pem_bundle(&pem);
            let trusted = trusted.map_err(|why| wrong(format!("`{}` holds no certificates: {why}", ca.display())))?;
            http = http.tls_certs_only(trusted);
        }
        let http = http.build().map_err(|why| wrong(format!("the client cannot be set up: {why}")))?;
        Ok(Self { http, base, token: token(control.token_file.as_deref())? })
    }

    pub(crate) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.ask(Method::GET, path, None::<&()>)
    }

    pub(crate) fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Failure> {
        self.ask(Method::POST, path, Some(body))
    }

    fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<T, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(Failure::of)?.block_on(self.send(method, path, body))
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<T, Failure> {
        let url = format!("{}/v1/{path}", self.base.as_str().trim_end_matches('/'));
        let mut request = self.http.request(method, url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let unreachable = |why: reqwest::Error| {
            let mut said = format!("the control API at `{}` does not answer: {why}", self.base);
            let mut inner = std::error::Error::source(&why);
            while let Some(why) = inner {
                said = format!("{said}: {why}");
                inner = why.source();
            }
            Failure::Said(said)
        };
        let mut response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let mut answer = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(unreachable)? {
            answer.extend_from_slice(&piece);
            if answer.len() > MAX_ANSWER {
                return Err(Failure::Said(String::from("the control API answers with more than can be read")));
            }
        }
        if status.is_success() {
            return serde_json::from_slice(&answer)
                .map_err(|why| Failure::Said(format!("the control API answers with what is not understood: {why}")));
        }
        match serde_json::from_slice::<Refused>(&answer) {
            Ok(refused) => Err(Failure::Said(format!("{} ({})", refused.message, refused.code))),
            Err(_) => Err(Failure::Said(format!("the control API answers with status {status}"))),
        }
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn token(file: Option<&Path>) -> Result<String, Failure> {
    use std::io::Read;
    let token = match file {
        Some(file) => {
            let unreadable = |why| Failure::Said(format!("the token in `{}` cannot be read: {why}", file.display()));
            let mut token = String::new();
            let opened = std::fs::File::open(file).map_err(unreadable)?;
            opened.take(MAX_TOKEN).read_to_string(&mut token).map_err(unreadable)?;
            token
        }
        None => std::env::var(TOKEN).map_err(|_| {
            Failure::Said(format!("who are you? Put a token of your identity provider into `{TOKEN}`, or name its file with `--token-file`"))
        })?,
    };
    let token = token.trim();
    if token.is_empty() { Err(Failure::Said(String::from("the token is empty"))) } else { Ok(token.to_owned()) }
}
