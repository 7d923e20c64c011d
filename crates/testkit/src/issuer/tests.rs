//! The mini issuer, seen through its own HTTP. The client here is a few lines over a socket, so
//! that the test kit needs no HTTP client.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation};
use serde_json::{Value, json};

use super::token::DEVICE_GRANT;
use super::{Claims, Counts, Fault, Issuer, Person, serve_on};

fn ask(issuer: &Issuer, method: &str, path: &str, form: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(issuer.address()).ok()?;
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
        form.len()
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

fn json_of(issuer: &Issuer, method: &str, path: &str, form: &str) -> Value {
    serde_json::from_str(&ask(issuer, method, path, form).unwrap().1).unwrap()
}

fn verified(issuer: &Issuer, token: &str) -> Value {
    let header = jsonwebtoken::decode_header(token).unwrap();
    let set: JwkSet = serde_json::from_value(json_of(issuer, "GET", "/keys", "")).unwrap();
    let key = DecodingKey::from_jwk(set.find(&header.kid.unwrap()).unwrap()).unwrap();
    let mut validation = Validation::new(header.alg);
    validation.set_audience(&["portcullis"]);
    validation.set_issuer(&[issuer.url()]);
    jsonwebtoken::decode::<Value>(token, &key, &validation).unwrap().claims
}

#[test]
fn minted_tokens_verify_against_the_published_keys() {
    let issuer = Issuer::start_blocking().unwrap();
    for claims in [Claims::new("alice").groups(["dba"]), Claims::new("alice").groups(["dba"]).rs256()] {
        let said = verified(&issuer, &issuer.mint(&claims));
        assert_eq!((&said["sub"], &said["groups"]), (&json!("alice"), &json!(["dba"])));
    }
}

#[tokio::test]
async fn it_starts_from_async_code_as_well() {
    let issuer = Issuer::start().await.unwrap();
    let said = json_of(&issuer, "GET", "/.well-known/openid-configuration", "");
    assert_eq!(said["issuer"], issuer.url());
}

#[test]
fn rotation_signs_with_new_keys_and_keeps_the_old_until_they_are_retired() {
    let issuer = Issuer::start_blocking().unwrap();
    let old = issuer.mint(&Claims::new("alice"));
    issuer.rotate().unwrap();
    verified(&issuer, &old);
    verified(&issuer, &issuer.mint(&Claims::new("alice")));
    issuer.retire_old_keys();
    let set = json_of(&issuer, "GET", "/keys", "");
    let kids: Vec<_> = set["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap()).collect();
    assert_eq!(kids, ["es-2", "rs-2"]);
}

#[test]
fn client_credentials_need_the_right_secret() {
    let issuer = Issuer::start_blocking().unwrap();
    issuer.add_client("agent", "sesame", Claims::new("agent-7"));
    let form = |secret| format!("grant_type=client_credentials&client_id=agent&client_secret={secret}");
    let said = json_of(&issuer, "POST", "/token", &form("sesame"));
    assert_eq!(verified(&issuer, said["access_token"].as_str().unwrap())["sub"], "agent-7");
    assert_eq!(json_of(&issuer, "POST", "/token", &form("wrong"))["error"], "invalid_client");
}

#[test]
fn a_device_waits_is_slowed_down_and_gets_its_token_once() {
    let issuer = Issuer::start_blocking().unwrap();
    issuer.device_interval(Duration::ZERO);
    issuer.add_person(Person { name: String::from("alice"), claims: Claims::new("alice") });
    let opened = json_of(&issuer, "POST", "/device_authorization", "client_id=psql");
    let poll = format!("grant_type={DEVICE_GRANT}&device_code={}", opened["device_code"].as_str().unwrap());
    assert_eq!(json_of(&issuer, "POST", "/token", &poll)["error"], "authorization_pending");
    let approve = format!("user_code={}&person=alice", opened["user_code"].as_str().unwrap());
    assert_eq!(ask(&issuer, "POST", "/device", &approve).unwrap().0, 200);
    let said = json_of(&issuer, "POST", "/token", &poll);
    assert_eq!(verified(&issuer, said["access_token"].as_str().unwrap())["sub"], "alice");
    assert_eq!(json_of(&issuer, "POST", "/token", &poll)["error"], "invalid_grant");

    issuer.device_interval(Duration::from_secs(60));
    let hasty = json_of(&issuer, "POST", "/device_authorization", "");
    let poll = format!("grant_type={DEVICE_GRANT}&device_code={}", hasty["device_code"].as_str().unwrap());
    json_of(&issuer, "POST", "/token", &poll);
    assert_eq!(json_of(&issuer, "POST", "/token", &poll)["error"], "slow_down");
}

#[test]
fn a_device_can_be_denied() {
    let issuer = Issuer::start_blocking().unwrap();
    let opened = json_of(&issuer, "POST", "/device_authorization", "");
    ask(&issuer, "POST", "/device", &format!("user_code={}&person=", opened["user_code"].as_str().unwrap()));
    let poll = format!("grant_type={DEVICE_GRANT}&device_code={}", opened["device_code"].as_str().unwrap());
    assert_eq!(json_of(&issuer, "POST", "/token", &poll)["error"], "access_denied");
}

#[test]
fn an_outage_answers_nobody_and_ends() {
    let issuer = Issuer::start_blocking().unwrap();
    issuer.down();
    assert_eq!(ask(&issuer, "GET", "/keys", ""), None);
    issuer.up();
    assert_eq!(ask(&issuer, "GET", "/keys", "").unwrap().0, 200);
    issuer.break_with(Fault::Failing);
    assert_eq!(ask(&issuer, "GET", "/keys", "").unwrap().0, 500);
    assert_eq!(issuer.counts(), Counts { keys: 2, ..Counts::default() });
}

#[test]
fn a_stopped_issuer_gives_its_port_back() {
    let issuer = Issuer::start_blocking().unwrap();
    let address = issuer.address();
    issuer.stop();
    assert_eq!(serve_on(address).unwrap().address(), address);
}

#[test]
fn it_refuses_to_listen_beyond_loopback() {
    assert!(serve_on("0.0.0.0:0".parse().unwrap()).is_err());
}
