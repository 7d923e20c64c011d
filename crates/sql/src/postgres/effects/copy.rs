//! `COPY`: a read or a write, and always a bulk one as well.

use pg_query::protobuf::CopyStmt;

use super::{Reader, Scope, names};
use crate::{Kind, Object, vocabulary};

impl Reader {
    pub(super) fn copy(&mut self, copy: &CopyStmt) -> Kind {
        self.depends_on_literals = true;
        // `STDIN` and `STDOUT` have no file name.
        if copy.is_program || !copy.filename.is_empty() {
            self.database(vocabulary::SERVER);
        }
        match (&copy.relation, copy.is_from) {
            (None, _) => self.copy_query(copy),
            (Some(_), true) => self.copy_relation(copy, vocabulary::INSERT, vocabulary::COPY_IN),
            (Some(_), false) => self.copy_relation(copy, vocabulary::SELECT, vocabulary::COPY_OUT),
        }
        self.expressions(&copy.options);
        if copy.is_from { Kind::CopyIn } else { Kind::CopyOut }
    }

    fn copy_query(&mut self, copy: &CopyStmt) {
        if let Some(query) = copy.query.as_ref().and_then(|query| query.node.as_ref()) {
            self.query(query);
            self.reads_something();
        }
        self.database(vocabulary::COPY_OUT);
    }

    fn copy_relation(
        &mut self,
        copy: &CopyStmt,
        action: portcullis_core::vocabulary::Action,
        bulk: portcullis_core::vocabulary::Action,
    ) {
        let Some(place) = self.relation(action, copy.relation.as_ref()) else { return };
        let columns = names::strings(&copy.attlist);
        for column in if columns.is_empty() { vec!["*"] } else { columns } {
            self.draft.column(place, column);
        }
        if let Some(relation) = &copy.relation {
            self.effect(bulk, Object::Relation(names::relation(relation)));
            self.scopes.push(Scope::default());
            self.enter(Some(&relation.relname), Some(place), self.read.len());
            self.maybe(&copy.where_clause);
            self.scopes.pop();
        }
    }
}
