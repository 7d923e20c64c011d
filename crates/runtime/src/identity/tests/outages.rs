//! Rotation, refreshes, outages and broken issuers: what is asked, how often, and what holds
//! meanwhile.

use futures::future::join_all;
use portcullis_testkit::issuer::{Counts, Fault, Forgery};

use super::*;

#[tokio::test]
async fn a_warm_gate_asks_the_issuer_nothing() {
    let issuer = Issuer::start().await.unwrap();
    let gate = oidc(&issuer, &Held::now());
    for number in 0..20 {
        let token = issuer.mint(&Claims::new(&format!("user-{number}")));
        for _ in 0..3 {
            identify(&gate, &token).await.unwrap();
        }
    }
    assert_eq!(issuer.counts(), Counts { discovery: 1, keys: 1, ..Counts::default() });
}

#[tokio::test]
async fn clients_that_come_together_share_one_fetch() {
    let issuer = Issuer::start().await.unwrap();
    let gate = oidc(&issuer, &Held::now());
    issuer.break_with(Fault::Slow(Duration::from_millis(100)));
    let token = issuer.mint(&alice());
    let all = join_all((0..20).map(|_| identify(&gate, &token))).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(issuer.counts().keys, 1);
}

#[tokio::test]
async fn rotated_keys_are_found_and_retired_ones_are_forgotten() {
    let issuer = Issuer::start().await.unwrap();
    let gate = oidc(&issuer, &Held::now());
    let old = issuer.mint(&alice());
    identify(&gate, &old).await.unwrap();
    issuer.rotate().unwrap();
    issuer.retire_old_keys();
    identify(&gate, &issuer.mint(&alice())).await.unwrap();
    // The old token was verified before: what was remembered of it must not outlive its key.
    assert_eq!(rejection(&gate, &old).await, Some(Rejection::UnknownKey));
    assert_eq!(issuer.counts().keys, 2);
}

#[tokio::test]
async fn unknown_keys_refresh_once_in_thirty_seconds() {
    let issuer = Issuer::start().await.unwrap();
    let clock = Held::now();
    let gate = oidc(&issuer, &clock);
    identify(&gate, &issuer.mint(&alice())).await.unwrap();
    let forged: Vec<_> = (0..20).map(|_| issuer.forge(Forgery::UnknownKid, &alice())).collect();
    for expected in [2, 3] {
        let all = join_all(forged.iter().map(|token| rejection(&gate, token))).await;
        assert!(all.iter().all(|why| *why == Some(Rejection::UnknownKey)));
        assert_eq!(issuer.counts().keys, expected);
        clock.advance(Duration::from_secs(29));
        rejection(&gate, &forged[0]).await;
        assert_eq!(issuer.counts().keys, expected);
        clock.advance(Duration::from_secs(1));
    }
}

#[tokio::test]
async fn an_unknown_key_during_an_outage_is_not_called_false() {
    let issuer = Issuer::start().await.unwrap();
    let gate = oidc(&issuer, &Held::now());
    identify(&gate, &issuer.mint(&alice())).await.unwrap();
    issuer.rotate().unwrap();
    issuer.down();
    let fresh = issuer.mint(&alice());
    for _ in 0..2 {
        assert!(unavailable(&gate, &fresh).await.contains("discovery document"));
    }
}

#[tokio::test]
async fn remembered_tokens_end_when_they_expire() {
    let issuer = Issuer::start().await.unwrap();
    issuer.cache_control(Some("max-age=86400"));
    let clock = Held::now();
    let gate = oidc(&issuer, &clock);
    let token = issuer.mint(&alice());
    identify(&gate, &token).await.unwrap();
    clock.advance(minutes(59));
    identify(&gate, &token).await.unwrap();
    clock.advance(minutes(2));
    assert!(matches!(identify(&gate, &token).await, Err(IdentityError::Expired)));
}

#[tokio::test]
async fn stale_keys_are_refreshed_and_serve_through_an_outage_for_a_while() {
    let issuer = Issuer::start().await.unwrap();
    issuer.cache_control(Some("max-age=600"));
    let clock = Held::now();
    let gate = oidc(&issuer, &clock);
    let token = issuer.mint(&alice().lifetime(minutes(60 * 24 * 30)));
    identify(&gate, &token).await.unwrap();
    clock.advance(minutes(11));
    identify(&gate, &token).await.unwrap();
    assert_eq!(issuer.counts().keys, 2);
    issuer.down();
    clock.advance(minutes(60 * 24));
    identify(&gate, &token).await.unwrap();
    assert!(!gate.health()[0].fresh);
    clock.advance(minutes(60 * 24 * 3));
    unavailable(&gate, &token).await;
    issuer.up();
    clock.advance(minutes(1));
    identify(&gate, &token).await.unwrap();
    let health = gate.health().remove(0);
    assert_eq!((health.refreshes, health.failures, health.unavailable, health.fresh), (3, 2, 1, true));
}

