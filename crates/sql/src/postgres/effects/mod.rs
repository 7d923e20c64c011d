//! PostgreSQL's parse tree to effects: what each statement would do.
//!
//! Everything that the tree holds is read: typed readings for what has a meaning here, the plain
//! parts of everything else, and a [`census`] that proves nothing was missed. What cannot be read
//! makes the statement *unknown*, never less than it is. Views, rules, triggers and the bodies of
//! functions that exist are not in the tree and stay unseen.

mod administer;
mod alter;
mod census;
pub(super) mod children;
mod condition;
mod copy;
mod define;
mod draft;
mod expression;
pub(super) mod functions;
pub(super) mod names;
mod query;
mod session;
mod write;

use std::sync::Arc;

use pg_query::Node;
use pg_query::protobuf::node::Node as Enum;
use pg_query::protobuf::{self as pg, RangeVar};
use portcullis_core::vocabulary::Action;

use self::census::{Census, census};
use self::draft::{Draft, Place};
pub(super) use self::expression::literal;
pub(super) use self::session::runs;
use crate::{Analysis, Kind, Object, QualifiedName, SessionChange, SqlEffect, Statement, vocabulary};

/// The schema of temporary relations.
const TEMPORARY: &str = "pg_temp";

/// What was read of one statement.
#[derive(Debug)]
pub(crate) struct Reading {
    /// Its kind.
    pub(crate) kind: Kind,
    /// Its effects; never empty.
    pub(crate) effects: Vec<SqlEffect>,
    /// What it changes in the session.
    pub(crate) change: Option<SessionChange>,
    /// Whether other literals could have given other effects.
    pub(crate) depends_on_literals: bool,
}

/// Reads one statement of a parse tree.
pub(crate) fn read(statement: &Node) -> Reading {
    let mut reader = Reader::default();
    let kind = statement.node.as_ref().map_or(Kind::Unknown, |node| reader.statement(node));
    reader.finish(kind, statement)
}

/// What is known while a statement is read.
#[derive(Debug, Default)]
struct Reader {
    draft: Draft,
    seen: Census,
    /// Something was met that cannot be read.
    unknown: bool,
    /// The statement is only planned, not run: writes are no writes.
    planned: bool,
    depends_on_literals: bool,
    change: Option<SessionChange>,
    /// What of it happens although the statement is only planned.
    evaluated: Option<SessionChange>,
    /// The cursor that the statement declares.
    declares: Option<Box<str>>,
    /// The queries around the place being read, outermost first.
    scopes: Vec<Scope>,
    /// The common table expressions that are visible.
    ctes: Vec<Box<str>>,
    /// Each relation read so far, in order.
    read: Vec<Place>,
}

/// What a query's `FROM` makes visible.
#[derive(Debug, Default)]
struct Scope {
    entries: Vec<Entry>,
    /// Names that the query gives to its own outputs.
    outputs: Vec<Box<str>>,
}

#[derive(Debug)]
struct Entry {
    name: Box<str>,
    /// The effect that columns of it belong to, if it is a relation.
    place: Option<Place>,
    /// Which of [`Reader::read`] are behind the name.
    inside: std::ops::Range<usize>,
}

impl Reader {
    fn finish(mut self, kind: Kind, statement: &Node) -> Reading {
        if self.unknown || census(statement) != self.seen {
            self.draft.add(vocabulary::UNKNOWN, Object::Database);
        }
        let effects = self.draft.finish();
        if let Some(name) = self.declares {
            let query = Statement { kind: Kind::Select, effects: effects.clone(), change: None, range: None };
            let analysis = Arc::new(Analysis::new(vec![query]));
            let declared = SessionChange::Declare { name, analysis };
            self.change = Some(if self.change.is_none() { declared } else { SessionChange::Unknown });
        }
        Reading { kind, effects, change: self.change, depends_on_literals: self.depends_on_literals }
    }

    /// Reads a statement, whichever it is.
    fn statement(&mut self, node: &Enum) -> Kind {
        let kind = self
            .rows(node)
            .or_else(|| self.session(node))
            .or_else(|| self.define(node))
            .or_else(|| self.alter(node))
            .or_else(|| self.administer(node));
        if kind.is_none() {
            self.unknown = true;
        }
        kind.unwrap_or(Kind::Unknown)
    }

