//! The identity provider as the command line meets it: its discovery document and its endpoints, within
//! bounds. How a human says yes is in `browser` and `device`.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse, BasicTokenType,
};
use oauth2::{
    AsyncHttpClient, Client, ClientId, EndpointNotSet, EndpointSet, ExtraTokenFields, HttpRequest, HttpResponse,
    RefreshToken, RequestTokenError, Scope, StandardRevocableToken, StandardTokenResponse, TokenResponse, TokenUrl,
};
use portcullis_control::sign_in::{CommandLine, ShownAs};
use portcullis_core::BoxFuture;
use portcullis_core::clock::unix_micros;
use portcullis_core::secret::Secret;
use reqwest::Url;
use serde::{Deserialize, Serialize};

use crate::client::{because, is_loopback};
use crate::output::Failure;
use crate::visible;

const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(30);

/// The longest answer of a provider, in bytes.
const MAX_ANSWER: usize = 1 << 20;

/// A provider that says who it is.
pub(crate) struct Provider {
    http: Http,
    own: CommandLine,
    token: Url,
    authorization: Option<Url>,
    device: Option<Url>,
}

/// What a login gives.
pub(crate) struct Tokens {
    /// What the gate is shown.
    pub(crate) shown: Secret<String>,
    /// What gets the next one, where the provider gives that.
    pub(crate) refresh: Option<Secret<String>>,
    /// When the shown one ends, in seconds since 1970; 0 where nobody says.
    pub(crate) ends: u64,
}

/// The members of a discovery document that matter here (OIDC Discovery §3, RFC 8628 §4).
#[derive(Deserialize)]
struct Document {
    issuer: String,
    token_endpoint: String,
    authorization_endpoint: Option<String>,
    device_authorization_endpoint: Option<String>,
}

/// What a provider adds to its answer (OIDC Core §3.1.3.3).
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct IdToken {
    #[serde(skip_serializing)]
    id_token: Option<Secret<String>>,
}

impl ExtraTokenFields for IdToken {}

/// The provider's answer.
pub(super) type Answer = StandardTokenResponse<IdToken, BasicTokenType>;

/// The command line as a client of the provider: it has no secret, for it could not keep one.
pub(super) type Public = Client<
    BasicErrorResponse,
    Answer,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

impl Provider {
    /// Reads the discovery document of an issuer.
    pub(crate) async fn discover(issuer: &str, own: CommandLine) -> Result<Self, Failure> {
        let http = Http::new()?;
        let base = endpoint(issuer)?;
        let document = format!("{}/.well-known/openid-configuration", base.as_str().trim_end_matches('/'));
        let document = http.document(&document).await?;
        // Another's document is not taken for this one's (OIDC Discovery §4.3).
        if document.issuer != issuer {
            let said = visible::line(&document.issuer);
            return Err(Failure::Said(format!("the identity provider at `{issuer}` says that it is `{said}`")));
        }
        let optional = |url: Option<String>| url.map(|url| endpoint(&url)).transpose();
        Ok(Self {
            http,
            own,
            token: endpoint(&document.token_endpoint)?,
            authorization: optional(document.authorization_endpoint)?,
            device: optional(document.device_authorization_endpoint)?,
        })
    }

    pub(super) fn client(&self) -> Public {
        Client::new(ClientId::new(self.own.client_id.clone())).set_token_uri(TokenUrl::from_url(self.token.clone()))
    }

    pub(super) const fn http(&self) -> &Http {
        &self.http
    }

    pub(super) fn scopes(&self) -> impl Iterator<Item = Scope> {
        self.own.scope.split_ascii_whitespace().map(|scope| Scope::new(scope.to_owned()))
    }

    pub(super) fn authorization(&self) -> Result<Url, Failure> {
        self.authorization
            .clone()
            .ok_or_else(|| Failure::Said(String::from("the identity provider has no page to log in at")))
    }

    pub(super) fn device(&self) -> Result<Url, Failure> {
        let missing =
            || Failure::Said(String::from("the identity provider has no login by device; leave `--device` out"));
        self.device.clone().ok_or_else(missing)
    }

    /// The next token for a login that goes on.
    pub(crate) async fn refresh(&self, refresh: &Secret<String>) -> Result<Tokens, Failure> {
        let token = RefreshToken::new(refresh.expose().clone());
        let answer = self.client().exchange_refresh_token(&token).request_async(&self.http).await.map_err(refused)?;
        let mut tokens = self.tokens(&answer)?;
        // Where none comes along, the old one stays good (RFC 6749 §6).
        tokens.refresh = tokens.refresh.or_else(|| Some(refresh.clone()));
        Ok(tokens)
    }

