//! Tickets before tokens: what begins as tickets do is looked for among them, and nowhere else. All that is
//! wrong with a ticket is refused alike.

use std::sync::Arc;

use portcullis_core::BoxFuture;
use portcullis_core::identity::{Discovery, Identity, IdentityError, IdentitySource, Proof, TICKET_PREFIX, Tickets};

/// Takes the tickets of one target, and tokens.
pub struct WithTickets {
    /// Who knows the tickets.
    pub tickets: Arc<dyn Tickets>,
    /// The target at which they are shown.
    pub target: String,
    /// Who verifies all else.
    pub tokens: Arc<dyn IdentitySource>,
}

impl IdentitySource for WithTickets {
    fn identify<'a>(&'a self, proof: &'a Proof) -> BoxFuture<'a, Result<Identity, IdentityError>> {
        let Proof::Bearer(text) = proof;
        if !text.expose().starts_with(TICKET_PREFIX) {
            return self.tokens.identify(proof);
        }
        let redeemed = self.tickets.redeem(&self.target, text);
        Box::pin(async { redeemed.ok_or_else(|| IdentityError::Rejected(String::from("the ticket is not good"))) })
    }

    fn discovery(&self) -> Option<Discovery> {
        self.tokens.discovery()
    }
}

#[cfg(test)]
mod tests {
    use portcullis_core::secret::Secret;
    use portcullis_testkit::fakes::{FakeIdentity, TOKEN};

    use super::*;

    /// Good at `shop`, and named like the target.
    struct Desk;

    impl Tickets for Desk {
        fn redeem(&self, target: &str, ticket: &Secret<String>) -> Option<Identity> {
            (target == "shop" && ticket.expose() == "pct_good").then(|| Identity {
                issuer: "https://id.example.com".into(),
                subject: "dana".into(),
                kind: portcullis_core::identity::Kind::User,
                groups: Vec::new(),
                email: None,
                actors: Vec::new(),
                token: None,
                authenticated: None,
                expires: std::time::SystemTime::UNIX_EPOCH,
            })
        }
    }

    async fn shown(target: &str, text: &str) -> Result<String, String> {
        let source =
            WithTickets { tickets: Arc::new(Desk), target: target.into(), tokens: Arc::new(FakeIdentity::default()) };
        let proof = Proof::Bearer(Secret::new(text.to_owned()));
        source.identify(&proof).await.map(|identity| identity.subject).map_err(|why| why.to_string())
    }

    #[tokio::test]
    async fn tickets_are_looked_for_among_tickets_and_tokens_among_tokens() {
        assert_eq!(shown("shop", "pct_good").await, Ok("dana".into()));
        let refused = Err("the ticket is not good".into());
        assert_eq!(shown("shop", "pct_bad").await, refused);
        assert_eq!(shown("stock", "pct_good").await, refused);
        assert_ne!(shown("shop", TOKEN).await, Ok("dana".into()));
        assert!(shown("shop", TOKEN).await.is_ok());
        assert_ne!(shown("shop", "good").await, refused);
    }
}