    /// Reads a statement that reads or writes rows.
    fn rows(&mut self, node: &Enum) -> Option<Kind> {
        Some(match node {
            Enum::SelectStmt(select) => {
                self.select(select);
                self.reads_something();
                if let Some(set) = session::sole_set_config(select) {
                    self.change = Some(set);
                }
                Kind::Select
            }
            Enum::InsertStmt(insert) => self.kind_of(Kind::Insert, |reader| reader.insert(insert)),
            Enum::UpdateStmt(update) => self.kind_of(Kind::Update, |reader| reader.update(update)),
            Enum::DeleteStmt(delete) => self.kind_of(Kind::Delete, |reader| reader.delete(delete)),
            Enum::MergeStmt(merge) => self.kind_of(Kind::Merge, |reader| reader.merge(merge)),
            Enum::TruncateStmt(truncate) => self.kind_of(Kind::Truncate, |reader| reader.truncate(truncate)),
            Enum::LockStmt(lock) => {
                self.kind_of(Kind::Lock, |reader| reader.relations(&lock.relations, vocabulary::LOCK))
            }
            Enum::CopyStmt(copy) => self.copy(copy),
            Enum::ExplainStmt(explain) => self.explain(explain),
            _ => return None,
        })
    }

    fn kind_of(&mut self, kind: Kind, read: impl FnOnce(&mut Self)) -> Kind {
        read(self);
        kind
    }

    /// A query that touches no relation still reads, from the database at large.
    fn reads_something(&mut self) {
        if !self.draft.touches_rows() {
            self.effect(vocabulary::SELECT, Object::Database);
        }
    }

    fn explain(&mut self, explain: &pg::ExplainStmt) -> Kind {
        self.planned = !session::runs(&explain.options);
        self.options(&explain.options);
        if let Some(node) = explain.query.as_ref().and_then(|query| query.node.as_ref()) {
            self.statement(node);
        }
        if self.planned {
            self.change = self.evaluated.take();
        }
        Kind::Explain
    }

    /// States an effect. One that would change something is a read where nothing runs.
    fn effect(&mut self, action: Action, object: Object) -> Place {
        const CHANGES: [Action; 10] = [
            vocabulary::INSERT,
            vocabulary::UPDATE,
            vocabulary::DELETE,
            vocabulary::MERGE,
            vocabulary::LOCK,
            vocabulary::CREATE,
            vocabulary::EXECUTE,
            vocabulary::SESSION,
            vocabulary::SERVER,
            vocabulary::MAINTAIN,
        ];
        // Planning may run a function, whichever it is, to see what it gives.
        if !self.planned || !CHANGES.contains(&action) || matches!(object, Object::Routine(_)) {
            return self.draft.add(action, object);
        }
        match object {
            Object::Relation(name) | Object::Made(name) => self.draft.add(vocabulary::SELECT, Object::Relation(name)),
            _ => self.draft.add(vocabulary::SELECT, Object::Database),
        }
    }

    /// States an effect on a relation that the tree names.
    fn relation(&mut self, action: Action, relation: Option<&RangeVar>) -> Option<Place> {
        let relation = relation?;
        self.seen.relations += 1;
        Some(self.effect(action, Object::Relation(names::relation(relation))))
    }

    /// States an effect on each relation of a list.
    fn relations(&mut self, relations: &[Node], action: Action) {
        for node in relations {
            match &node.node {
                Some(Enum::RangeVar(relation)) => {
                    self.relation(action, Some(relation));
                }
                _ => self.unknown = true,
            }
        }
    }

    /// Notes a change of the session. Two changes in one statement cannot be followed.
    fn changes(&mut self, change: SessionChange) {
        self.change = Some(if self.change.is_none() { change } else { SessionChange::Unknown });
    }

    /// Notes that a relation is made, and whether it hides others.
    fn makes(&mut self, relation: Option<&RangeVar>) {
        let Some(made) = relation else { return };
        let mut name = names::relation(made);
        if made.relpersistence == "t" || made.schemaname == TEMPORARY {
            self.changes(SessionChange::CreateTemp { name: made.relname.as_str().into() });
            name.schema.get_or_insert_with(|| TEMPORARY.into());
        }
        self.seen.relations += 1;
        self.effect(vocabulary::CREATE, Object::Made(name));
    }

    /// Reads a statement inside another one that stores it for later.
    fn stored(&mut self, query: Option<&Node>) -> Arc<Analysis> {
        let mut inner = Self::default();
        let kind = query.and_then(|query| query.node.as_ref()).map_or(Kind::Unknown, |node| inner.statement(node));
        self.seen += inner.seen;
        self.unknown |= inner.unknown;
        if inner.unknown {
            inner.draft.add(vocabulary::UNKNOWN, Object::Database);
        }
        let effects = inner.draft.finish();
        Arc::new(Analysis::new(vec![Statement { kind, effects, change: inner.change, range: None }]))
    }

    fn database(&mut self, action: Action) {
        self.effect(action, Object::Database);
    }

    fn routine(&mut self, action: Action, name: QualifiedName) {
        self.effect(action, Object::Routine(name));
    }
}