    /// What the gate is to be shown of an answer.
    pub(super) fn tokens(&self, answer: &Answer) -> Result<Tokens, Failure> {
        let shown = match self.own.token {
            ShownAs::Access => Secret::new(answer.access_token().secret().clone()),
            ShownAs::Id => answer.extra_fields().id_token.clone().ok_or_else(|| {
                Failure::Said(String::from(
                    "the identity provider gave no ID token; its `command_line.scope` lacks `openid`",
                ))
            })?,
        };
        let ends = ends(&shown).or_else(|| Some(seconds_now().saturating_add(answer.expires_in()?.as_secs())));
        let refresh = answer.refresh_token().map(|token| Secret::new(token.secret().clone()));
        Ok(Tokens { shown, refresh, ends: ends.unwrap_or_default() })
    }
}

/// Seconds since 1970.
pub(super) fn seconds_now() -> u64 {
    unix_micros(SystemTime::now()) / 1_000_000
}

/// When a token says that it ends. It is the gate that verifies it; here it is only looked at.
fn ends(token: &Secret<String>) -> Option<u64> {
    let claims = URL_SAFE_NO_PAD.decode(token.expose().split('.').nth(1)?).ok()?;
    let claims: serde_json::Value = serde_json::from_slice(&claims).ok()?;
    claims.get("exp")?.as_u64()
}

/// A URL that a secret may be sent to.
fn endpoint(url: &str) -> Result<Url, Failure> {
    let shown = || visible::line(url);
    let parsed = Url::parse(url).map_err(|why| Failure::Said(format!("`{}` is no URL: {why}", shown())))?;
    match parsed.scheme() {
        "https" => Ok(parsed),
        "http" if is_loopback(&parsed) => Ok(parsed),
        _ => Err(Failure::Said(format!("`{}` is beyond this machine and not https", shown()))),
    }
}

/// Why the provider gave no token.
pub(super) fn refused(why: RequestTokenError<HttpError, impl Refusal>) -> Failure {
    match why {
        RequestTokenError::ServerResponse(said) => {
            Failure::Said(format!("the identity provider refused: {}", visible::line(&said.words())))
        }
        RequestTokenError::Request(why) => Failure::Said(why.0),
        RequestTokenError::Other(why) => {
            Failure::Said(format!("the identity provider gave no token: {}", visible::line(&why)))
        }
        // What was said can hold a token.
        RequestTokenError::Parse(..) => {
            Failure::Said(String::from("the identity provider answers with what is not understood"))
        }
    }
}

/// A provider's refusal, in its words.
pub(super) trait Refusal: oauth2::ErrorResponse + 'static {
    fn words(&self) -> String;
}

impl<T: oauth2::ErrorResponseType + std::fmt::Display + 'static> Refusal for oauth2::StandardErrorResponse<T> {
    fn words(&self) -> String {
        match self.error_description() {
            Some(more) => format!("{} ({more})", self.error()),
            None => self.error().to_string(),
        }
    }
}

/// The way to the provider.
pub(crate) struct Http(reqwest::Client);

/// Why the provider cannot be asked.
#[derive(Debug)]
pub(crate) struct HttpError(String);

impl std::fmt::Display for HttpError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for HttpError {}

impl Http {
    fn new() -> Result<Self, Failure> {
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .timeout(ANSWER)
            // A secret that is sent goes nowhere else.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("portcullis/", env!("CARGO_PKG_VERSION")));
        Ok(Self(http.build().map_err(|why| Failure::Said(format!("the client cannot be set up: {why}")))?))
    }

    async fn document(&self, url: &str) -> Result<Document, Failure> {
        let failed = |why: HttpError| Failure::Said(why.0);
        let request = self.0.get(url).build().map_err(Failure::of)?;
        let (status, _, body) = self.send(request).await.map_err(failed)?;
        if !status.is_success() {
            return Err(Failure::Said(format!("the identity provider answers `{url}` with status {status}")));
        }
        serde_json::from_slice(&body).map_err(|why| Failure::Said(format!("`{url}` is no discovery document: {why}")))
    }

    async fn send(
        &self,
        request: reqwest::Request,
    ) -> Result<(reqwest::StatusCode, reqwest::header::HeaderMap, Vec<u8>), HttpError> {
        let origin = request.url().origin().ascii_serialization();
        let failed = |why| HttpError(format!("the identity provider at `{origin}` does not answer: {}", because(&why)));
        let mut response = self.0.execute(request).await.map_err(failed)?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(failed)? {
            body.extend_from_slice(&piece);
            if body.len() > MAX_ANSWER {
                return Err(HttpError(format!("the identity provider at `{origin}` answers with more than 1 MiB")));
            }
        }
        Ok((status, headers, body))
    }
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = HttpError;
    type Future = BoxFuture<'c, Result<HttpResponse, HttpError>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let request = reqwest::Request::try_from(request).map_err(|why| HttpError(why.to_string()))?;
            let (status, headers, body) = self.send(request).await?;
            let mut response = HttpResponse::new(body);
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            Ok(response)
        })
    }
}
