//! The gate's doors as the control plane knows them.

use std::net::SocketAddr;

use portcullis_control::tunnel::{Coming, Door, Doors, Shut};
use portcullis_core::identity::Proof;
use portcullis_runtime::server::doors;

/// The doors of the gate in this process.
pub(crate) struct GateDoors(pub(crate) doors::Doors);

struct GateDoor(doors::Door);

impl Doors for GateDoors {
    fn leads_to(&self, target: &str) -> bool {
        self.0.leads_to(target)
    }

    fn knock(&self, target: &str, peer: SocketAddr) -> Result<Box<dyn Door>, Shut> {
        match self.0.knock(target, peer) {
            Ok(door) => Ok(Box::new(GateDoor(door))),
            Err(doors::Shut::Unknown) => Err(Shut::Unknown),
            Err(doors::Shut::Full) => Err(Shut::Full),
            Err(doors::Shut::Stopping) => Err(Shut::Stopping),
        }
    }
}

impl Door for GateDoor {
    fn enter(self: Box<Self>, stream: Coming, proof: Proof) {
        self.0.enter(stream, proof);
    }
}
