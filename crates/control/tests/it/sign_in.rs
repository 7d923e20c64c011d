//! Signing in and out as a browser does it, and what is refused on the way.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use portcullis_control::api::{Failure, Issuers, Me};
use portcullis_control::sign_in::{CommandLine, Issuer, ShownAs};
use portcullis_core::BoxFuture;
use portcullis_core::identity::Identity;
use portcullis_core::secret::Secret;
use portcullis_core::sign_in::{Begun, Finish, SignIn, SignInError};
use reqwest::header::{HeaderMap, LOCATION, SET_COOKIE};
use reqwest::{Method, Response, StatusCode, redirect};
use serde_json::{Value, json};

use crate::{Plane, people};

const URL: &str = "https://id.example.com";

/// An issuer whose authorization codes are `NAME.NUMBER`, each good once.
#[derive(Default)]
struct Provider(Mutex<HashSet<String>>);

impl SignIn for Provider {
    fn begin<'a>(&'a self, redirect: &'a str, max_age: Duration) -> BoxFuture<'a, Result<Begun, SignInError>> {
        assert_eq!((redirect, max_age.as_secs()), ("https://portcullis.example.com/login/callback", 3600));
        Box::pin(async {
            Ok(Begun {
                url: format!("{URL}/authorize?state=s-1"),
                state: "s-1".into(),
                nonce: "n-1".into(),
                verifier: Secret::new("v-1".into()),
            })
        })
    }

    fn finish<'a>(&'a self, finish: Finish<'a>) -> BoxFuture<'a, Result<Identity, SignInError>> {
        assert_eq!((finish.nonce, finish.verifier.expose().as_str()), ("n-1", "v-1"));
        let fresh = self.0.lock().unwrap().insert(finish.code.to_owned());
        let name = finish.code.split('.').next().unwrap_or_default();
        let found = people().0.remove(name).filter(|_| fresh);
        Box::pin(async { found.ok_or_else(|| SignInError::Rejected("the code is not good".into())) })
    }
}

/// One that is away.
struct Away;

impl SignIn for Away {
    fn begin<'a>(&'a self, _: &'a str, _: Duration) -> BoxFuture<'a, Result<Begun, SignInError>> {
        Box::pin(async { Err(SignInError::Unavailable("connection refused".into())) })
    }

    fn finish<'a>(&'a self, _: Finish<'a>) -> BoxFuture<'a, Result<Identity, SignInError>> {
        Box::pin(async { Err(SignInError::Unavailable("connection refused".into())) })
    }
}

pub(crate) fn issuers() -> Vec<Issuer> {
    let issuer = |name: &str, page: Option<Arc<dyn SignIn>>| Issuer {
        name: name.into(),
        url: URL.into(),
        page,
        command_line: None,
    };
    let cli = CommandLine { client_id: "cli".into(), scope: "openid".into(), token: ShownAs::Id };
    vec![
        Issuer { command_line: Some(cli), ..issuer("okta", Some(Arc::new(Provider::default()))) },
        issuer("away", Some(Arc::new(Away))),
        issuer("tokens", None),
    ]
}

/// A browser: it keeps cookies, and follows nothing by itself.
struct Browser<'a> {
    plane: &'a Plane,
    client: reqwest::Client,
    cookies: Vec<(String, String)>,
}

impl<'a> Browser<'a> {
    fn new(plane: &'a Plane) -> Self {
        let client = reqwest::Client::builder().no_proxy().redirect(redirect::Policy::none()).build().unwrap();
        Self { plane, client, cookies: Vec::new() }
    }

