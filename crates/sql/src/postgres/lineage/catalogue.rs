//! What the lineage of a statement has to know of the target's catalogue.
//!
//! These are questions and plain answers. How the answers are got, and for how long they hold, is
//! the caller's business.

use std::sync::Arc;

/// The target's catalogue, as one session sees it. Answers come from memory: what is not there is
/// [`Lookup::NotYet`], and is then told as [`Missing`](super::Missing).
pub trait Catalogue: Send + Sync {
    /// The relation that a name means. Without a schema the session's search path decides.
    fn relation(&self, name: &RelationName) -> Lookup<Arc<Relation>>;

    /// What a function, an operator or a type may run. PostgreSQL chooses among all of a name by
    /// their arguments, so the answer is for all of the name that the session can see. `Absent` only
    /// where there is certainly none; what cannot be told is [`Callee::Anything`].
    fn callee(&self, callable: &Callable) -> Lookup<Callee>;
}

/// What the catalogue says to a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup<T> {
    /// There is one.
    Found(T),
    /// There is none, or which one is meant cannot be told.
    Absent,
    /// It has not been looked up.
    NotYet,
}

/// A relation's name as written, folded to lower case and unescaped as the target would.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RelationName {
    /// The schema, where the statement names it.
    pub schema: Option<Arc<str>>,
    /// The relation's own name.
    pub name: Arc<str>,
}

/// What is known of a relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    /// The schema that it is in.
    pub schema: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// Its columns by attribute number, without those that were dropped and those of the system.
    pub columns: Vec<Column>,
    /// Where its rows come from.
    pub source: Source,
}

/// A column of a relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: Arc<str>,
    /// What it is generated from: `pg_get_expr(adbin, adrelid)` where `attgenerated` is not empty.
    pub generated: Option<Arc<str>>,
}

/// Where a relation's rows come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// They are stored: tables, partitioned and foreign ones, sequences.
    Stored,
    /// They come from a query, at once or when it was last refreshed: views and materialised views.
    /// A relation with rules is best told as a view that is not known, for RETURNING gives what the
    /// rules say.
    View {
        /// `pg_get_viewdef`, asked for under an **empty search path**, so that every name that is
        /// not PostgreSQL's own is qualified. `None` where it is not known: then all of the view is
        /// unknown. Not needed for views of `pg_catalog` and `information_schema`.
        definition: Option<Arc<str>>,
    },
}

/// Something that may run code when a value is computed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Callable {
    /// A function or aggregate, or a field of a row, which is written in the same way.
    Function(RelationName),
    /// An operator.
    Operator(RelationName),
    /// A type that something is cast to.
    Type(RelationName),
}

/// What is behind the name of a [`Callable`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Callee {
    /// All that the session can see of the name are PostgreSQL's own (in `pg_catalog`). Which of
    /// these compute from their arguments alone is known here.
    BuiltIn,
    /// Someone vouches that what it gives is computed from its arguments alone: a function of an
    /// extension that is known, an operator of it, an enumeration, a domain.
    FromArguments,
    /// It may be anything.
    Anything,
}
