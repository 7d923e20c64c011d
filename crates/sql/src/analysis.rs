//! What an analysis says: statements with their effects and what they change in the session.
//!
//! These are plain values. How they are found is the dialect's business, what they mean for a
//! decision is policy's.

use std::ops::Range;
use std::sync::Arc;

use portcullis_core::operation::{Fact, Facts};
use portcullis_core::vocabulary::Action;

use crate::Kind;

/// What a text would do, statement by statement. Never empty: an empty text is one statement of
/// kind [`Kind::Empty`].
///
/// Texts that differ only in literals may share one analysis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Analysis {
    /// The statements, in the order of the text.
    pub statements: Vec<Statement>,
    /// About how many bytes the analysis takes, for whoever bounds a cache.
    pub weight: usize,
}

impl Analysis {
    /// An analysis of these statements.
    pub fn new(statements: Vec<Statement>) -> Self {
        let weight = size_of::<Self>() + statements.iter().map(Statement::weight).sum::<usize>();
        Self { statements, weight }
    }
}

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Which kind of statement it is.
    pub kind: Kind,
    /// What it would do. Never empty. Effects on the same object with the same action are one.
    pub effects: Vec<SqlEffect>,
    /// What it changes in the session, for whoever follows the session.
    pub change: Option<SessionChange>,
    /// Where it is in the text, without the semicolon; `None` where it is the whole text.
    pub range: Option<Range<usize>>,
}

impl Statement {
    /// The statement's part of the text that was analysed. An empty slice for any other text that
    /// is too short.
    pub fn text<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        self.range.clone().map_or(text, |range| text.get(range).unwrap_or_default())
    }

    fn weight(&self) -> usize {
        let stored = match &self.change {
            Some(SessionChange::Prepare { analysis, .. } | SessionChange::Declare { analysis, .. }) => analysis.weight,
            _ => 0,
        };
        size_of::<Self>() + stored + self.effects.iter().map(SqlEffect::weight).sum::<usize>()
    }
}

/// What a statement does to one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlEffect {
    /// What it does: one of the actions of [`vocabulary`](crate::vocabulary).
    pub action: Action,
    /// What it does it to.
    pub object: Object,
    /// What policy may want to know. Facts with their type's empty value are left out.
    pub facts: Facts,
}

impl SqlEffect {
    fn weight(&self) -> usize {
        let texts = |texts: &Vec<Box<str>>| texts.iter().map(|text| text.len() + size_of::<Box<str>>()).sum();
        let fact = |fact: &Fact| match fact {
            Fact::Text(text) => text.len(),
            Fact::Texts(list) => texts(list),
            Fact::Bool(_) | Fact::Long(_) => 0,
        };
        // A map of facts takes a node of a fixed size; names are short.
        size_of::<Self>() + NAME_AND_NODE + self.facts.values().map(fact).sum::<usize>()
    }
}

/// What an effect takes for its object's name and the map of its facts, about.
const NAME_AND_NODE: usize = 512;

/// What an effect touches.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Object {
    /// The session's database, or something in it that has no kind of its own here.
    Database,
    /// A table, view, sequence, index, or another relation.
    Relation(QualifiedName),
    /// A relation that the statement makes. Without a schema it is made in the first of the search
    /// path, whatever others are called so. A temporary one has the schema `pg_temp`.
    Made(QualifiedName),
    /// A schema.
    Schema(Box<str>),
    /// A function, procedure or aggregate.
    Routine(QualifiedName),
    /// A role.
    Role(Box<str>),
    /// A setting.
    Setting(Box<str>),
}

/// A name as written, folded to lower case, unescaped and cut to length as the target would.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QualifiedName {
    /// The database, where the statement names it.
    pub database: Option<Box<str>>,
    /// The schema, where the statement names it. Otherwise the search path decides.
    pub schema: Option<Box<str>>,
    /// The object's own name.
    pub name: Box<str>,
}

/// A change of the session's state that alters what later statements mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionChange {
    /// Sets a setting, by `SET` or by `set_config`. `SET NAMES` sets `client_encoding`,
    /// `SET TIME ZONE` sets `timezone`.
    Set {
        /// The setting, in lower case.
        name: Box<str>,
        /// The values as text, or `None` where they are not literals or may not take hold.
        values: Option<Vec<Box<str>>>,
        /// Whether the change ends with the transaction.
        local: bool,
    },
    /// Gives a setting its default back.
    Reset {
        /// The setting, in lower case.
        name: Box<str>,
    },
    /// `RESET ALL`.
    ResetAll,
    /// `DISCARD ALL`: settings, prepared statements, cursors, temporary tables, channels, locks.
    DiscardAll,
    /// `DISCARD TEMP`: temporary tables are gone.
    DiscardTemp,
    /// `SET ROLE`, or `RESET ROLE` with `None`.
    SetRole {
        /// The role, or `None` for the session's own.
        role: Option<Box<str>>,
        /// Whether the change ends with the transaction.
        local: bool,
    },
    /// `SET SESSION AUTHORIZATION`, or its reset with `None`.
    SetSessionAuthorization {
        /// The role, or `None` for the login's own.
        role: Option<Box<str>>,
        /// Whether the change ends with the transaction.
        local: bool,
    },
    /// `PREPARE`: nothing runs yet. The namespace is that of the protocol's named statements.
    Prepare {
        /// The statement's name.
        name: Box<str>,
        /// What the prepared statement would do: one statement.
        analysis: Arc<Analysis>,
    },
    /// `EXECUTE`. The statement's own effects are for a name that is not known; whoever knows what
    /// was prepared under the name judges that instead.
    Execute {
        /// The prepared statement's name.
        name: Box<str>,
    },
    /// `DEALLOCATE`; all of them with `None`.
    Deallocate {
        /// The prepared statement's name.
        name: Option<Box<str>>,
    },
    /// `DECLARE CURSOR`. The statement's own effects are those of the query.
    Declare {
        /// The cursor's name; the namespace is that of the protocol's portals.
        name: Box<str>,
        /// What the query would do: one statement.
        analysis: Arc<Analysis>,
    },
    /// `FETCH` or `MOVE`. The statement's own effects are for a name that is not known.
    Fetch {
        /// The cursor's name.
        name: Box<str>,
    },
    /// `CLOSE`; all cursors with `None`.
    Close {
        /// The cursor's name.
        name: Option<Box<str>>,
    },
    /// Makes a temporary relation, which hides others of the same name.
    CreateTemp {
        /// The relation's name.
        name: Box<str>,
    },
    /// Changes something that cannot be told, or several things at once: no setting, role or name
    /// of the session is known afterwards.
    Unknown,
}
