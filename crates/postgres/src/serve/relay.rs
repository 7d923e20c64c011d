//! The relay: one task, two directions that never wait for each other, one writer a socket. It
//! carries bytes; what they mean is the conversation's business. The parts of its turn are in the files
//! of the side that they listen to.

mod cancels;
mod client;
mod end;
mod target;

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::BytesMut;
use portcullis_core::BoxFuture;
use portcullis_core::gate::Session;
use portcullis_core::guarded::Guarded;
use portcullis_core::masking::Field;
use portcullis_core::permit::{Outcome, Permit};
use portcullis_core::protocol::ServeError;
use portcullis_core::recording::Status;
use portcullis_core::sessions::{EndReason, Ending};
use portcullis_core::stream::BoxStream;

use self::cancels::Cancelling;
use self::client::Staged;
use self::end::{End, next_ending};
use super::Established;
use super::hold::Hold;
use super::pump::{FULL, Inbox, Outbox};
use super::target::TargetEnd;
use crate::Postgres;
use crate::cancel::CancelKey;
use crate::catalogue::Catalogue;
use crate::names::{Answers, SearchPath};
use crate::relations::Found;
use crate::session::Conversation;

/// A session whose both sides are logged in.
pub(super) struct Relay<'p> {
    postgres: &'p Postgres,
    client: BoxStream,
    target: Guarded<TargetEnd>,
    session: Session,
    connection: Permit,
    conversation: Conversation,
    database: String,
    catalogue: Arc<Catalogue>,
    key: CancelKey,
    target_key: Option<(u32, bytes::Bytes)>,
    from_client: Inbox,
    from_target: Inbox,
    to_client: Outbox,
    staged: Vec<Staged>,
    /// What a message of the client's needs: nothing more of it is decided meanwhile.
    lookup: Option<Lookup<'p>>,
    /// What an answer of the target's needs: nothing more of it is shown meanwhile.
    looking: Option<Lookup<'p>>,
    put_off: bool,
    cancelling: Option<Cancelling>,
    /// What waits for humans, and what the client is told of it once nothing is in its way.
    hold: Option<Hold<'p>>,
    notices: BytesMut,
    ending: BoxFuture<'static, Ending>,
    draining: Option<EndReason>,
    leaving: bool,
    /// The client has gone, and all that it said is dealt with.
    gone: bool,
    /// The target has been told that nothing more comes.
    hung_up: bool,
    holding: bool,
}

type Lookup<'p> = BoxFuture<'p, Result<(Answers, Found), ServeError>>;

impl<'p> Relay<'p> {
    pub(super) fn new(postgres: &'p Postgres, client: BoxStream, established: Established) -> Result<Self, ServeError> {
        let Established { session, connection, login, key, database, account } = established;
        let catalogue = postgres.catalogues.of(&database);
        let greeting = login.greeting;
        let path = SearchPath::of(greeting.path);
        let mut conversation =
            Conversation::new(&database, account, path, Arc::clone(&catalogue), &session.target().masking);
        for (name, value) in &greeting.parameters {
            // What the target reports of the path has `$user` in it; the answer above has not.
            if name == "search_path" {
                conversation.began_with_path(value);
            } else {
                conversation
                    .reported(name, value)
                    .map_err(|_| ServeError::Target(format!("its `{name}` is `{value}`, which is not supported")))?;
            }
        }
        Ok(Self {
            postgres,
            client,
            target: login.target,
            ending: next_ending(&session, Ending::NotYet),
            session,
            connection,
            conversation,
            database,
            catalogue,
            key,
            target_key: greeting.key,
            from_client: Inbox::new(),
            from_target: Inbox::new(),
            to_client: Outbox::default(),
            staged: Vec::new(),
            lookup: None,
            looking: None,
            put_off: false,
            cancelling: None,
            hold: None,
            notices: BytesMut::new(),
            draining: None,
            leaving: false,
            gone: false,
            hung_up: false,
            holding: false,
        })
    }

    /// Carries the session to its end.
    pub(super) async fn run(mut self) -> Result<(), ServeError> {
        let end = std::future::poll_fn(|cx| self.poll(cx)).await;
        let (reason, result) = match end {
            End::Quietly(reason) => (reason.to_owned(), Ok(())),
            End::Told(report, why) => {
                self.farewell(&report).await;
                (why.clone(), Err(ServeError::Refused(why)))
            }
            End::Broken(why) => (why.to_string(), Err(why)),
        };
        self.stop_target().await;
        self.session.close(reason);
        let said = Outcome {
            status: Status::Completed,
            message: self.connection.mask(&Field::CLEAN, b""),
            code: "",
            rows: 0,
            bytes: 0,
        };
        // The session is over either way, and its record says so when it is dropped.
        let _ = self.connection.finish(&said);
        result
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        loop {
            match self.turn(cx) {
                Ok(true) => {}
                Ok(false) => return Poll::Pending,
                Err(end) => return Poll::Ready(end),
            }
        }
    }

    /// Does everything that can be done now; says whether anything was.
    fn turn(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        let mut moved = self.hear_endings(cx)?;
        moved |= self.hear_cancels(cx);
        moved |= self.hear_lookup(cx)?;
        moved |= self.hear_target(cx)?;
        moved |= self.hear_humans(cx)?;
        moved |= self.hear_client(cx)?;
        // Where an outbox is full, the other side is not listened to, and has to be once it is empty.
        let (target_full, client_full) = (self.target.peek().waiting() >= FULL, self.to_client.waiting() >= FULL);
        let sent_on = match self.target.poll_flush(cx) {
            Poll::Ready(Err(why)) => return Err(End::Broken(ServeError::TargetIo(why))),
            Poll::Ready(Ok(())) => {
                self.hang_up(cx)?;
                true
            }
            Poll::Pending => false,
        };
        let sent_back = match self.to_client.poll_send(cx, &mut self.client) {
            Poll::Ready(Err(why)) => return Err(End::Broken(ServeError::ClientIo(why))),
            Poll::Ready(Ok(())) => {
                self.check_over()?;
                true
            }
            Poll::Pending => false,
        };
        Ok(moved || (target_full && sent_on) || (client_full && sent_back))
    }
}
