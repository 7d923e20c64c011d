//! Good tokens, and the identities that they stand for.

use portcullis_core::identity::Kind;

use super::*;

async fn identity_of(issuer: &Issuer, more: Value, claims: Claims) -> Identity {
    let gate = oidc_with(issuer, more, None, &Held::now());
    identify(&gate, &issuer.mint(&claims)).await.unwrap()
}

#[tokio::test]
async fn an_identity_is_what_the_token_says() {
    let issuer = Issuer::start().await.unwrap();
    let exp = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() + 600;
    let claims =
        alice().groups(["dba", "staff"]).email("alice@example.com").set("exp", exp).set("auth_time", exp - 660);
    let claims = claims.set("jti", "t-1");
    let identity = identity_of(&issuer, json!({ "kind": "workload" }), claims.rs256()).await;
    let expected = Identity {
        issuer: issuer.url().to_owned(),
        subject: String::from("alice"),
        kind: Kind::Workload,
        groups: vec![String::from("okta:dba"), String::from("okta:staff")],
        email: Some(String::from("alice@example.com")),
        actors: Vec::new(),
        token: Some(String::from("t-1")),
        authenticated: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(exp - 660)),
        expires: SystemTime::UNIX_EPOCH + Duration::from_secs(exp),
    };
    assert_eq!(identity, expected);
}

#[tokio::test]
async fn an_address_counts_only_if_it_is_verified() {
    let issuer = Issuer::start().await.unwrap();
    for verified in [json!(false), json!("true"), json!(1), Value::Null] {
        let claims = alice().email("alice@example.com").set("email_verified", verified);
        assert_eq!(identity_of(&issuer, json!({}), claims).await.email, None);
    }
}

#[tokio::test]
async fn groups_are_found_where_the_configuration_says() {
    let issuer = Issuer::start().await.unwrap();
    let nested = json!({ "roles": ["dba"] });
    let table = [
        ("groups", alice().set("groups", "dba"), 1),
        ("groups", alice(), 0),
        ("groups", alice().set("groups", Value::Null), 0),
        ("groups", alice().groups([]), 0),
        ("realm_access.roles", alice().set("realm_access", nested.clone()), 1),
        ("realm_access.missing", alice().set("realm_access", nested), 0),
        ("https://example.com/groups", alice().set("https://example.com/groups", json!(["dba"])), 1),
        // An overage of other claims is no concern of these groups.
        ("roles", alice().set("roles", "dba").set("_claim_names", json!({ "groups": "src1" })), 1),
        ("groups", alice().groups(["dba"]).set("hasgroups", false), 1),
    ];
    for (path, claims, count) in table {
        let groups = identity_of(&issuer, json!({ "groups_claim": path }), claims.clone()).await.groups;
        assert_eq!(groups, vec!["okta:dba"; count], "{path} {claims:?}");
    }
}

#[tokio::test]
async fn actors_are_kept_outermost_first() {
    let issuer = Issuer::start().await.unwrap();
    let act = json!({ "sub": "agent", "iss": issuer.url(), "act": { "sub": "bot", "iss": "https://other.example" } });
    let actors = identity_of(&issuer, json!({}), alice().set("act", act)).await.actors;
    assert_eq!(actors, ["agent", "https://other.example#bot"]);
}

#[tokio::test]
async fn audiences_and_parties_are_accepted_as_configured() {
    let issuer = Issuer::start().await.unwrap();
    let several = || alice().audience(json!(["portcullis", "account"]));
    let table = [
        (json!({ "audience": ["first", "portcullis"] }), alice()),
        (json!({}), alice().set("azp", "any-application")),
        (json!({}), several().set("azp", "portcullis")),
        (json!({ "authorized_parties": ["psql"] }), several().set("azp", "psql")),
        (json!({ "authorized_parties": ["psql"] }), alice().set("azp", "psql")),
    ];
    for (more, claims) in table {
        assert_eq!(identity_of(&issuer, more, claims).await.subject, "alice");
    }
    let strict = oidc_with(&issuer, json!({ "authorized_parties": ["psql"] }), None, &Held::now());
    for claims in [alice().set("azp", "portcullis"), several().set("azp", "portcullis")] {
        assert_eq!(rejection(&strict, &issuer.mint(&claims)).await, Some(Rejection::AuthorizedParty));
    }
    assert_eq!(rejection(&strict, &issuer.mint(&alice())).await, Some(Rejection::MissingClaim("azp")));
}

#[tokio::test]
async fn two_issuers_admins_never_meet() {
    let (first, second) = (Issuer::start().await.unwrap(), Issuer::start().await.unwrap());
    let configs =
        vec![config(first.url(), json!({})), config(second.url(), json!({ "name": "ci", "kind": "workload" }))];
    let gate = Oidc::new(configs, None, Held::now()).unwrap();
    let admins = alice().groups(["admins"]);
    assert_eq!(identify(&gate, &first.mint(&admins)).await.unwrap().groups, ["okta:admins"]);
    assert_eq!(identify(&gate, &second.mint(&admins)).await.unwrap().groups, ["ci:admins"]);
    // A token that names one issuer and is signed by the other is worth nothing.
    let crossed = second.mint(&admins.set("iss", first.url()));
    assert_eq!(rejection(&gate, &crossed).await, Some(Rejection::Signature));
}
