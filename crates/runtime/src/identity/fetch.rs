//! Asks an issuer for its discovery document and its keys, and trusts neither further than it must.
//!
//! It does not decide when to ask, and does not understand keys.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use oauth2::{HttpRequest, HttpResponse};
use reqwest::header::{CACHE_CONTROL, HeaderMap};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, Url};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde::Deserialize;

use super::algorithm::Algorithm;
use super::config::{OidcConfig, OidcError};
use super::keys::Published;

/// The longest document that an issuer may send.
pub(super) const MAX_BODY: usize = 1024 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(8);
const SHORTEST_LIFETIME: Duration = Duration::from_secs(5 * 60);
const USUAL_LIFETIME: Duration = Duration::from_secs(3600);
/// The longest time for which keys are fresh, whatever the issuer says.
pub(super) const LONGEST_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// Asks one issuer.
pub(super) struct Fetcher {
    client: Client,
    issuer: String,
    loopback: bool,
}

/// Why an issuer's documents could not be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("the issuer's {what} cannot be fetched: {why}")]
    Http { what: &'static str, why: String },
    #[error("the issuer's {what} was answered with status {status}")]
    Status { what: &'static str, status: u16 },
    #[error("the issuer's {0} is longer than 1 MiB")]
    TooLong(&'static str),
    #[error("the issuer's discovery document is not the JSON object that it should be")]
    NotDiscovery,
    #[error("the issuer's discovery document is about another issuer: the URLs must be equal to the last character")]
    OtherIssuer,
    #[error("the issuer's discovery document has a `{0}` that is not https")]
    NotHttps(&'static str),
    #[error("the issuer's discovery document has no `{0}`")]
    Lacks(&'static str),
}

#[derive(Deserialize)]
struct DiscoveryDocument {
    issuer: String,
    jwks_uri: String,
    id_token_signing_alg_values_supported: Option<Vec<String>>,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
}

/// Where an issuer signs people in (OIDC Discovery §3).
#[derive(Debug, Clone)]
pub(super) struct Endpoints {
    pub(super) authorization: Url,
    pub(super) token: Url,
}

impl Fetcher {
    pub(super) fn new(config: &OidcConfig) -> Result<Self, OidcError> {
        let loopback = Url::parse(&config.issuer).is_ok_and(|url| is_loopback(&url));
        let failed = |why: String| OidcError::Client { name: config.name.clone(), why };
        let localhost = [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)];
        let mut client = Client::builder()
            .tls_backend_preconfigured(tls(config, loopback)?)
            // A redirect could lead from https to anywhere.
            .redirect(Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            .pool_max_idle_per_host(0)
            .resolve_to_addrs("localhost", &localhost.map(|address| SocketAddr::new(address, 0)))
            .user_agent(concat!("portcullis/", env!("CARGO_PKG_VERSION")));
        if loopback {
            client = client.no_proxy();
        }
        let client = client.build().map_err(|error| failed(chain(&error)))?;
        Ok(Self { client, issuer: config.issuer.clone(), loopback })
    }

    /// Fetches discovery, and the keys that it names.
    pub(super) async fn fetch(&self, now: SystemTime) -> Result<Published, FetchError> {
        let document = self.discover().await?;
        let url = self.trusted("jwks_uri", &document.jwks_uri)?;
        let (keys, headers) = self.get(url.as_str(), "key set").await?;
        let named = |list: Vec<String>| list.iter().filter_map(|name| Algorithm::named(name)).collect();
        Ok(Published {
            keys,
            listed: document.id_token_signing_alg_values_supported.map(named),
            fetched: now,
            lifetime: lifetime(&headers),
        })
    }

    /// Fetches discovery, for where people sign in.
    pub(super) async fn endpoints(&self) -> Result<Endpoints, FetchError> {
        let document = self.discover().await?;
        let trusted = |what, url: Option<String>| self.trusted(what, &url.ok_or(FetchError::Lacks(what))?);
        Ok(Endpoints {
            authorization: trusted("authorization_endpoint", document.authorization_endpoint)?,
            token: trusted("token_endpoint", document.token_endpoint)?,
        })
    }

    /// Sends a request to the issuer, and gives back what it answers, whatever the status.
    pub(super) async fn send(&self, request: HttpRequest, what: &'static str) -> Result<HttpResponse, FetchError> {
        let failed = |error: reqwest::Error| FetchError::Http { what, why: chain(&error) };
        let request = reqwest::Request::try_from(request).map_err(failed)?;
        let mut response = self.client.execute(request).await.map_err(failed)?;
        let body = read(&mut response).await.map_err(failed)?.ok_or(FetchError::TooLong(what))?;
        let mut answer = HttpResponse::new(body);
        *answer.status_mut() = response.status();
        *answer.headers_mut() = std::mem::take(response.headers_mut());
        Ok(answer)
    }

    async fn discover(&self) -> Result<DiscoveryDocument, FetchError> {
        let (body, _) = self.get(&discovery_url(&self.issuer), "discovery document").await?;
        let document: DiscoveryDocument = serde_json::from_slice(&body).map_err(|_| FetchError::NotDiscovery)?;
        if document.issuer == self.issuer { Ok(document) } else { Err(FetchError::OtherIssuer) }
    }

    /// A URL of the discovery document, if a token may be sent there.
    fn trusted(&self, what: &'static str, url: &str) -> Result<Url, FetchError> {
        let url = Url::parse(url).map_err(|_| FetchError::NotHttps(what))?;
        let safe = is_safe(&url) && (url.scheme() == "https" || self.loopback && is_loopback(&url));
        if safe { Ok(url) } else { Err(FetchError::NotHttps(what)) }
    }

    async fn get(&self, url: &str, what: &'static str) -> Result<(Vec<u8>, HeaderMap), FetchError> {
        let failed = |error: reqwest::Error| FetchError::Http { what, why: chain(&error) };
        let mut response = self.client.get(url).send().await.map_err(failed)?;
        if !response.status().is_success() {
            return Err(FetchError::Status { what, status: response.status().as_u16() });
        }
        let body = read(&mut response).await.map_err(failed)?.ok_or(FetchError::TooLong(what))?;
        Ok((body, std::mem::take(response.headers_mut())))
    }
}

/// Where an issuer's discovery document is (OIDC Discovery §4).
pub(super) fn discovery_url(issuer: &str) -> String {
    format!("{}/.well-known/openid-configuration", issuer.strip_suffix('/').unwrap_or(issuer))
}

/// Whether this is http to this very machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    // The client resolves `localhost` by itself, so that no name service can move it.
    url.scheme() == "http" && (host == "localhost" || address.is_ok_and(|address| address.is_loopback()))
}

/// Whether a URL names a host and carries no credentials.
pub(super) fn is_safe(url: &Url) -> bool {
    url.has_host() && url.username().is_empty() && url.password().is_none()
}

/// The body; `None` if it is too long.
async fn read(response: &mut Response) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MAX_BODY {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

fn lifetime(headers: &HeaderMap) -> Duration {
    let values = headers.get_all(CACHE_CONTROL);
    let directives: Vec<String> = values
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|directive| directive.trim().to_ascii_lowercase())
        .collect();
    if directives.iter().any(|directive| directive == "no-store" || directive == "no-cache") {
        return SHORTEST_LIFETIME;
    }
    let seconds = directives.iter().find_map(|directive| directive.strip_prefix("max-age=")?.parse().ok());
    seconds.map_or(USUAL_LIFETIME, Duration::from_secs).clamp(SHORTEST_LIFETIME, LONGEST_LIFETIME)
}

fn tls(config: &OidcConfig, loopback: bool) -> Result<ClientConfig, OidcError> {
    let mut roots = RootCertStore::empty();
    if !loopback {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    if let Some(path) = &config.ca {
        let unusable = |why: String| OidcError::Authorities { name: config.name.clone(), path: path.clone(), why };
        let mut found = false;
        for certificate in CertificateDer::pem_file_iter(path).map_err(|error| unusable(error.to_string()))? {
            let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
            roots.add(certificate).map_err(|error| unusable(error.to_string()))?;
            found = true;
        }
        if !found {
            return Err(unusable(String::from("it holds no certificate")));
        }
    }
    if roots.is_empty() && !loopback {
        return Err(OidcError::NoAuthorities(config.name.clone()));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| OidcError::Client { name: config.name.clone(), why: error.to_string() })?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// An error with its causes, for HTTP errors say little by themselves.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Duration, HeaderMap, Url, discovery_url, is_loopback, lifetime};

    #[test]
    fn cache_control_is_clamped() {
        let cases = [
            (None, 3600),
            (Some("max-age=7200"), 7200),
            (Some("public, Max-Age=600, must-revalidate"), 600),
            (Some("max-age=1"), 300),
            (Some("no-store, max-age=600"), 300),
            (Some("max-age=99999999"), 86400),
            (Some("max-age=soon"), 3600),
        ];
        for (value, seconds) in cases {
            let mut headers = HeaderMap::new();
            value.map(|value| headers.insert("cache-control", value.parse().unwrap()));
            assert_eq!(lifetime(&headers), Duration::from_secs(seconds), "{value:?}");
        }
    }

    #[test]
    fn loopback_is_told_from_what_looks_like_it() {
        let cases = [
            ("http://127.0.0.1:8080", true),
            ("http://127.9.9.9", true),
            ("http://[::1]:80", true),
            ("http://localhost", true),
            ("http://localhost.example.com", false),
            ("http://127.0.0.1.example.com", false),
            ("http://10.0.0.1", false),
            ("https://127.0.0.1", false),
        ];
        for (url, expected) in cases {
            assert_eq!(is_loopback(&Url::parse(url).unwrap()), expected, "{url}");
        }
    }

    #[test]
    fn discovery_is_below_the_issuer_with_one_slash() {
        for issuer in ["https://id.example/realm", "https://id.example/realm/"] {
            assert_eq!(discovery_url(issuer), "https://id.example/realm/.well-known/openid-configuration");
        }
    }
}
