//! Signs people in at an issuer: the authorization code flow with PKCE (OIDC Core §3.1, RFC 7636), as a
//! client of the issuer.
//!
//! It keeps nothing of a sign-in that has begun: whoever began it brings that back. What the ID token says is
//! believed for the reasons for which any token is; it opens the page and no target, for its audience is the
//! page.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse, BasicTokenType,
};
use oauth2::{
    AsyncHttpClient, AuthUrl, AuthorizationCode, Client, ClientId, ClientSecret, CsrfToken, EndpointNotSet,
    EndpointSet, ExtraTokenFields, HttpRequest, HttpResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
    RequestTokenError, Scope, StandardRevocableToken, StandardTokenResponse, TokenUrl,
};
use portcullis_core::BoxFuture;
use portcullis_core::clock::Clock;
use portcullis_core::identity::{Identity, IdentityError, IdentitySource, Proof};
use portcullis_core::secret::Secret;
use portcullis_core::sign_in::{Begun, Finish, SignIn, SignInError};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::Oidc;
use super::config::{self, Audience, OidcConfig, OidcError};
use super::fetch::{Endpoints, FetchError, Fetcher};
use super::rejection::Rejection;
use super::token::Unverified;

/// How long an issuer's endpoints are believed.
const ENDPOINTS_LIFETIME: Duration = Duration::from_secs(600);

/// The longest authorization code, in bytes.
const MAX_CODE: usize = 4096;

/// Signs people in at one issuer.
pub struct CodeFlow {
    page: config::SignIn,
    fetcher: Fetcher,
    verifier: Oidc,
    endpoints: Mutex<Option<(Instant, Endpoints)>>,
}

/// What an issuer adds to its answer (OIDC Core §3.1.3.3).
#[derive(Debug, Serialize, Deserialize)]
struct IdToken {
    #[serde(skip_serializing)]
    id_token: Option<Secret<String>>,
}

impl ExtraTokenFields for IdToken {}

type Page = Client<
    BasicErrorResponse,
    StandardTokenResponse<IdToken, BasicTokenType>,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

impl CodeFlow {
    /// One for this issuer, if it has an application for the page. It asks nobody yet.
    pub fn new(config: &OidcConfig, clock: Arc<dyn Clock>) -> Result<Option<Self>, OidcError> {
        let Some(page) = config.sign_in.clone() else { return Ok(None) };
        let own = OidcConfig {
            audience: Audience::One(page.client_id.clone()),
            authorized_parties: Vec::new(),
            ..config.clone()
        };
        let fetcher = Fetcher::new(&own)?;
        let verifier = Oidc::new(vec![own], None, clock)?;
        Ok(Some(Self { page, fetcher, verifier, endpoints: Mutex::default() }))
    }

    async fn send_off(&self, redirect: &str, max_age: Duration) -> Result<Begun, SignInError> {
        let page = self.client(redirect).await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let nonce = CsrfToken::new_random();
        let scopes = self.page.scope.split_ascii_whitespace().map(|scope| Scope::new(scope.to_owned()));
        let (url, state) = page
            .authorize_url(CsrfToken::new_random)
            .add_scopes(scopes)
            .add_extra_param("nonce", nonce.secret())
            .add_extra_param("max_age", max_age.as_secs().to_string())
            .set_pkce_challenge(challenge)
            .url();
        Ok(Begun {
            url: url.into(),
            state: state.into_secret(),
            nonce: nonce.into_secret(),
            verifier: Secret::new(verifier.into_secret()),
        })
    }

