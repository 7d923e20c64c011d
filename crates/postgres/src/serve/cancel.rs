//! Sending a cancel request to the target, with the target's own key, on a connection of its own.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use pgwire::messages::cancel::CancelRequest;
use pgwire::messages::startup::SecretKey;
use portcullis_core::masking::Field;
use portcullis_core::permit::{Outcome, Permit};
use portcullis_core::protocol::ServeError;
use portcullis_core::recording::Status;
use portcullis_core::stream::Connector;
use tokio::io::AsyncReadExt;

use super::packets::send as send_bytes;
use super::target::connect;
use crate::wire::write;

/// Cancels what runs on the target under this process and key.
pub(super) async fn send(connector: Arc<dyn Connector>, process: u32, key: Bytes) -> Result<(), ServeError> {
    let (mut stream, _) = connect(connector.as_ref()).await?;
    let mut out = BytesMut::new();
    write::message(&mut out, &CancelRequest::new(process.cast_signed(), SecretKey::Bytes(key)));
    send_bytes(&mut stream, &out).await.map_err(ServeError::TargetIo)?;
    // The target closes when it has dealt with the request; it says nothing.
    let _ = stream.read_u8().await;
    Ok(())
}

/// Records how a cancel request ended.
pub(super) fn finish(mut permit: Permit, sent: bool) {
    let status = if sent { Status::Completed } else { Status::Failed };
    let message = permit.mask(&Field::CLEAN, b"cancel request");
    // A recorder that fails here refuses the session's next operation.
    let _ = permit.finish(&Outcome { status, message, code: "", rows: 0, bytes: 0 });
}
