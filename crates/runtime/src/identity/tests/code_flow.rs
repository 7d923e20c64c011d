//! Signing in at the mini issuer: what is asked of the browser, and what proves nobody.

use std::sync::Arc;
use std::time::Duration;

use portcullis_core::clock::SystemClock;
use portcullis_core::secret::Secret;
use portcullis_core::sign_in::{Begun, Finish, SignIn as _, SignInError};
use portcullis_testkit::issuer::{Claims, Issuer};
use reqwest::Url;
use serde_json::json;

use super::config;
use crate::identity::CodeFlow;

const REDIRECT: &str = "https://portcullis.example.com/login/callback";

fn flow(issuer: &Issuer) -> CodeFlow {
    let config = config(issuer.url(), json!({ "sign_in": { "client_id": "page", "scope": "openid groups" } }));
    CodeFlow::new(&config, Arc::new(SystemClock)).unwrap().unwrap()
}

async fn begun(flow: &CodeFlow) -> Begun {
    flow.begin(REDIRECT, Duration::from_secs(3600)).await.unwrap()
}

/// The code with which the issuer sends back whoever went to this address.
fn code(issuer: &Issuer, begun: &Begun, claims: Claims) -> String {
    let back = Url::parse(&issuer.agree(&begun.url, claims).unwrap()).unwrap();
    let said = |name: &str| back.query_pairs().find(|(own, _)| own == name).unwrap().1.into_owned();
    assert_eq!(said("state"), begun.state);
    said("code")
}

async fn finish(flow: &CodeFlow, code: &str, begun: &Begun) -> Result<String, SignInError> {
    let finish = Finish { code, nonce: &begun.nonce, verifier: &begun.verifier, redirect: REDIRECT };
    flow.finish(finish).await.map(|identity| format!("{} {:?}", identity.subject, identity.groups))
}

#[tokio::test]
async fn who_agreed_is_signed_in_once() {
    let issuer = Issuer::start().await.unwrap();
    let flow = flow(&issuer);
    let begun = begun(&flow).await;
    let asked = Url::parse(&begun.url).unwrap();
    let said = |name: &str| asked.query_pairs().find(|(own, _)| own == name).map(|(_, value)| value.into_owned());
    assert_eq!(said("scope").as_deref(), Some("openid groups"));
    assert_eq!((said("max_age").as_deref(), said("response_type").as_deref()), (Some("3600"), Some("code")));
    assert_eq!(said("code_challenge_method").as_deref(), Some("S256"));
    assert!(!begun.url.contains(begun.verifier.expose()));
    let code = code(&issuer, &begun, Claims::new("dana").groups(["dba"]));
    assert_eq!(finish(&flow, &code, &begun).await.unwrap(), "dana [\"okta:dba\"]");
    assert!(matches!(finish(&flow, &code, &begun).await, Err(SignInError::Rejected(_))));
}

#[tokio::test]
async fn two_sign_ins_do_not_end_each_other() {
    let issuer = Issuer::start().await.unwrap();
    let flow = flow(&issuer);
    let (one, other) = (begun(&flow).await, begun(&flow).await);
    assert_ne!((&one.state, &one.nonce), (&other.state, &other.nonce));
    // Another's proof for the code.
    let stolen = code(&issuer, &one, Claims::new("dana"));
    assert!(matches!(finish(&flow, &stolen, &other).await, Err(SignInError::Rejected(_))));
    // Another's ID token, with the right proof.
    let code = code(&issuer, &one, Claims::new("dana"));
    let mixed = Begun { verifier: Secret::new(one.verifier.expose().clone()), ..other };
    let Err(SignInError::Rejected(why)) = finish(&flow, &code, &mixed).await else { panic!("the nonce is another's") };
    assert_eq!(why, "the issuer's ID token is of another sign-in");
}

#[tokio::test]
async fn token_for_the_gate_signs_nobody_in() {
    let issuer = Issuer::start().await.unwrap();
    let flow = flow(&issuer);
    let begun = begun(&flow).await;
    let code = code(&issuer, &begun, Claims::new("dana").expired());
    assert!(matches!(finish(&flow, &code, &begun).await, Err(SignInError::Rejected(_))));
    let long = "x".repeat(5_000);
    assert!(matches!(finish(&flow, &long, &begun).await, Err(SignInError::Rejected(_))));
}

#[tokio::test]
async fn issuer_that_is_away_is_unavailable() {
    let issuer = Issuer::start().await.unwrap();
    let flow = flow(&issuer);
    let begun = begun(&flow).await;
    let code = code(&issuer, &begun, Claims::new("dana"));
    issuer.down();
    assert!(matches!(finish(&flow, &code, &begun).await, Err(SignInError::Unavailable(_))));
    let other = self::flow(&issuer);
    assert!(matches!(other.begin(REDIRECT, Duration::ZERO).await, Err(SignInError::Unavailable(_))));
}
