//! Every bad kind of token with the reason for which it is refused.

use serde_json::Map;

use super::*;
use crate::identity::Algorithm;
use crate::identity::claims;
use portcullis_testkit::issuer::Forgery;

#[tokio::test]
async fn every_forged_token_is_refused_for_its_own_reason() {
    let issuer = Issuer::start().await.unwrap();
    let gate = oidc(&issuer, &Held::now());
    let expected = [
        (Forgery::AlgNone, Rejection::AlgorithmRefused),
        (Forgery::HmacWithPublicKey, Rejection::AlgorithmRefused),
        (Forgery::UnknownKid, Rejection::UnknownKey),
        (Forgery::ForeignKey, Rejection::Signature),
        (Forgery::KidOfOtherType, Rejection::AlgorithmNotOfKey(Algorithm::ES256)),
        (Forgery::Crit, Rejection::Critical),
        (Forgery::LogoutType, Rejection::Type),
        (Forgery::Tampered, Rejection::Signature),
        (Forgery::Unsigned, Rejection::Signature),
        (Forgery::Encrypted, Rejection::Encrypted),
        (Forgery::TwoIssuers, Rejection::Payload),
        (Forgery::Huge, Rejection::TooLarge),
        (Forgery::Garbage, Rejection::Shape),
    ];
    for (forgery, reason) in &expected {
        assert_eq!(rejection(&gate, &issuer.forge(*forgery, &alice())).await.as_ref(), Some(reason), "{forgery:?}");
    }
    // Without a key id, the one key of the algorithm's type is taken; with two of them, none is.
    let no_kid = issuer.forge(Forgery::NoKid, &alice());
    assert_eq!(rejection(&gate, &no_kid).await, None);
    assert_eq!(expected.len() + 1, Forgery::ALL.len());
}

#[tokio::test]
async fn a_token_without_key_id_needs_exactly_one_key_that_fits() {
    let issuer = Issuer::start().await.unwrap();
    issuer.rotate().unwrap();
    let gate = oidc(&issuer, &Held::now());
    assert_eq!(rejection(&gate, &issuer.forge(Forgery::NoKid, &alice())).await, Some(Rejection::NoKeyNamed));
}

#[tokio::test]
async fn no_refusal_repeats_the_token() {
    let issuer = Issuer::start().await.unwrap();
    let gate = oidc(&issuer, &Held::now());
    for forgery in Forgery::ALL {
        let token = issuer.forge(forgery, &alice());
        if let Err(error) = identify(&gate, &token).await {
            let said = error.to_string();
            assert!(token.split(['.', ' ']).filter(|part| part.len() > 5).all(|part| !said.contains(part)), "{said}");
        }
    }
}