    async fn send(&mut self, method: Method, path: &str, headers: &[(&'static str, &str)]) -> Response {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = self.client.request(method, format!("http://{}{path}", self.plane.address));
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        for set in response.headers().get_all(SET_COOKIE) {
            let set = set.to_str().unwrap();
            let (name, rest) = set.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            self.cookies.retain(|(own, _)| own != name);
            if !value.is_empty() {
                self.cookies.push((name.into(), value.into()));
            }
        }
        response
    }

    async fn get(&mut self, path: &str) -> Response {
        self.send(Method::GET, path, &[]).await
    }

    /// Signs in as somebody, with a code that nobody used.
    async fn signed_in(plane: &'a Plane, code: &str) -> Self {
        let mut browser = Self::new(plane);
        assert_eq!(browser.get("/login?issuer=okta&return=/asks/1").await.status(), 303);
        let back = browser.get(&format!("/login/callback?code={code}&state=s-1")).await;
        assert_eq!((back.status(), location(back.headers())), (StatusCode::SEE_OTHER, "/asks/1".into()));
        browser
    }

    async fn me(&mut self) -> Result<Me, (u16, String)> {
        let answer = self.get("/v1/me").await;
        match answer.status() {
            StatusCode::OK => Ok(answer.json().await.unwrap()),
            status => Err((status.as_u16(), answer.json::<Failure>().await.unwrap().code)),
        }
    }
}

fn location(headers: &HeaderMap) -> String {
    headers[LOCATION].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn people_sign_in_are_who_they_are_and_sign_out() {
    let plane = Plane::start().await;
    let mut browser = Browser::new(&plane);
    assert_eq!(browser.me().await, Err((401, "no-token".into())));
    let sent = browser.get("/login?issuer=okta&return=/asks/7m2k").await;
    assert_eq!((sent.status().as_u16(), location(sent.headers())), (303, format!("{URL}/authorize?state=s-1")));
    let back = browser.get(&format!("/login/callback?code=dana.1&state=s-1&iss={URL}")).await;
    assert_eq!((back.status().as_u16(), location(back.headers())), (303, "/asks/7m2k".into()));
    let set: Vec<_> = back.headers().get_all(SET_COOKIE).iter().map(|set| set.to_str().unwrap()).collect();
    assert!(set[0].starts_with("__Host-portcullis="), "{set:?}");
    for rule in ["Path=/", "Max-Age=1800", "Secure", "HttpOnly", "SameSite=Strict"] {
        assert!(set[0].contains(rule), "{set:?}");
    }
    assert!(set[1].starts_with("__Host-portcullis-login=; ") && set[1].contains("Max-Age=0"), "{set:?}");
    let me = browser.me().await.unwrap();
    assert_eq!((me.name.as_str(), me.groups), ("dana@example.com", vec![String::from("dba")]));
    let cookies = browser.cookies.clone();
    let csrf = me.csrf.unwrap();
    let out = browser.send(Method::POST, "/logout", &[("x-portcullis-csrf", csrf.as_str())]).await;
    assert_eq!(out.status(), 204);
    assert_eq!(browser.me().await, Err((401, "no-token".into())));
    // What somebody copied meanwhile is worth nothing any more.
    browser.cookies = cookies;
    assert_eq!(browser.me().await, Err((401, "signed-out".into())));
    let audit = plane.recorder.of("operation");
    assert_eq!(audit[0]["kind"], "control:sign-in");
}

#[tokio::test]
async fn change_by_cookie_must_come_from_the_page() {
    let plane = Plane::start().await;
    let (id, _waiting) = plane.asked(1, 1).await;
    let mut browser = Browser::signed_in(&plane, "dana.1").await;
    let csrf = browser.me().await.unwrap().csrf.unwrap();
    let other = Browser::signed_in(&plane, "erin.1").await.me().await.unwrap().csrf.unwrap();
    let path = format!("/v1/asks/{id}/approve");
    let own = "https://portcullis.example.com";
    for headers in [
        vec![],
        vec![("x-portcullis-csrf", "")],
        vec![("x-portcullis-csrf", other.as_str())],
        vec![("x-portcullis-csrf", csrf.as_str()), ("origin", "https://evil.example")],
        vec![("x-portcullis-csrf", csrf.as_str()), ("origin", "null")],
        vec![("x-portcullis-csrf", csrf.as_str()), ("origin", own), ("sec-fetch-site", "same-site")],
        vec![("x-portcullis-csrf", csrf.as_str()), ("sec-fetch-site", "cross-site")],
    ] {
        let refused = browser.send(Method::POST, &path, &headers).await;
        assert_eq!(refused.status(), 403, "{headers:?}");
        assert_eq!(refused.json::<Value>().await.unwrap()["code"], "not-of-page", "{headers:?}");
    }
    let headers = [("x-portcullis-csrf", csrf.as_str()), ("origin", own), ("sec-fetch-site", "same-origin")];
    // The page's own request is refused for what it lacks, not for where it comes from.
    assert_eq!(browser.send(Method::POST, &path, &headers).await.status(), 415);
    assert_eq!(plane.yes("erin", &id).await.ask.answers.len(), 1);
}

#[tokio::test]
async fn sign_in_that_was_not_begun_here_does_not_end_here() {
    let plane = Plane::start().await;
    let mut victim = Browser::new(&plane);
    // Somebody else's code in a link.
    assert_eq!(victim.get("/login/callback?code=dana.1&state=s-1").await.status(), 400);
    victim.get("/login?issuer=okta").await;
    for wrong in ["code=dana.2", "code=dana.2&state=", "code=dana.2&state=s-2", "state=s-1"] {
        victim.get("/login?issuer=okta").await;
        let answer = victim.get(&format!("/login/callback?{wrong}")).await;
        assert_eq!(answer.status(), 400, "{wrong}");
    }
    victim.get("/login?issuer=okta").await;
    let mixed = victim.get("/login/callback?code=dana.2&state=s-1&iss=https://other.example.com").await;
    assert_eq!(mixed.status(), 400);
    for forged in
        ["x", "e30", "%00", "eyJpc3N1ZXIiOiJub3doZXJlIiwic3RhdGUiOiJzIiwibm9uY2UiOiIiLCJ2ZXJpZmllciI6IiIsInRvIjoiIn0"]
    {
        victim.cookies = vec![("__Host-portcullis-login".into(), forged.into())];
        assert_eq!(victim.get("/login/callback?code=dana.2&state=s").await.status(), 400, "{forged}");
    }
    assert_eq!(victim.me().await, Err((401, "no-token".into())));
}

#[tokio::test]
async fn replayed_or_bad_code_signs_nobody_in() {
    let plane = Plane::start().await;
    let mut browser = Browser::new(&plane);
    browser.get("/login?issuer=okta").await;
    let begun = browser.cookies.clone();
    assert_eq!(browser.get("/login/callback?code=dana.1&state=s-1").await.status(), 303);
    browser.cookies = begun;
    let again = browser.get("/login/callback?code=dana.1&state=s-1").await;
    assert_eq!(again.status(), 403);
    assert!(browser.cookies.is_empty());
    let said = again.text().await.unwrap();
    assert!(said.contains("Sign in anew") && !said.contains("dana"), "{said}");
    browser.get("/login?issuer=okta").await;
    let refused = browser.get("/login/callback?error=access_denied&error_description=%3Cscript%3E&state=s-1").await;
    assert_eq!(refused.status(), 403);
    assert!(!refused.text().await.unwrap().contains("script"));
}

#[tokio::test]
async fn forged_and_doubled_cookies_stand_for_nobody() {
    let plane = Plane::start().await;
    let mut browser = Browser::signed_in(&plane, "dana.1").await;
    let good = browser.cookies[0].1.clone();
    let (name, other) = ("__Host-portcullis", format!("A{}", good.chars().skip(1).collect::<String>()));
    for (cookies, code) in [
        (vec![(name.into(), other.clone())], "signed-out"),
        (vec![(name.into(), String::from("x"))], "signed-out"),
        (vec![(name.into(), good.clone()), (name.into(), other)], "no-token"),
        (vec![("portcullis".into(), good.clone())], "no-token"),
    ] {
        browser.cookies = cookies;
        assert_eq!(browser.me().await, Err((401, code.into())));
    }
    browser.cookies = vec![(name.into(), good)];
    assert_eq!(browser.me().await.unwrap().subject, "dana");
    // A token counts before a cookie, so that neither lends the other its rights.
    let answer = browser.send(Method::GET, "/v1/me", &[("authorization", "Bearer nobody")]).await;
    assert_eq!(answer.status(), 401);
}

#[tokio::test]
async fn issuer_that_is_away_or_unknown_is_said_so() {
    let plane = Plane::start().await;
    let mut browser = Browser::new(&plane);
    let away = browser.get("/login?issuer=away").await;
    assert_eq!(away.status(), 503);
    let said = away.text().await.unwrap();
    assert!(said.contains("does not answer") && !said.contains("connection refused"), "{said}");
    for unknown in ["/login", "/login?issuer=", "/login?issuer=nowhere", "/login?issuer=tokens"] {
        assert_eq!(browser.get(unknown).await.status(), 404, "{unknown}");
    }
    let Issuers { issuers } = browser.get("/v1/issuers").await.json().await.unwrap();
    let shown: Vec<_> = issuers.iter().map(|one| (one.name.as_str(), one.page, one.command_line.is_some())).collect();
    assert_eq!(shown, [("okta", true, true), ("away", true, false), ("tokens", false, false)]);
}

#[tokio::test]
async fn sign_in_leads_back_to_this_origin_alone() {
    let plane = Plane::start().await;
    for (number, (to, expected)) in [
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
        ("/%5Cevil.example", "/"),
        ("/sessions?q=a", "/sessions?q=a"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut browser = Browser::new(&plane);
        let begin = reqwest::Url::parse_with_params("http://x/login", [("issuer", "okta"), ("return", to)]).unwrap();
        let begin = to.strip_prefix("/%5C").map_or_else(
            || format!("/login?{}", begin.query().unwrap()),
            |rest| format!("/login?issuer=okta&return=/%5C{rest}"),
        );
        browser.get(&begin).await;
        let back = browser.get(&format!("/login/callback?code=dana.{number}&state=s-1")).await;
        assert_eq!(location(back.headers()), expected, "{to}");
    }
}

#[tokio::test]
async fn nobody_is_signed_in_whom_the_record_does_not_have() {
    let plane = Plane::start().await;
    plane.recorder.fail(portcullis_testkit::fakes::Failing::Append);
    let mut browser = Browser::new(&plane);
    browser.get("/login?issuer=okta").await;
    assert_eq!(browser.get("/login/callback?code=dana.1&state=s-1").await.status(), 503);
    assert_eq!(browser.me().await, Err((401, "no-token".into())));
}

#[tokio::test]
async fn revoked_identity_is_signed_out_everywhere() {
    let plane = Plane::start().await;
    let (mut one, mut other) = (Browser::signed_in(&plane, "dana.1").await, Browser::signed_in(&plane, "dana.2").await);
    let ends = json!({ "identity": { "issuer": URL, "subject": "dana" } });
    let _: portcullis_control::api::Ended = plane.good(Method::POST, "operator", "revocations", Some(ends)).await;
    assert_eq!(one.me().await, Err((401, "signed-out".into())));
    assert_eq!(other.me().await, Err((401, "signed-out".into())));
}

#[tokio::test]
async fn every_answer_tells_browsers_to_do_nothing_with_it() {
    let plane = Plane::start().await;
    let mut browser = Browser::new(&plane);
    for path in ["/v1/me", "/v1/issuers", "/nothing", "/login?issuer=away", "/asks/1", "/assets/none.js"] {
        let answer = browser.get(path).await;
        let policy = answer.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe-inline"), "{path}: {policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(answer.headers()["strict-transport-security"], "max-age=31536000", "{path}");
    }
}
