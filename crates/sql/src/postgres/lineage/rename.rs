//! Renaming: what rules say of a column they say of its name, so another name is another place for
//! the same values.

use pg_query::protobuf::{AlterObjectSchemaStmt, ObjectType, RangeVar, RenameStmt};

use super::origin::{Destination, Origin};
use super::scope::At;
use super::tracer::Tracer;
use super::write::destination;

const EVERYTHING_IN_IT: Origin = Origin::Unknown("everything in it gets another name");
const ANOTHER_SCHEMA: &str = "a schema of another name";

impl Tracer<'_> {
    pub(super) fn renamed(&mut self, rename: &RenameStmt, at: At<'_>) {
        let of = ObjectType::try_from(rename.rename_type).unwrap_or(ObjectType::Undefined);
        match (of, &rename.relation) {
            (ObjectType::ObjectSchema, _) => self.carry(Destination::Elsewhere(ANOTHER_SCHEMA), EVERYTHING_IN_IT),
            (ObjectType::ObjectColumn | ObjectType::ObjectAttribute, Some(relation)) => {
                let known = self.relation(&relation.schemaname, &relation.relname, at);
                let item = self.relation_item(&relation.schemaname, &relation.relname, at);
                for output in item.columns.outputs().filter(|output| *output.name == *rename.subname) {
                    self.carry(destination(known.as_deref(), relation, &rename.newname), output.origin.clone());
                }
            }
            (
                ObjectType::ObjectTable
                | ObjectType::ObjectView
                | ObjectType::ObjectMatview
                | ObjectType::ObjectForeignTable,
                Some(relation),
            ) => self.moved(relation, None, &rename.newname, at),
            _ => {}
        }
    }

    pub(super) fn put_into_schema(&mut self, alter: &AlterObjectSchemaStmt, at: At<'_>) {
        if let Some(relation) = &alter.relation {
            self.moved(relation, Some(&alter.newschema), &relation.relname, at);
        }
    }

    /// All columns of a relation, from now on at another place.
    fn moved(&mut self, relation: &RangeVar, schema: Option<&str>, name: &str, at: At<'_>) {
        let known = self.relation(&relation.schemaname, &relation.relname, at);
        let item = self.relation_item(&relation.schemaname, &relation.relname, at);
        let own = known.map(|known| String::from(&*known.relation.schema));
        let schema = schema.map(ToOwned::to_owned).or(own).unwrap_or_else(|| relation.schemaname.clone());
        let new = RangeVar { schemaname: schema, relname: name.to_owned(), ..RangeVar::default() };
        for output in item.columns.outputs() {
            self.carry(destination(None, &new, &output.name), output.origin.clone());
        }
        if let Some(gap) = &item.columns.gap {
            self.carry(Destination::Elsewhere("a relation of another name"), gap.clone());
        }
    }
}
