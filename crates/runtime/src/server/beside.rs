//! What runs in the gate's process beside it: an embedded control plane. The runtime knows no control
//! plane; whoever puts a gate together gives it one.

use std::collections::HashMap;
use std::sync::Arc;

use portcullis_core::BoxFuture;
use portcullis_core::approval::Approvals;
use portcullis_core::identity::{IdentitySource, Tickets};
use portcullis_core::policy::Policy;
use portcullis_core::recording::Recorder;
use portcullis_core::sessions::Sessions;
use portcullis_core::stream::Acceptor;
use portcullis_core::vocabulary::Vocabulary;

use super::doors::Doors;
use super::vitals::Vitals;
use crate::config::Process;
use crate::policy::CedarPolicy;

/// Something that runs beside the gate, and answers what the gate asks.
pub trait Beside: Send {
    /// The port through which humans are asked.
    fn approvals(&self) -> Arc<dyn Approvals>;

    /// Who knows the tickets that it gives out.
    fn tickets(&self) -> Arc<dyn Tickets>;

    /// What is done when the gate begins to drain, before any session is told to end.
    fn at_drain(&self) -> Box<dyn FnOnce() + Send>;

    /// Serves until it is dropped.
    fn serve(self: Box<Self>, gate: Shared) -> BoxFuture<'static, ()>;
}

/// What the gate shares with what runs beside it.
pub struct Shared {
    /// Who verifies tokens.
    pub identity: Arc<dyn IdentitySource>,
    /// The policies of now.
    pub policy: Arc<dyn Policy>,
    /// The same, for people to read and try.
    pub policies: Arc<CedarPolicy>,
    /// How the gate and its targets are.
    pub vitals: Arc<Vitals>,
    /// The labels of each target, by its name.
    pub labels: HashMap<String, Vec<(String, String)>>,
    /// The doors through which clients that come beside the gate get in to its targets.
    pub doors: Doors,
    /// Records what is done beside the gate; it never lets anything pass that it could not write.
    pub recorder: Arc<dyn Recorder>,
    /// The live sessions.
    pub sessions: Arc<Sessions>,
    /// The gate's own certificate, where it has one.
    pub tls: Option<Arc<dyn Acceptor>>,
}

/// Makes what runs beside a gate of this configuration, if that asks for any. An error says why the
/// gate cannot start.
pub type Open = Box<dyn FnOnce(&Process) -> BoxFuture<'static, Result<Option<Box<dyn Beside>>, String>> + Send>;

/// What may run beside a gate.
pub struct Opening {
    /// The words that it adds to the policy language.
    pub vocabulary: &'static Vocabulary,
    /// What makes it.
    pub open: Open,
}