    async fn take_back(&self, finish: Finish<'_>) -> Result<Identity, SignInError> {
        if finish.code.len() > MAX_CODE {
            return Err(SignInError::Rejected(String::from("the authorization code is too long")));
        }
        let page = self.client(finish.redirect).await?;
        let answer = page
            .exchange_code(AuthorizationCode::new(finish.code.to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(finish.verifier.expose().clone()))
            .request_async(&self.fetcher)
            .await
            .map_err(refused)?;
        let token = answer.extra_fields().id_token.clone();
        let token = token.ok_or_else(|| {
            SignInError::Misconfigured(String::from("the issuer gave no ID token: `sign_in.scope` lacks `openid`"))
        })?;
        self.identity(token, finish.nonce).await
    }

    /// Whom an ID token names that was asked for with this nonce.
    async fn identity(&self, token: Secret<String>, nonce: &str) -> Result<Identity, SignInError> {
        let rejected = |why: Rejection| SignInError::Rejected(format!("the issuer's ID token is not accepted: {why}"));
        let proof = Proof::Bearer(token);
        let identity = self.verifier.identify(&proof).await.map_err(|why| match why {
            IdentityError::Unavailable(why) => SignInError::Unavailable(why),
            why @ (IdentityError::Rejected(_) | IdentityError::Expired) => {
                SignInError::Rejected(format!("the issuer's ID token is not accepted: {why}"))
            }
        })?;
        let Proof::Bearer(token) = &proof;
        let claims = Unverified::parse(token.expose()).map_err(rejected)?.claims;
        let said = claims.get("nonce").and_then(serde_json::Value::as_str);
        if said.is_none_or(|said| verify_slices_are_equal(said.as_bytes(), nonce.as_bytes()).is_err()) {
            return Err(SignInError::Rejected(String::from("the issuer's ID token is of another sign-in")));
        }
        Ok(identity)
    }

    async fn client(&self, redirect: &str) -> Result<Page, SignInError> {
        let wrong = |what: &str| SignInError::Misconfigured(format!("the {what} is no URL"));
        let redirect = RedirectUrl::new(redirect.to_owned()).map_err(|_| wrong("redirect URI below `control.url`"))?;
        let Endpoints { authorization, token } = self.endpoints().await?;
        let mut client = Client::new(ClientId::new(self.page.client_id.clone()))
            .set_auth_uri(AuthUrl::from_url(authorization))
            .set_token_uri(TokenUrl::from_url(token))
            .set_redirect_uri(redirect);
        if let Some(secret) = &self.page.client_secret {
            let secret = secret.resolve().map_err(|why| SignInError::Misconfigured(why.to_string()))?;
            client = client.set_client_secret(ClientSecret::new(secret.expose().clone()));
        }
        Ok(client)
    }

    async fn endpoints(&self) -> Result<Endpoints, SignInError> {
        // Held across the fetch, so that many who sign in at once ask the issuer once.
        let mut kept = self.endpoints.lock().await;
        match &*kept {
            Some((since, endpoints)) if since.elapsed() < ENDPOINTS_LIFETIME => return Ok(endpoints.clone()),
            Some(_) | None => {}
        }
        let fetched = self.fetcher.endpoints().await.map_err(|why| SignInError::Unavailable(why.to_string()))?;
        *kept = Some((Instant::now(), fetched.clone()));
        Ok(fetched)
    }
}

impl<'c> AsyncHttpClient<'c> for Fetcher {
    type Error = FetchError;
    type Future = BoxFuture<'c, Result<HttpResponse, FetchError>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request, "token endpoint"))
    }
}

impl SignIn for CodeFlow {
    fn begin<'a>(&'a self, redirect: &'a str, max_age: Duration) -> BoxFuture<'a, Result<Begun, SignInError>> {
        Box::pin(self.send_off(redirect, max_age))
    }

    fn finish<'a>(&'a self, finish: Finish<'a>) -> BoxFuture<'a, Result<Identity, SignInError>> {
        Box::pin(self.take_back(finish))
    }
}

/// Why the issuer gave no token. Its own words can quote what it was sent, so only its code is repeated.
fn refused(why: RequestTokenError<FetchError, BasicErrorResponse>) -> SignInError {
    match why {
        RequestTokenError::ServerResponse(said) => {
            let code = said.error().as_ref().to_owned();
            let text = format!("the issuer refused the authorization code: {code}");
            if code == "invalid_client" || code == "unauthorized_client" {
                SignInError::Misconfigured(text)
            } else {
                SignInError::Rejected(text)
            }
        }
        RequestTokenError::Request(why) => SignInError::Unavailable(why.to_string()),
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
            SignInError::Unavailable(String::from("the issuer's token endpoint answers with what is not understood"))
        }
    }
}
