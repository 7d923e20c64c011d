//! The control API's client: where it is, and as whom. The token comes from a file, the environment or a
//! login, never from the command line, which others on the machine can read.

use std::time::Duration;

use portcullis_control::api::Failure as Refused;
use portcullis_control::tunnel;
use portcullis_core::secret::Secret;
use reqwest::{Certificate, Method, StatusCode, Upgraded, Url, header};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::args;
use crate::events::Events;
use crate::login::{Credential, Store};
use crate::output::Failure;

const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(30);

/// How long one stream of events is followed before it is asked for anew, with a fresh token.
const FOLLOWED: Duration = Duration::from_secs(600);

/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 64 << 20;

/// A client of one control API.
pub(crate) struct Client {
    plane: Plane,
    credential: Credential,
}

/// One control API, whoever asks.
pub(crate) struct Plane {
    http: reqwest::Client,
    base: Url,
}

impl Client {
    pub(crate) fn new(control: &args::Control) -> Result<Self, Failure> {
        let plane = Plane::new(&control.plane)?;
        let credential = Credential::find(control.token_file.as_deref(), plane.store()?)?;
        Ok(Self { plane, credential })
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
        wait(async {
            let token = self.credential.token().await?;
            self.plane.ask(method, path, Some(&token), body).await
        })
    }

    /// As [`get`](Self::get), where others wait as well.
    pub(crate) async fn read<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        let token = self.credential.token().await?;
        self.plane.ask(Method::GET, path, Some(&token), None::<&()>).await
    }

    /// Follows what changes.
    pub(crate) async fn follow(&self, path: &str) -> Result<Events, Failure> {
        let token = self.credential.token().await?;
        let url = format!("{}/v1/{path}", self.plane.base.as_str().trim_end_matches('/'));
        let request = self.plane.http.get(url).bearer_auth(token.expose()).timeout(FOLLOWED);
        let response = request.send().await.map_err(|why| self.plane.unreachable(&why))?;
        if response.status().is_success() { Ok(Events::new(response)) } else { Err(self.plane.refusal(response).await) }
    }

    /// Whether there is such a target for whoever asks, without opening a tunnel to it.
    pub(crate) async fn knock(&self, target: &str) -> Result<(), Failure> {
        let token = self.credential.token().await?;
        let request = self.plane.http.get(self.plane.tunnel(target)?).bearer_auth(token.expose());
        let response = request.send().await.map_err(|why| self.plane.unreachable(&why))?;
        // It would be one, if one were asked for.
        if response.status() == StatusCode::UPGRADE_REQUIRED { Ok(()) } else { Err(self.plane.refusal(response).await) }
    }

    /// Opens a tunnel to a target: from here on its bytes are the target's.
    pub(crate) async fn tunnel(&self, target: &str) -> Result<Upgraded, Failure> {
        let token = self.credential.token().await?;
        let request = self.plane.http.get(self.plane.tunnel(target)?).bearer_auth(token.expose());
        let request = request.header(header::CONNECTION, "upgrade").header(header::UPGRADE, tunnel::PROTOCOL);
        let response = request.send().await.map_err(|why| self.plane.unreachable(&why))?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(self.plane.refusal(response).await);
        }
        response.upgrade().await.map_err(|why| self.plane.unreachable(&why))
    }
}

impl Plane {
    pub(crate) fn new(plane: &args::Plane) -> Result<Self, Failure> {
        let wrong = |why: String| Failure::Said(why);
        let base = Url::parse(plane.control.trim_end_matches('/'))
            .map_err(|why| wrong(format!("`{}` is no URL of a control API: {why}", plane.control)))?;
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
        if let Some(ca) = &plane.ca {
            let pem = std::fs::read(ca).map_err(|why| wrong(format!("`{}` cannot be read: {why}", ca.display())))?;
            let trusted = Certificate::from_pem_bundle(&pem);
            let trusted = trusted.map_err(|why| wrong(format!("`{}` holds no certificates: {why}", ca.display())))?;
            http = http.tls_certs_only(trusted);
        }
        let http = http.build().map_err(|why| wrong(format!("the client cannot be set up: {why}")))?;
        Ok(Self { http, base })
    }

    /// Where a login for it is kept.
    pub(crate) fn store(&self) -> Result<Store, Failure> {
        Store::of(&self.base)
    }

    /// Asks as whom the token names, or as nobody.
    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        token: Option<&Secret<String>>,
        body: Option<&impl Serialize>,
    ) -> Result<T, Failure> {
        let url = format!("{}/v1/{path}", self.base.as_str().trim_end_matches('/'));
        let mut request = self.http.request(method, url);
        if let Some(token) = token {
            request = request.bearer_auth(token.expose());
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(|why| self.unreachable(&why))?;
        if !response.status().is_success() {
            return Err(self.refusal(response).await);
        }
        let answer = self.whole(response).await?;
        serde_json::from_slice(&answer)
            .map_err(|why| Failure::Said(format!("the control API answers with what is not understood: {why}")))
    }

    async fn refusal(&self, response: reqwest::Response) -> Failure {
        let status = response.status();
        let answer = match self.whole(response).await {
            Ok(answer) => answer,
            Err(why) => return why,
        };
        match serde_json::from_slice::<Refused>(&answer) {
            Ok(refused) => Failure::Said(format!("{} ({})", refused.message, refused.code)),
            Err(_) => Failure::Said(format!("the control API answers with status {status}")),
        }
    }

    async fn whole(&self, mut response: reqwest::Response) -> Result<Vec<u8>, Failure> {
        let mut answer = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|why| self.unreachable(&why))? {
            answer.extend_from_slice(&piece);
            if answer.len() > MAX_ANSWER {
                return Err(Failure::Said(String::from("the control API answers with more than can be read")));
            }
        }
        Ok(answer)
    }

    fn tunnel(&self, target: &str) -> Result<Url, Failure> {
        let mut url = self.base.clone();
        let no_path = |()| Failure::Said(format!("`{}` is no URL of a control API", self.base));
        url.path_segments_mut().map_err(no_path)?.pop_if_empty().extend(["v1", "tunnel", target]);
        Ok(url)
    }

    fn unreachable(&self, why: &reqwest::Error) -> Failure {
        Failure::Said(format!("the control API at `{}` does not answer: {}", self.base, because(why)))
    }
}

/// Runs something to its end, in a command that does one thing after another.
pub(crate) fn wait<T>(doing: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(Failure::of)?.block_on(doing)
}

/// An error with its causes.
pub(crate) fn because(why: &reqwest::Error) -> String {
    let mut said = why.to_string();
    let mut inner = std::error::Error::source(why);
    while let Some(why) = inner {
        said = format!("{said}: {why}");
        inner = why.source();
    }
    said
}

pub(crate) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
