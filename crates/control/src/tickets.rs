//! The desk of tickets: short texts, good once, at one target, for a minute, for clients that can send a
//! short password only. They are kept in memory, hashed, and end with the process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_core::clock::Clock;
use portcullis_core::identity::{Identity, TICKET_PREFIX, Tickets};
use portcullis_core::secret::Secret;
use portcullis_core::sessions::Revocation;

/// How long a ticket is good.
const LASTS: Duration = Duration::from_secs(60);

/// Random bytes of a ticket.
const BYTES: usize = 20;

/// The most tickets at a time, of all people and of one.
const MAX_TICKETS: usize = 10_000;
const MAX_EACH: usize = 32;

/// The tickets of one gate.
pub struct TicketDesk {
    clock: Arc<dyn Clock>,
    good: Mutex<HashMap<[u8; 32], Kept>>,
}

/// What is known of a ticket.
struct Kept {
    identity: Identity,
    target: String,
    until: SystemTime,
}

/// A ticket that was made. Nobody else has its text.
#[derive(Debug)]
pub struct Made {
    /// What the client sends as its password.
    pub text: Secret<String>,
    /// Until when it is good.
    pub until: SystemTime,
}

impl std::fmt::Debug for TicketDesk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TicketDesk").finish_non_exhaustive()
    }
}

impl TicketDesk {
    /// A desk that goes by this clock.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, good: Mutex::default() }
    }

    /// Makes a ticket for whoever this is; none where too many are out. It lasts no longer than what
    /// proved them.
    pub fn make(&self, identity: &Identity, target: &str) -> Option<Made> {
        let now = self.clock.now();
        let until = now.checked_add(LASTS)?.min(identity.expires);
        let text = Secret::new(format!("{TICKET_PREFIX}{}", URL_SAFE_NO_PAD.encode(rand::random::<[u8; BYTES]>())));
        let mut good = self.lock();
        good.retain(|_, kept| now < kept.until);
        let is_theirs =
            |kept: &&Kept| kept.identity.issuer == identity.issuer && kept.identity.subject == identity.subject;
        if good.len() >= MAX_TICKETS || good.values().filter(is_theirs).count() >= MAX_EACH {
            return None;
        }
        good.insert(hash(&text), Kept { identity: identity.clone(), target: target.to_owned(), until });
        Some(Made { text, until })
    }

    /// Forgets the tickets of whoever this is about.
    pub fn revoke(&self, what: &Revocation) {
        // A ticket is of no session yet.
        self.lock().retain(|_, kept| !what.covers("", &kept.identity));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], Kept>> {
        // Every critical section leaves the map whole, so a poisoned lock is still good.
        self.good.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tickets for TicketDesk {
    fn redeem(&self, target: &str, ticket: &Secret<String>) -> Option<Identity> {
        // Whatever comes of it, it was shown.
        let kept = self.lock().remove(&hash(ticket))?;
        (kept.target == target && self.clock.now() < kept.until).then_some(kept.identity)
    }
}

/// Only this is kept. It is long and random, so no salt makes guessing harder.
fn hash(ticket: &Secret<String>) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, ticket.expose().as_bytes()).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use portcullis_core::identity::Kind;

    use super::*;

    /// A clock that stands until it is set.
    struct Set(Mutex<SystemTime>);

    impl Clock for Set {
        fn now(&self) -> SystemTime {
            *self.0.lock().unwrap()
        }
    }

    struct Scene {
        clock: Arc<Set>,
        desk: TicketDesk,
    }

    impl Scene {
        fn new() -> Self {
            let clock = Arc::new(Set(Mutex::new(SystemTime::UNIX_EPOCH)));
            Self { desk: TicketDesk::new(Arc::clone(&clock) as _), clock }
        }

        fn later(&self, seconds: u64) {
            *self.clock.0.lock().unwrap() += Duration::from_secs(seconds);
        }

        fn made(&self, subject: &str, target: &str) -> Secret<String> {
            self.desk.make(&somebody(subject), target).unwrap().text
        }

        fn redeemed(&self, target: &str, ticket: &Secret<String>) -> Option<String> {
            self.desk.redeem(target, ticket).map(|identity| identity.subject)
        }
    }

    fn somebody(subject: &str) -> Identity {
        Identity {
            issuer: "https://id.example.com".into(),
            subject: subject.into(),
            kind: Kind::User,
            groups: Vec::new(),
            email: None,
            actors: Vec::new(),
            token: Some(format!("jti-{subject}")),
            authenticated: None,
            expires: SystemTime::UNIX_EPOCH + Duration::from_secs(3600),
        }
    }

    #[test]
    fn ticket_is_good_once() {
        let scene = Scene::new();
        let ticket = scene.made("dana", "shop");
        assert!(ticket.expose().starts_with("pct_") && ticket.expose().len() == 31, "{}", ticket.expose());
        assert_eq!(scene.redeemed("shop", &ticket).as_deref(), Some("dana"));
        assert_eq!(scene.redeemed("shop", &ticket), None);
    }

    #[test]
    fn ticket_is_good_at_its_target_alone_and_used_up_at_another() {
        let scene = Scene::new();
        let ticket = scene.made("dana", "shop");
        assert_eq!(scene.redeemed("stock", &ticket), None);
        assert_eq!(scene.redeemed("shop", &ticket), None);
    }

    #[test]
    fn ticket_is_good_for_a_minute_and_no_longer_than_what_proved_its_owner() {
        let scene = Scene::new();
        let ticket = scene.made("dana", "shop");
        scene.later(59);
        let other = scene.made("dana", "shop");
        scene.later(1);
        assert_eq!(scene.redeemed("shop", &ticket), None);
        assert!(scene.redeemed("shop", &other).is_some());
        scene.later(3600 - 61);
        let last = scene.made("dana", "shop");
        scene.later(1);
        assert_eq!(scene.redeemed("shop", &last), None);
    }

    #[test]
    fn one_person_cannot_use_up_all_and_old_ones_make_room() {
        let scene = Scene::new();
        for _ in 0..MAX_EACH {
            scene.made("dana", "shop");
        }
        assert!(scene.desk.make(&somebody("dana"), "shop").is_none());
        scene.made("erin", "shop");
        scene.later(60);
        scene.made("dana", "shop");
    }

    #[test]
    fn revocation_reaches_tickets_that_were_not_used_yet() {
        let scene = Scene::new();
        let (dana, erin) = (scene.made("dana", "shop"), scene.made("erin", "shop"));
        scene.desk.revoke(&Revocation::Token("jti-dana".into()));
        assert_eq!(scene.redeemed("shop", &dana), None);
        assert!(scene.redeemed("shop", &erin).is_some());
    }
}
