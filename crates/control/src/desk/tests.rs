use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use portcullis_core::approval::Verdict;
use portcullis_core::identity::{Identity, Kind};
use portcullis_core::operation::{Effect, Effects, Resource};
use portcullis_core::policy::{self, Ruling, Subject};
use portcullis_core::vocabulary::Action;

use super::*;
use crate::store::Sqlite;

/// A clock that a test moves.
#[derive(Default)]
struct Moved(AtomicU64);

impl Moved {
    fn forward(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }

    fn back(&self, seconds: u64) {
        self.0.fetch_sub(seconds, Ordering::SeqCst);
    }
}

impl Clock for Moved {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + self.0.load(Ordering::SeqCst))
    }
}

struct Room {
    desk: Arc<Desk>,
    clock: Arc<Moved>,
    _folder: Option<tempfile::TempDir>,
}

async fn room() -> Room {
    let folder = tempfile::tempdir().unwrap();
    let room = at(folder.path()).await;
    Room { _folder: Some(folder), ..room }
}

async fn at(folder: &Path) -> Room {
    let clock: Arc<Moved> = Arc::default();
    let store = Sqlite::open(&folder.join("control.sqlite")).await.unwrap();
    let desk = Desk::open(Arc::new(store), Arc::clone(&clock) as _).await.unwrap();
    Room { desk, clock, _folder: None }
}

fn subject(name: &str) -> Subject {
    let identity = Identity {
        issuer: "https://id.example.com".into(),
        subject: name.into(),
        kind: Kind::User,
        groups: vec!["vendors".into()],
        email: Some(format!("{name}@example.com")),
        actors: Vec::new(),
        token: None,
        authenticated: None,
        expires: SystemTime::UNIX_EPOCH,
    };
    let client = Ipv4Addr::LOCALHOST.into();
    Subject::new(identity, "shop".into(), Vec::new(), "sql", client, "psql".into(), SystemTime::UNIX_EPOCH)
}

impl Room {
    fn put_as(&self, name: &str, fingerprint: u8, quorum: u32) -> Result<Place, &'static str> {
        self.put_for(Duration::from_secs(60), name, fingerprint, quorum)
    }

    fn put_for(&self, ttl: Duration, name: &str, fingerprint: u8, quorum: u32) -> Result<Place, &'static str> {
        let terms = policy::Terms { groups: vec![vec!["dba".into()]], quorum, ttl };
        let ruling = Ruling {
            decision: Decision::AskFirst(terms),
            policies: vec!["p".into()],
            reason: "risky".into(),
            revision: Arc::from("r1"),
        };
        let resource = Resource::new("Table", ["shop", "public", "t"]);
        let effects = Effects::new(vec![Effect {
            action: Action::new("sql:delete"),
            resource,
            facts: std::collections::BTreeMap::new(),
        }]);
        let subject = subject(name);
        self.desk.put(&approval::Ask {
            subject: &subject,
            session: "gate-0000000001",
            statement: b"DELETE FROM t",
            values: b"$1 = '7'\n",
            effects: &effects,
            account: "app",
            in_transaction: true,
            fingerprint: &[fingerprint; 32],
            ruling: &ruling,
            asked: SystemTime::UNIX_EPOCH,
        })
    }

    fn put(&self, fingerprint: u8) -> Place {
        self.put_as("vendor", fingerprint, 1).unwrap()
    }

    async fn yes(&self, id: &str) -> Result<Ask, DeskError> {
        self.desk.answer(id, dba("dana"), true, "checked".into()).await
    }

    async fn state(&self, id: &str) -> State {
        self.desk.show(&|ask| ask.is_for(&dba("dana")), id).await.unwrap().state
    }

    async fn until(&self, id: &str, state: State) {
        let waiting = async {
            while self.desk.show(&|ask| ask.is_for(&dba("dana")), id).await.map_or(true, |ask| ask.state != state) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        assert!(tokio::time::timeout(Duration::from_secs(10), waiting).await.is_ok(), "it is not {}", state.word());
    }
}

fn dba(name: &str) -> Person {
    crate::ask::tests::person(name, &["dba"])
}

fn approved(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Approved(said) if said.len() == 1 && said[0].starts_with("dana@example.com at "))
}

#[tokio::test]
async fn what_is_approved_goes_on_once() {
    let room = room().await;
    let place = room.put(1);
    let id = place.id().to_owned();
    let waiting = tokio::spawn(place.verdict());
    room.until(&id, State::Pending).await;
    let shown = room.desk.show(&|ask| ask.is_for(&dba("dana")), &id).await.unwrap();
    assert_eq!(
        (&shown.statement[..], &*shown.values, shown.in_transaction),
        (&b"DELETE FROM t"[..], "$1 = '7'\n", true)
    );
    room.yes(&id).await.unwrap();
    let verdict = waiting.await.unwrap();
    assert!(approved(&verdict), "{verdict:?}");
    assert_eq!(room.state(&id).await, State::Used);
    // Asked again, it is another ask.
    assert_ne!(room.put(1).id(), id);
}

