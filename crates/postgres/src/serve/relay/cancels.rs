//! Cancel requests for this session, which come over connections of their own.

use std::sync::Arc;
use std::task::{Context, Poll};

use portcullis_core::BoxFuture;
use portcullis_core::gate::Answer;
use portcullis_core::masking::Tags;
use portcullis_core::operation::{Operation, Parameters};
use portcullis_core::permit::Permit;

use super::Relay;
use super::end::FAREWELL;
use crate::cancel::Told;
use crate::classify;
use crate::serve::cancel;

/// A cancel request on its way to the target.
pub(super) struct Cancelling {
    pub(super) sending: BoxFuture<'static, bool>,
    pub(super) permit: Permit,
    pub(super) _told: Told,
}

impl Relay<'_> {
    /// A cancel request is an operation, too, and goes its own way to the target.
    pub(super) fn hear_cancels(&mut self, cx: &mut Context<'_>) -> bool {
        if let Some(cancelling) = &mut self.cancelling {
            let Poll::Ready(sent) = cancelling.sending.as_mut().poll(cx) else { return false };
            if let Some(Cancelling { permit, .. }) = self.cancelling.take() {
                cancel::finish(permit, sent);
            }
            return true;
        }
        let Poll::Ready(Some(told)) = self.key.poll_request(cx) else { return false };
        let effects = classify::cancel(&self.database);
        let operation = Operation {
            kind: "cancel",
            statement: b"",
            parameters: Parameters::default(),
            effects: &effects,
            account: self.conversation.account(),
            in_transaction: false,
            carries: Tags::NONE,
        };
        let answer = self.session.decide(&operation);
        // What has not begun needs no permit to be given up.
        let withdrawn = self.withdraw_hold();
        if let (Answer::Permit(permit), Some((process, key))) = (answer, self.target_key.clone())
            // no record, no request
            && self.target.lend(&permit).is_ok()
        {
            if withdrawn && self.conversation.is_answered() {
                // Nothing runs on the target, and what comes next is not to be cancelled.
                cancel::finish(permit, true);
                return true;
            }
            let sending = cancel::send(Arc::clone(&self.session.target().connector), process, key);
            let sending = async move { matches!(tokio::time::timeout(FAREWELL, sending).await, Ok(Ok(()))) };
            self.cancelling = Some(Cancelling { sending: Box::pin(sending), permit, _told: told });
        }
        true
    }
}
