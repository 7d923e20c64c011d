//! The state of one statement's tracing, and the bounds that it keeps to.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::mem;
use std::rc::Rc;

use pg_query::protobuf::{IntoClause, RawStmt};

use super::super::grammar::Parser;
use super::origin::{Destination, Lineage, Origin};
use super::stored::Known;
use super::{Callable, Callee, Catalogue, Lookup, Missing, RelationName};

/// How much work one statement may make: about a step for each part of it and each column that is
/// handed on. What is larger is unknown. All texts are parsed on one thread, and this bounds how
/// long one may hold it (well under a second).
const MAX_STEPS: usize = 400_000;

/// How deep expressions and queries may be nested. What is deeper is unknown.
const MAX_DEPTH: usize = 3_000;

const TOO_LARGE: &str = "the statement is too large to be traced";
const NOT_PROVEN: &str = "a function, an operator or a type may run anything";

/// Traces one statement.
pub(super) struct Tracer<'c> {
    pub(super) catalogue: &'c dyn Catalogue,
    pub(super) parser: Parser,
    /// What decides which rows come, so far.
    pub(super) probes: Origin,
    /// What is written where, so far.
    carries: BTreeMap<Destination, Origin>,
    missing: BTreeSet<Missing>,
    /// The relations that were looked up. `None` while a view is being followed.
    pub(super) relations: HashMap<RelationName, Option<Rc<Known>>>,
    /// The relation that the statement makes.
    pub(super) makes: Option<IntoClause>,
    /// Whether something in the statement may run anything.
    pub(super) runs_anything: bool,
    pub(super) views: usize,
    steps: usize,
    depth: usize,
    too_large: bool,
}

impl<'c> Tracer<'c> {
    /// The lineage of one statement, and what the catalogue did not have for it.
    pub(super) fn trace(
        catalogue: &'c dyn Catalogue,
        parser: Parser,
        statement: &RawStmt,
    ) -> (Lineage, BTreeSet<Missing>) {
        let mut tracer = Self {
            catalogue,
            parser,
            probes: Origin::default(),
            carries: BTreeMap::new(),
            missing: BTreeSet::new(),
            relations: HashMap::new(),
            makes: None,
            runs_anything: false,
            views: 0,
            steps: MAX_STEPS,
            depth: 0,
            too_large: false,
        };
        let lineage = tracer.statement(statement.stmt.as_ref().and_then(|statement| statement.node.as_ref()));
        let lineage = if tracer.too_large { Lineage::unknown(TOO_LARGE) } else { lineage };
        (lineage, tracer.missing)
    }

    /// Takes what was found so far, for a lineage with these columns.
    pub(super) fn found(&mut self, columns: super::Columns) -> Lineage {
        Lineage { columns, probes: mem::take(&mut self.probes), carries: mem::take(&mut self.carries), stored: None }
    }

    /// Goes one level deeper, unless that is too deep or the work is too much.
    pub(super) fn deeper<T>(&mut self, otherwise: impl FnOnce() -> T, work: impl FnOnce(&mut Self) -> T) -> T {
        self.charge(1);
        self.too_large |= self.depth >= MAX_DEPTH;
        if self.too_large {
            return otherwise();
        }
        self.depth += 1;
        let found = work(self);
        self.depth -= 1;
        found
    }

    /// Counts work.
    pub(super) fn charge(&mut self, steps: usize) {
        self.too_large |= steps >= self.steps;
        self.steps = self.steps.saturating_sub(steps);
    }

    /// Adds to an origin, and counts what that costs.
    pub(super) fn add(&mut self, to: &mut Origin, other: &Origin) {
        self.charge(other.size());
        to.add(other);
    }

    /// Notes that this decides which rows come.
    pub(super) fn probe(&mut self, origin: &Origin) {
        self.charge(origin.size());
        self.probes.add(origin);
    }

    /// Does something, and tells what decides which rows come for it apart from the rest.
    pub(super) fn apart<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> (T, Origin) {
        let before = mem::take(&mut self.probes);
        let found = work(self);
        let probes = mem::replace(&mut self.probes, before);
        self.probe(&probes);
        (found, probes)
    }

    /// Notes that something is written.
    pub(super) fn carry(&mut self, to: Destination, mut origin: Origin) {
        if let (Destination::Column(column), Origin::Columns(columns)) = (&to, &mut origin) {
            columns.remove(column);
        }
        if !origin.is_clean() {
            self.carries.entry(to).or_default().add(&origin);
        }
    }

    pub(super) fn misses(&mut self, missing: Missing) {
        self.missing.insert(missing);
    }

    /// What is behind a name, or `None` where there is nothing.
    pub(super) fn callee(&mut self, callable: Callable) -> Option<Callee> {
        match self.catalogue.callee(&callable) {
            Lookup::Found(callee) => Some(callee),
            Lookup::Absent => None,
            Lookup::NotYet => {
                self.misses(Missing::Callable(callable));
                Some(Callee::Anything)
            }
        }
    }

    /// The origin of what may run anything.
    pub(super) fn anything(&mut self) -> Origin {
        self.runs_anything = true;
        Origin::Unknown(NOT_PROVEN)
    }
}