#[tokio::test]
async fn clients_that_ask_the_same_share_one_ask_and_one_of_them_goes_on() {
    let room = room().await;
    let (one, other) = (room.put(1), room.put(1));
    assert_eq!(one.id(), other.id());
    assert_ne!(one.id(), room.put(2).id());
    let id = one.id().to_owned();
    let (one, other) = (tokio::spawn(one.verdict()), tokio::spawn(other.verdict()));
    room.until(&id, State::Pending).await;
    room.yes(&id).await.unwrap();
    let verdicts = [one.await.unwrap(), other.await.unwrap()];
    assert_eq!(verdicts.iter().filter(|verdict| approved(verdict)).count(), 1, "{verdicts:?}");
    assert!(verdicts.iter().any(|verdict| matches!(verdict, Verdict::Lost(_))), "{verdicts:?}");
}

#[tokio::test]
async fn denied_and_revoked_say_who_and_why() {
    let room = room().await;
    for (number, revokes) in [(1, false), (2, true)] {
        let place = room.put(number);
        let id = place.id().to_owned();
        let waiting = tokio::spawn(place.verdict());
        room.until(&id, State::Pending).await;
        if revokes {
            room.desk.revoke(&|ask| ask.is_for(&dba("dana")), &id, dba("dana"), "not today".into()).await.unwrap();
        } else {
            room.desk.answer(&id, dba("dana"), false, "not today".into()).await.unwrap();
        }
        assert_eq!(waiting.await.unwrap(), Verdict::Denied("dana@example.com: not today".into()));
    }
}

#[tokio::test]
async fn clock_on_the_wall_ends_it_wherever_it_is_moved() {
    let room = room().await;
    let place = room.put(1);
    let id = place.id().to_owned();
    let waiting = tokio::spawn(place.verdict());
    room.until(&id, State::Pending).await;
    room.clock.forward(59);
    room.desk.sweep().await.unwrap();
    assert_eq!(room.state(&id).await, State::Pending);
    room.clock.forward(1);
    assert!(matches!(room.yes(&id).await, Err(DeskError::Unanswerable(Unanswerable::Expired))));
    room.desk.sweep().await.unwrap();
    assert_eq!(waiting.await.unwrap(), Verdict::Expired);
    room.clock.back(60);
    assert!(matches!(room.yes(&id).await, Err(DeskError::Unanswerable(Unanswerable::Over(State::Expired)))));
}

#[tokio::test]
async fn client_does_not_wait_longer_because_the_clock_stands_still() {
    let room = room().await;
    let place = room.put_for(Duration::from_millis(100), "vendor", 1, 1).unwrap();
    let id = place.id().to_owned();
    let verdict = tokio::time::timeout(Duration::from_secs(10), place.verdict()).await;
    assert_eq!(verdict.ok(), Some(Verdict::Expired));
    assert_eq!(room.state(&id).await, State::Expired);
}

#[tokio::test]
async fn last_client_to_go_withdraws_the_ask() {
    let room = room().await;
    let (one, other) = (room.put(1), room.put(1));
    let id = one.id().to_owned();
    let waiting = tokio::spawn(one.verdict());
    room.until(&id, State::Pending).await;
    drop(other);
    room.desk.sweep().await.unwrap();
    assert_eq!(room.state(&id).await, State::Pending);
    waiting.abort();
    assert!(waiting.await.is_err());
    room.desk.someone_left().await;
    room.desk.sweep().await.unwrap();
    assert_eq!(room.state(&id).await, State::Withdrawn);
    assert!(matches!(room.yes(&id).await, Err(DeskError::Unanswerable(Unanswerable::Over(State::Withdrawn)))));
}

#[tokio::test]
async fn restart_loses_no_ask_and_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    let first = at(folder.path()).await;
    let place = first.put_as("vendor", 1, 2).unwrap();
    let id = place.id().to_owned();
    let waiting = tokio::spawn(place.verdict());
    first.until(&id, State::Pending).await;
    first.yes(&id).await.unwrap();
    first.desk.close();
    waiting.abort();
    assert!(waiting.await.is_err());
    drop(first);
    let second = at(folder.path()).await;
    let ask = second.desk.show(&|ask| ask.is_for(&dba("dana")), &id).await.unwrap();
    assert_eq!((ask.state, ask.answers.len()), (State::Pending, 1));
    assert!(matches!(second.yes(&id).await, Err(DeskError::Unanswerable(Unanswerable::Twice))));
    second.desk.answer(&id, dba("erin"), true, "me too".into()).await.unwrap();
    assert_eq!(second.state(&id).await, State::Approved);
    drop(second);
    // The client comes back, joins it, and goes on at once, once.
    let third = at(folder.path()).await;
    let place = third.put(1);
    assert_eq!(place.id(), id);
    assert!(matches!(place.verdict().await, Verdict::Approved(said) if said.len() == 2));
    assert_eq!(third.state(&id).await, State::Used);
}