#[tokio::test]
async fn keys_are_refreshed_in_the_background_before_they_are_stale() {
    let issuer = Issuer::start().await.unwrap();
    issuer.cache_control(Some("max-age=600"));
    let clock = Held::now();
    let gate = oidc(&issuer, &clock);
    for (after, expected) in [(0, 1), (7, 1), (1, 2), (1, 2)] {
        clock.advance(minutes(after));
        gate.refresh_due().await;
        assert_eq!(issuer.counts().keys, expected);
    }
    identify(&gate, &issuer.mint(&alice())).await.unwrap();
    assert_eq!(issuer.counts().keys, 2);
}

#[tokio::test]
async fn a_restart_during_an_outage_lives_on_the_keys_on_disk() {
    let issuer = Issuer::start().await.unwrap();
    let (dir, clock) = (tempfile::tempdir().unwrap(), Held::now());
    let before = oidc_with(&issuer, json!({}), Some(dir.path()), &clock);
    let token = issuer.mint(&alice());
    identify(&before, &token).await.unwrap();
    drop(before);
    issuer.down();
    clock.advance(minutes(55));
    let fresh = oidc_with(&issuer, json!({}), Some(dir.path()), &clock);
    assert_eq!(identify(&fresh, &token).await.unwrap().subject, "alice");
    assert!(matches!(
        identify(&fresh, &issuer.forge(Forgery::ForeignKey, &alice())).await,
        Err(IdentityError::Rejected(_))
    ));
    clock.advance(minutes(60));
    let stale = oidc_with(&issuer, json!({}), Some(dir.path()), &clock);
    identify(&stale, &issuer.mint(&alice().lifetime(minutes(600)))).await.unwrap();
    clock.advance(minutes(60 * 24 * 4));
    let too_old = oidc_with(&issuer, json!({}), Some(dir.path()), &clock);
    unavailable(&too_old, &token).await;
}

#[tokio::test]
async fn keys_on_disk_that_are_damaged_are_not_used() {
    let issuer = Issuer::start().await.unwrap();
    let (dir, clock) = (tempfile::tempdir().unwrap(), Held::now());
    identify(&oidc_with(&issuer, json!({}), Some(dir.path()), &clock), &issuer.mint(&alice())).await.unwrap();
    let file = std::fs::read_dir(dir.path()).unwrap().next().unwrap().unwrap().path();
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.get(..text.len() / 2).unwrap()).unwrap();
    issuer.down();
    unavailable(&oidc_with(&issuer, json!({}), Some(dir.path()), &clock), &issuer.mint(&alice())).await;
}

#[tokio::test]
async fn an_outage_without_keys_is_unavailable_and_ends_by_itself() {
    let issuer = Issuer::start().await.unwrap();
    issuer.down();
    let clock = Held::now();
    let gate = oidc(&issuer, &clock);
    let token = issuer.mint(&alice());
    for _ in 0..5 {
        unavailable(&gate, &token).await;
    }
    issuer.up();
    unavailable(&gate, &token).await;
    assert_eq!(gate.health()[0].failures, 1);
    clock.advance(Duration::from_secs(6));
    identify(&gate, &token).await.unwrap();
}

#[tokio::test]
async fn a_broken_issuer_is_unavailable_with_a_sentence_that_says_why() {
    let issuer = Issuer::start().await.unwrap();
    let kid = String::from("es-1");
    let elsewhere = format!("{}/keys", issuer.url());
    let table = [
        (Fault::Failing, "discovery document was answered with status 500"),
        (Fault::DiscoveryIssuer(format!("{}/", issuer.url())), "about another issuer"),
        (Fault::DiscoveryIssuer(String::from("https://other.example")), "about another issuer"),
        (Fault::KeysAt(String::from("http://192.0.2.1/keys")), "`jwks_uri` that is not https"),
        (Fault::KeysAt(String::from("file:///etc/passwd")), "`jwks_uri` that is not https"),
        (Fault::KeysAt(String::from("https://user:word@id.example/keys")), "`jwks_uri` that is not https"),
        (Fault::HugeDiscovery, "discovery document is longer than 1 MiB"),
        (Fault::HugeKeys, "key set is longer than 1 MiB"),
        (Fault::BrokenKeys, "not a JSON object with a list of `keys`"),
        (Fault::NoKeys, "no key that could verify"),
        (Fault::SymmetricKey(kid), "no key that could verify"),
        (Fault::RedirectKeys(elsewhere), "key set was answered with status 307"),
    ];
    for (fault, expected) in table {
        issuer.break_with(fault.clone());
        let why = unavailable(&oidc(&issuer, &Held::now()), &issuer.mint(&alice())).await;
        assert!(why.contains(expected), "{fault:?}: {why}");
    }
}
