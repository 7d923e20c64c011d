//! A protocol with its type forgotten, so that one process can serve several.

use std::sync::Arc;

use portcullis_core::BoxFuture;
use portcullis_core::gate::Gate;
use portcullis_core::protocol::{Client, Protocol, ServeError};
use portcullis_core::vocabulary::Vocabulary;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::Value;

use crate::config::{Problem, Rest, Source};

/// Makes a protocol ready to serve one target.
type Make = fn(&Rest, &Source) -> Result<Arc<dyn Serving>, Problem>;

/// One protocol, as the runtime needs to know it.
#[derive(Clone, Copy)]
pub struct Kind {
    pub(super) name: &'static str,
    pub(super) vocabulary: &'static Vocabulary,
    schema: fn(&mut SchemaGenerator) -> Schema,
    pub(super) make: Make,
    /// Whether it can be trusted with what must be masked.
    pub(super) masks: bool,
}

impl Kind {
    /// The protocol `P`.
    pub fn of<P: Protocol>() -> Self {
        Self {
            name: P::NAME,
            vocabulary: P::VOCABULARY,
            schema: P::Config::json_schema,
            make: make::<P>,
            masks: P::MASKS,
        }
    }

    /// The protocol's name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The words that the protocol adds to the policy language.
    pub const fn vocabulary(&self) -> &'static Vocabulary {
        self.vocabulary
    }

    /// The JSON schema of a configuration with targets of these protocols.
    pub fn config_schema(kinds: &[Self]) -> Value {
        let protocols: Vec<_> = kinds.iter().map(|kind| (kind.name, kind.schema)).collect();
        crate::config::schema(&protocols)
    }
}

/// A protocol, configured for one target.
pub(super) trait Serving: Send + Sync {
    /// Serves one client until it leaves.
    fn serve(&self, client: Client, gate: Gate) -> BoxFuture<'_, Result<(), ServeError>>;

    /// Logs in at the target and leaves.
    fn probe(&self, gate: Gate) -> BoxFuture<'_, Result<(), ServeError>>;
}

impl<P: Protocol> Serving for P {
    fn serve(&self, client: Client, gate: Gate) -> BoxFuture<'_, Result<(), ServeError>> {
        Box::pin(Protocol::serve(self, client, gate))
    }

    fn probe(&self, gate: Gate) -> BoxFuture<'_, Result<(), ServeError>> {
        Box::pin(Protocol::probe(self, gate))
    }
}

fn make<P: Protocol>(rest: &Rest, source: &Source) -> Result<Arc<dyn Serving>, Problem> {
    let protocol =
        P::new(rest.read(source)?).map_err(|wrong| source.problem(Some(rest.place(&wrong.key)), wrong.message))?;
    Ok(Arc::new(protocol))
}
