//! Tickets over the API: who may make one, for what, and what is recorded of it.

use portcullis_control::api::Ticket;
use portcullis_core::secret::Secret;
use portcullis_testkit::fakes::Failing;
use reqwest::Method;
use serde_json::json;

use crate::Plane;

impl Plane {
    async fn ticket(&self) -> Ticket {
        self.good(Method::POST, "operator", "tickets", Some(json!({ "target": "shop" }))).await
    }

    /// Whom a ticket names at a target.
    fn named(&self, target: &str, ticket: &Ticket) -> Option<String> {
        self.tickets.redeem(target, &Secret::new(ticket.ticket.clone())).map(|identity| identity.subject)
    }
}

#[tokio::test]
async fn ticket_stands_for_whoever_made_it_and_its_making_is_recorded_without_it() {
    let plane = Plane::start().await;
    let ticket = plane.ticket().await;
    assert_eq!(ticket.target, "shop");
    let until: jiff::Timestamp = ticket.expires_at.parse().unwrap();
    let left = until.duration_since(jiff::Timestamp::now()).as_secs();
    assert!((50..=60).contains(&left), "{left}");
    let recorded = serde_json::to_string(&plane.recorder.events()).unwrap();
    assert!(recorded.contains("control:tickets:make"), "{recorded}");
    assert!(!recorded.contains(&ticket.ticket), "{recorded}");
    assert_eq!(plane.named("shop", &ticket).as_deref(), Some("olga"));
    assert_eq!(plane.named("shop", &ticket), None);
}

#[tokio::test]
async fn ticket_is_made_by_permit_alone_for_a_target_that_is_there() {
    let plane = Plane::start().await;
    let refused = async |token, target: &str| {
        plane.refused(Method::POST, token, "tickets", Some(json!({ "target": target }))).await
    };
    assert_eq!(refused("eve", "shop").await, (403, "not-permitted".into()));
    assert_eq!(refused("operator", "nowhere").await, (404, "no-such-target".into()));
    plane.recorder.fail(Failing::Commit);
    assert_eq!(refused("operator", "shop").await, (503, "audit-failed".into()));
}

#[tokio::test]
async fn ticket_opens_nothing_but_its_target() {
    let plane = Plane::start().await;
    let ticket = plane.ticket().await;
    for path in ["me", "tunnel/shop"] {
        let (status, _) = plane.status(Method::GET, &ticket.ticket, path, None).await;
        assert_eq!(status, 401, "{path}");
    }
    assert!(plane.named("shop", &ticket).is_some(), "it was used up elsewhere");
}

#[tokio::test]
async fn revocation_of_somebody_reaches_their_tickets() {
    let plane = Plane::start().await;
    let ticket = plane.ticket().await;
    let ends = json!({ "identity": { "issuer": "https://id.example.com", "subject": "olga" } });
    let _: portcullis_control::api::Ended = plane.good(Method::POST, "operator", "revocations", Some(ends)).await;
    assert_eq!(plane.named("shop", &ticket), None);
}
