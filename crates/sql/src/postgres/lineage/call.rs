//! Function calls, and what is written like one: fields of rows.

use pg_query::Node;
use pg_query::protobuf::FuncCall;

use super::super::effects::{literal, names};
use super::expression::Value;
use super::functions::{self, Gives, Shape};
use super::origin::{Destination, Origin};
use super::scope::At;
use super::tracer::Tracer;
use super::{Callable, Callee, RelationName};

impl Tracer<'_> {
    /// What a call's value is computed from: the arguments, what filters and orders them, and the
    /// window. Unknown where the function may look elsewhere.
    pub(super) fn call(&mut self, call: &FuncCall, at: At<'_>) -> Origin {
        let mut shaping = self.over(call.over.as_deref(), at);
        let order = self.parts_of(&call.agg_order, at);
        self.add(&mut shaping, &order);
        if let Some(filter) = &call.agg_filter {
            let filter = self.value(filter, at).origin;
            self.add(&mut shaping, &filter);
        }
        if !shaping.is_clean() {
            self.probe(&shaping);
        }
        let arguments = self.arguments(&call.args, at);
        self.hands_on(call, &arguments.origin);
        let given = self.given(call, arguments, at);
        shaping.and(&given)
    }

    fn arguments(&mut self, list: &[Node], at: At<'_>) -> Value {
        let mut all = Value { origin: Origin::default(), plain: true };
        for argument in list {
            let value = self.value(argument, at);
            self.add(&mut all.origin, &value.origin);
            all.plain &= value.plain || value.origin.is_clean();
        }
        all
    }

    /// What a function gives for these arguments.
    fn given(&mut self, call: &FuncCall, arguments: Value, at: At<'_>) -> Origin {
        let parts = names::strings(&call.funcname);
        let name = parts.last().copied().unwrap_or_default();
        match self.function(&parts, at) {
            Some(Callee::BuiltIn) => match functions::gives(name) {
                Gives::FromArguments => arguments.origin,
                Gives::TheNumber => self.counted(arguments),
                Gives::TheType => {
                    self.probe(&arguments.origin);
                    Origin::default()
                }
                Gives::ASetting if call.args.first().and_then(literal).is_some_and(functions::is_plain_setting) => {
                    Origin::default()
                }
                Gives::ASetting | Gives::Anything => self.anything(),
            },
            Some(Callee::FromArguments) => arguments.origin,
            // There is no such function, so this is another way to write a field.
            None if call.args.len() == 1 && parts.len() == 1 => arguments.origin,
            Some(Callee::Anything) | None => self.anything(),
        }
    }

    fn function(&mut self, parts: &[&str], at: At<'_>) -> Option<Callee> {
        match parts {
            ["pg_catalog", _] => Some(Callee::BuiltIn),
            [_] if at.stored => Some(Callee::BuiltIn),
            [name] => self.callee(function(None, name)),
            [.., schema, name] => self.callee(function(Some(schema), name)),
            [] => Some(Callee::Anything),
        }
    }

    /// A field of a row, or a function that is called as if it were one.
    pub(super) fn field(&mut self, name: &str, of: Origin, at: At<'_>) -> Origin {
        // Stored texts write calls as calls.
        if at.stored {
            return of;
        }
        match self.callee(function(None, name)) {
            None | Some(Callee::FromArguments) => of,
            Some(Callee::BuiltIn) if functions::gives(name) == Gives::FromArguments => of,
            Some(Callee::BuiltIn) if functions::gives(name) == Gives::TheNumber => of,
            Some(Callee::BuiltIn | Callee::Anything) => self.anything(),
        }
    }

    /// Notes what a function puts where it outlives the statement.
    fn hands_on(&mut self, call: &FuncCall, arguments: &Origin) {
        let name = names::strings(&call.funcname).last().copied().unwrap_or_default();
        if let Some(where_to) = functions::hands_on(name) {
            self.carry(Destination::Elsewhere(where_to), arguments.clone());
        }
    }

    /// The columns that a call in FROM gives.
    pub(super) fn shape(&mut self, call: &FuncCall, at: At<'_>) -> Shape {
        let parts = names::strings(&call.funcname);
        match (self.function(&parts, at), parts.last()) {
            (Some(Callee::BuiltIn), Some(name)) => functions::shape(name),
            _ => Shape::Row,
        }
    }
}

fn function(schema: Option<&str>, name: &str) -> Callable {
    Callable::Function(RelationName { schema: schema.map(Into::into), name: name.into() })
}