#[tokio::test]
async fn every_bad_claim_is_refused_for_its_own_reason() {
    let issuer = Issuer::start().await.unwrap();
    let gate = oidc(&issuer, &Held::now());
    let missing = Rejection::MissingClaim;
    let malformed = Rejection::MalformedClaim;
    let soon = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() + 600;
    let deep = (0..9).fold(json!({ "sub": "agent" }), |act, _| json!({ "sub": "agent", "act": act }));
    let table = [
        (alice().without("exp"), missing("exp")),
        (alice().without("sub"), missing("sub")),
        (alice().without("aud"), missing("aud")),
        (alice().without("iss"), missing("iss")),
        (alice().set("iss", json!([issuer.url()])), malformed("iss")),
        (
            alice().set("iss", "https://other.example"),
            Rejection::UnknownIssuer(String::from("`https://other.example`")),
        ),
        (alice().set("iss", format!("{}/", issuer.url())), Rejection::UnknownIssuer(format!("`{}/`", issuer.url()))),
        (alice().set("iss", "evil\nline"), Rejection::UnknownIssuer(String::from("(too long or not printable)"))),
        (alice().audience("another"), Rejection::Audience),
        (alice().audience("PORTCULLIS"), Rejection::Audience),
        (alice().audience(json!(["another", "third"])), Rejection::Audience),
        (alice().audience(json!([])), malformed("aud")),
        (alice().audience(json!({ "portcullis": true })), malformed("aud")),
        (alice().audience(json!(["portcullis", 7])), malformed("aud")),
        (alice().audience(json!(["portcullis", "account"])), missing("azp")),
        (alice().audience(json!(["portcullis", "account"])).set("azp", "account"), Rejection::AuthorizedParty),
        (alice().set("azp", 7), malformed("azp")),
        (alice().expired(), Rejection::Expired),
        (alice().set("exp", "tomorrow"), malformed("exp")),
        (alice().set("exp", -5), malformed("exp")),
        (alice().set("exp", 1e300), malformed("exp")),
        (alice().set("exp", u64::MAX), malformed("exp")),
        (alice().set("nbf", soon), Rejection::NotYetValid),
        (alice().set("nbf", "now"), malformed("nbf")),
        (alice().set("sub", ""), malformed("sub")),
        (alice().set("sub", 7), malformed("sub")),
        (alice().set("sub", "al\u{0}ice"), malformed("sub")),
        (alice().set("sub", "a".repeat(3000)), malformed("sub")),
        (alice().set("jti", 7), malformed("jti")),
        (alice().email(&"a".repeat(400)), malformed("email")),
        (alice().set("groups", 7), malformed("groups")),
        (alice().set("groups", json!(["dba", 7])), malformed("groups")),
        (alice().set("groups", "g".repeat(300)), malformed("groups")),
        (alice().groups(["two\nlines"]), malformed("groups")),
        (alice().set("groups", vec!["g"; 1001]), Rejection::TooManyGroups),
        (alice().set("hasgroups", true), Rejection::GroupsElsewhere),
        (alice().set("hasgroups", "true"), Rejection::GroupsElsewhere),
        (alice().set("_claim_names", json!({ "groups": "src1" })), Rejection::GroupsElsewhere),
        (alice().set("act", "agent"), malformed("act")),
        (alice().set("act", json!({ "name": "agent" })), malformed("act")),
        (alice().set("act", deep), Rejection::TooManyActors),
    ];
    for (claims, reason) in table {
        assert_eq!(rejection(&gate, &issuer.mint(&claims)).await, Some(reason), "{claims:?}");
    }
}

#[tokio::test]
async fn only_an_expired_token_is_told_to_be_expired() {
    let issuer = Issuer::start().await.unwrap();
    let gate = oidc(&issuer, &Held::now());
    let expired = identify(&gate, &issuer.mint(&alice().expired())).await;
    assert!(matches!(expired, Err(IdentityError::Expired)));
    let elsewhere = identify(&gate, &issuer.mint(&alice().audience("another").expired())).await;
    assert!(matches!(elsewhere, Err(IdentityError::Expired)));
    let forged = identify(&gate, &issuer.forge(Forgery::ForeignKey, &alice().expired())).await;
    assert!(matches!(forged, Err(IdentityError::Rejected(_))));
}

#[test]
fn expiry_and_beginning_have_thirty_seconds_of_leeway() {
    let config = config("https://id.example", json!({}));
    let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let claims = Map::from_iter(
        [("sub", json!("a")), ("aud", json!("portcullis")), ("exp", json!(2000.5)), ("nbf", json!(1000))]
            .map(|(name, value)| (name.to_owned(), value)),
    );
    let table = [
        (969, Some(Rejection::NotYetValid)),
        (970, None),
        (1500, None),
        (2030, None),
        (2031, Some(Rejection::Expired)),
    ];
    for (now, expected) in table {
        assert_eq!(claims::identity(&claims, &config, at(now)).err(), expected, "{now}");
    }
}

#[tokio::test]
async fn algorithms_are_the_issuers_or_the_configured_ones() {
    use portcullis_testkit::issuer::Fault;
    let issuer = Issuer::start().await.unwrap();
    let (es256, rs256) = (issuer.mint(&alice()), issuer.mint(&alice().rs256()));
    issuer.break_with(Fault::Algorithms(vec![String::from("RS256"), String::from("HS256"), String::from("none")]));
    let listed = oidc(&issuer, &Held::now());
    assert_eq!(rejection(&listed, &rs256).await, None);
    assert_eq!(rejection(&listed, &es256).await, Some(Rejection::AlgorithmNotListed(Algorithm::ES256)));
    let configured = oidc_with(&issuer, json!({ "algorithms": ["ES256"] }), None, &Held::now());
    assert_eq!(rejection(&configured, &es256).await, None);
    assert_eq!(rejection(&configured, &rs256).await, Some(Rejection::AlgorithmNotListed(Algorithm::RS256)));
}