#[tokio::test]
async fn approval_that_nobody_used_can_be_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let room = at(folder.path()).await;
    let place = room.put(1);
    let id = place.id().to_owned();
    room.desk.begin(&id).await.unwrap();
    room.desk.close();
    drop(place);
    room.yes(&id).await.unwrap();
    room.desk.revoke(&|ask| ask.is_for(&dba("erin")), &id, dba("erin"), "a mistake".into()).await.unwrap();
    assert!(matches!(
        room.desk.revoke(&|ask| ask.is_for(&dba("erin")), &id, dba("erin"), "again".into()).await,
        Err(DeskError::Unanswerable(Unanswerable::Over(State::Revoked)))
    ));
    assert_ne!(room.put(1).id(), id);
}

#[tokio::test]
async fn gate_that_goes_away_leaves_the_approval_for_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let first = at(folder.path()).await;
    let place = first.put(1);
    let id = place.id().to_owned();
    let waiting = tokio::spawn(place.verdict());
    first.until(&id, State::Pending).await;
    first.desk.close();
    first.yes(&id).await.unwrap();
    assert!(matches!(waiting.await.unwrap(), Verdict::Lost(_)));
    first.desk.sweep().await.unwrap();
    drop(first);
    let second = at(folder.path()).await;
    assert!(approved(&second.put(1).verdict().await));
}

#[tokio::test]
async fn asks_of_a_revoked_identity_are_revoked() {
    let room = room().await;
    let (theirs, others) = (room.put(1), room.put_as("other", 2, 1).unwrap());
    room.desk.begin(theirs.id()).await.unwrap();
    room.desk.begin(others.id()).await.unwrap();
    room.desk.revoke_all("https://id.example.com", "vendor", &dba("dana")).await.unwrap();
    assert_eq!(room.state(theirs.id()).await, State::Revoked);
    assert_eq!(room.state(others.id()).await, State::Pending);
    assert!(matches!(theirs.verdict().await, Verdict::Denied(why) if why.contains("dana")));
}

#[tokio::test]
async fn only_who_may_see_an_ask_learns_that_it_is_there() {
    let room = room().await;
    let place = room.put(1);
    room.desk.begin(place.id()).await.unwrap();
    let eve = crate::ask::tests::person("eve", &["vendors"]);
    assert!(matches!(room.desk.show(&|ask| ask.is_for(&eve), place.id()).await, Err(DeskError::Unknown(_))));
    let answered = room.desk.answer(place.id(), eve.clone(), true, "x".into()).await;
    assert!(matches!(answered, Err(DeskError::Unknown(_))));
    assert!(room.desk.list(&|ask| ask.is_for(&eve), &State::ALL, 10).await.unwrap().is_empty());
    assert_eq!(room.desk.list(&|ask| ask.is_for(&dba("dana")), &[State::Pending], 10).await.unwrap().len(), 1);
    assert!(room.desk.list(&|ask| ask.is_for(&dba("dana")), &[State::Used], 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn asks_of_others_do_not_bury_an_open_one() {
    let room = room().await;
    let (own, other) = (room.put(1), room.put_as("other", 2, 1).unwrap());
    room.desk.begin(own.id()).await.unwrap();
    room.clock.forward(1);
    room.desk.begin(other.id()).await.unwrap();
    let vendor = crate::ask::tests::person("vendor", &[]);
    for states in [&[State::Pending][..], &State::ALL] {
        let listed = room.desk.list(&|ask| ask.is_for(&vendor), states, 1).await.unwrap();
        assert_eq!(listed.iter().map(|ask| ask.id.as_str()).collect::<Vec<_>>(), [own.id()]);
    }
}

#[tokio::test]
async fn one_requester_cannot_fill_the_desk() {
    let room = room().await;
    let places: Vec<_> = (0..u8::try_from(MAX_OWN).unwrap()).map(|number| room.put(number)).collect();
    assert!(room.put_as("vendor", 255, 1).is_err());
    assert!(room.put_as("other", 255, 1).is_ok());
    drop(places);
    assert!(room.put_as("vendor", 255, 1).is_ok());
}

#[tokio::test]
async fn store_that_fails_loses_the_ask_and_says_so() {
    struct Broken;
    impl Store for Broken {
        fn put<'a>(&'a self, _: &'a Ask) -> portcullis_core::BoxFuture<'a, Result<(), StoreError>> {
            Box::pin(async { Err(StoreError("the disk is full".into())) })
        }
        fn get<'a>(&'a self, _: &'a str) -> portcullis_core::BoxFuture<'a, Result<Option<Ask>, StoreError>> {
            Box::pin(async { Ok(None) })
        }
        fn latest<'a>(
            &'a self,
            _: &'a [State],
            _: u32,
        ) -> portcullis_core::BoxFuture<'a, Result<Vec<Ask>, StoreError>> {
            Box::pin(async { Ok(Vec::new()) })
        }
    }
    let clock: Arc<Moved> = Arc::default();
    let desk = Desk::open(Arc::new(Broken), Arc::clone(&clock) as _).await.unwrap();
    let room = Room { desk, clock, _folder: None };
    assert!(matches!(room.put(1).verdict().await, Verdict::Lost(_)));
}
