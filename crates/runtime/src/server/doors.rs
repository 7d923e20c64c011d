//! Doors: how a client that came another way than through its target's own port is served as if it
//! had come through that. Who it is it has shown before; whether that is good is for its session to
//! find out, as ever. This knows nothing of how its bytes are carried.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use portcullis_core::BoxFuture;
use portcullis_core::identity::Proof;
use portcullis_core::stream::BoxStream;
use tokio::sync::mpsc::{self, OwnedPermit, error::TrySendError};

use super::admission::{Admission, Admitted};

/// Clients of one target that were let in and that its listener has not taken up yet.
const MAX_WAITING: usize = 1_024;

/// A stream that is about to be there.
pub type Coming = BoxFuture<'static, io::Result<BoxStream>>;

/// The doors of all targets, by their names.
#[derive(Clone, Default)]
pub struct Doors(Arc<HashMap<String, Hatch>>);

/// One target's door, from outside.
struct Hatch {
    admission: Arc<Admission>,
    visitors: mpsc::Sender<Visitor>,
}

/// A place for one client. Dropping it gives the place to another.
pub struct Door {
    peer: SocketAddr,
    admitted: Admitted,
    way: OwnedPermit<Visitor>,
}

/// Why a door stays shut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Shut {
    /// There is no such target.
    #[error("there is no such target")]
    Unknown,
    /// As many connections as the limits allow are open.
    #[error("too many connections are open")]
    Full,
    /// The gate is draining.
    #[error("the gate is stopping")]
    Stopping,
}

/// Somebody who came in by a door.
pub(super) struct Visitor {
    pub(super) stream: Coming,
    pub(super) address: SocketAddr,
    pub(super) proof: Proof,
    pub(super) admitted: Admitted,
}

impl std::fmt::Debug for Doors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Doors").finish_non_exhaustive()
    }
}

impl Doors {
    /// Whether there is such a target.
    pub fn leads_to(&self, target: &str) -> bool {
        self.0.contains_key(target)
    }

    /// Makes room for a client at `peer` that wants to `target`. It counts as one of the target's
    /// connections from here on.
    pub fn knock(&self, target: &str, peer: SocketAddr) -> Result<Door, Shut> {
        let hatch = self.0.get(target).ok_or(Shut::Unknown)?;
        let way = hatch.visitors.clone().try_reserve_owned().map_err(|why| match why {
            TrySendError::Full(_) => Shut::Full,
            TrySendError::Closed(_) => Shut::Stopping,
        })?;
        let admitted = hatch.admission.admit(peer.ip()).map_err(|_| Shut::Full)?;
        Ok(Door { peer, admitted, way })
    }
}

impl Door {
    /// Hands the client in, with what it has shown. Its session has begun then, and awaits the stream.
    pub fn enter(self, stream: Coming, proof: Proof) {
        let Self { peer, admitted, way } = self;
        way.send(Visitor { stream, address: peer, proof, admitted });
    }
}

/// Makes the doors, target by target.
pub(super) struct Carpenter {
    admission: Arc<Admission>,
    doors: HashMap<String, Hatch>,
}

impl Carpenter {
    pub(super) fn new(admission: Arc<Admission>) -> Self {
        Self { admission, doors: HashMap::new() }
    }

    /// One more door, and where those who come in by it are met.
    pub(super) fn add(&mut self, target: &str) -> mpsc::Receiver<Visitor> {
        let (visitors, met) = mpsc::channel(MAX_WAITING);
        self.doors.insert(target.to_owned(), Hatch { admission: Arc::clone(&self.admission), visitors });
        met
    }

    pub(super) fn done(self) -> Doors {
        Doors(Arc::new(self.doors))
    }
}
