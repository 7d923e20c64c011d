//! The conformance suite: the rules that every protocol must keep, each a test.
//!
//! A protocol gives a [`Subject`]: how its clients speak, and a scripted target. The rules know no
//! wire format. [`conformance!`](crate::conformance!) makes a test of each rule.

mod rules;
mod stage;

use portcullis_core::masking::{Settings, Tag};
use portcullis_core::protocol::Protocol;
use portcullis_core::stream::BoxStream;

use crate::fakes::Received;

pub use rules::*;
pub use stage::block_on;

/// What a scripted client asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// Something harmless with a short answer.
    Allowed,
    /// Something whose effects include [`Subject::GUARDED_ACTION`].
    Guarded,
    /// Something whose answer goes on until the connection ends.
    Endless,
}

/// What a scripted client hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// The operation was done; the reply's bytes.
    Done(Vec<u8>),
    /// A native error; its text.
    Error(String),
    /// The connection ended, with its last native error where there was one.
    Closed(Option<String>),
}

/// A protocol under the conformance suite.
pub trait Subject: 'static {
    /// The protocol.
    type Protocol: Protocol;
    /// A logged-in client.
    type Client: ScriptedClient;
    /// The action of [`Ask::Guarded`].
    const GUARDED_ACTION: &'static str;
    /// Bytes that only [`Ask::Guarded`] contains.
    const GUARDED_BYTES: &'static [u8];
    /// A value in the answer to [`Ask::Allowed`].
    const VALUE: &'static [u8];

    /// The protocol's configuration for the scripted target.
    fn config() -> <Self::Protocol as Protocol>::Config;

    /// Serves one connection as the target.
    fn target(stream: BoxStream) -> impl Future<Output = ()> + Send;

    /// Whether the target's bytes are encrypted on the wire. Such a target is served by
    /// [`hearing_target`](Subject::hearing_target) instead.
    const SEALED: bool = false;

    /// Serves one connection as the target, and writes down every operation's bytes as it hears them.
    fn hearing_target(stream: BoxStream, _received: Received) -> impl Future<Output = ()> + Send {
        Self::target(stream)
    }

    /// What hides [`VALUE`](Subject::VALUE) under the tag `secret`: all columns, where there are any.
    fn masking() -> Settings {
        Settings { columns: vec![("*.*.*".into(), Tag::new("secret"))], ..Settings::default() }
    }

    /// Logs in with a token; an error is what the client was told.
    fn log_in(stream: BoxStream, token: &str) -> impl Future<Output = Result<Self::Client, String>> + Send;

    /// First bytes that are no login, each of which must end the connection.
    fn bad_beginnings() -> Vec<Vec<u8>>;

    /// Messages inside a session that are malformed, oversize or unknown, each of which must end
    /// the session without reaching the target.
    fn bad_messages() -> Vec<Vec<u8>>;
}

/// A logged-in client of a scripted conversation.
pub trait ScriptedClient: Send {
    /// Asks and waits for the whole answer; for [`Ask::Endless`], for its beginning.
    fn ask(&mut self, ask: Ask) -> impl Future<Output = Heard> + Send;

    /// Sends several asks at once, then hears every answer.
    fn pipeline(&mut self, asks: &[Ask]) -> impl Future<Output = Vec<Heard>> + Send;

    /// Sends raw bytes and hears what comes.
    fn raw(&mut self, bytes: &[u8]) -> impl Future<Output = Heard> + Send;

    /// Reads on until the connection ends.
    fn until_closed(&mut self) -> impl Future<Output = Heard> + Send;
}

/// Makes a test of each rule for a [`Subject`]. A rule that has no meaning in a protocol is left out
/// by name, with the reason: `conformance!(Subject, without plaintext_downgrade_is_refused: "…")`.
#[macro_export]
macro_rules! conformance {
    ($subject:ty) => {
        $crate::conformance!(@common $subject);
        $crate::conformance!(@rules $subject: plaintext_downgrade_is_refused);
    };
    ($subject:ty, without plaintext_downgrade_is_refused: $reason:literal) => {
        $crate::conformance!(@common $subject);
    };
    (@common $subject:ty) => {
        $crate::conformance!(@rules $subject:
            unidentified_client_causes_no_dial
            none_of_a_denied_operations_bytes_reach_the_target
            denied_client_gets_a_native_error_and_may_continue
            allowed_round_trip_is_byte_identical
            every_operation_has_one_decision_and_one_outcome_in_order
            failure_of_identity_refuses
            pending_holds_then_forwards_the_same_bytes
            approval_timeout_refuses
            client_gone_withdraws_the_ask
            failure_of_approvals_refuses
            masked_value_is_in_neither_reply_nor_record
            failure_to_open_a_recording_refuses
            failure_to_append_refuses
            failure_to_commit_refuses
            reload_applies_to_the_next_operation
            revocation_ends_a_running_stream
            any_rechunking_gives_the_same_operations
            pipelined_operations_keep_order_past_a_denial
            bad_beginnings_close_without_panic
            bad_messages_close_without_panic_and_are_not_relayed
            drain_finishes_what_runs_and_refuses_what_is_new
        );
    };
    (@rules $subject:ty: $($rule:ident)*) => {
        $(
            #[test]
            fn $rule() {
                $crate::conformance::block_on($crate::conformance::$rule::<$subject>());
            }
        )*
    };
}
