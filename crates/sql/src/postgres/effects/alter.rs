//! `ALTER`, `DROP`, `COMMENT` and `SECURITY LABEL`: what is changed or removed.

use pg_query::Node;
use pg_query::protobuf::node::Node as Enum;
use pg_query::protobuf::{AlterTableCmd, AlterTableStmt, AlterTableType, ObjectType, RangeVar};
use portcullis_core::vocabulary::Action;

use super::{Reader, Scope, names};
use crate::{Kind, Object, vocabulary};

impl Reader {
    pub(super) fn alter(&mut self, node: &Enum) -> Option<Kind> {
        match node {
            Enum::AlterTableStmt(alter) => self.alter_table(alter),
            Enum::RenameStmt(rename) => {
                self.altered(
                    rename.rename_type(),
                    rename.relation.as_ref(),
                    rename.object.as_deref(),
                    vocabulary::ALTER,
                );
            }
            Enum::AlterObjectSchemaStmt(alter) => {
                self.altered(alter.object_type(), alter.relation.as_ref(), alter.object.as_deref(), vocabulary::ALTER);
                self.effect(vocabulary::CREATE, Object::Schema(alter.newschema.as_str().into()));
            }
            Enum::AlterOwnerStmt(alter) => {
                self.altered(alter.object_type(), alter.relation.as_ref(), alter.object.as_deref(), vocabulary::GRANT);
            }
            Enum::AlterObjectDependsStmt(alter) => {
                self.altered(alter.object_type(), alter.relation.as_ref(), alter.object.as_deref(), vocabulary::ALTER);
            }
            Enum::AlterSeqStmt(alter) => {
                self.relation(vocabulary::ALTER, alter.sequence.as_ref());
                self.options(&alter.options);
            }
            Enum::AlterFunctionStmt(alter) => {
                if let Some(function) = &alter.func {
                    self.routine(vocabulary::ALTER, names::with_arguments(function));
                    self.expressions(&function.objargs);
                    self.expressions(&function.objfuncargs);
                }
                self.definition_options(&alter.actions);
            }
            Enum::AlterPolicyStmt(policy) => {
                self.relation(vocabulary::GRANT, policy.table.as_ref());
                self.on_table(policy.table.as_ref(), [&policy.qual, &policy.with_check]);
            }
            _ => return self.alter_other(node).or_else(|| self.drop_or_comment(node)),
        }
        Some(Kind::Alter)
    }

    fn alter_other(&mut self, node: &Enum) -> Option<Kind> {
        match node {
            Enum::AlterDomainStmt(alter) => {
                self.altered_in_schema(&alter.type_name);
                self.maybe(&alter.def);
            }
            Enum::AlterEnumStmt(alter) => self.altered_in_schema(&alter.type_name),
            Enum::AlterTypeStmt(alter) => {
                self.altered_in_schema(&alter.type_name);
                self.options(&alter.options);
            }
            Enum::AlterOperatorStmt(alter) => {
                self.database(vocabulary::ALTER);
                self.options(&alter.options);
            }
            Enum::AlterOpFamilyStmt(alter) => {
                self.altered_in_schema(&alter.opfamilyname);
                self.expressions(&alter.items);
            }
            Enum::AlterCollationStmt(alter) => self.altered_in_schema(&alter.collname),
            Enum::AlterStatsStmt(alter) => self.altered_in_schema(&alter.defnames),
            Enum::AlterTsdictionaryStmt(alter) => {
                self.altered_in_schema(&alter.dictname);
                self.options(&alter.options);
            }
            Enum::AlterTsconfigurationStmt(alter) => self.altered_in_schema(&alter.cfgname),
            Enum::AlterEventTrigStmt(_) => self.database(vocabulary::ALTER),
            Enum::AlterExtensionStmt(alter) => {
                self.database(vocabulary::ALTER);
                self.draft.opaque();
                self.options(&alter.options);
            }
            Enum::AlterExtensionContentsStmt(alter) => {
                self.altered(alter.objtype(), None, alter.object.as_deref(), vocabulary::ALTER);
            }
            _ => return None,
        }
        Some(Kind::Alter)
    }

    fn drop_or_comment(&mut self, node: &Enum) -> Option<Kind> {
        match node {
            Enum::DropStmt(drop) => {
                for object in &drop.objects {
                    self.altered(drop.remove_type(), None, Some(object), vocabulary::DROP);
                }
                Some(Kind::Drop)
            }
            Enum::CommentStmt(comment) => {
                self.altered(comment.objtype(), None, comment.object.as_deref(), vocabulary::ALTER);
                Some(Kind::Comment)
            }
            Enum::SecLabelStmt(label) => {
                self.altered(label.objtype(), None, label.object.as_deref(), vocabulary::GRANT);
                Some(Kind::SecurityLabel)
            }
            _ => None,
        }
    }

    fn altered_in_schema(&mut self, name: &[Node]) {
        self.effect(vocabulary::ALTER, names::in_schema(&names::strings(name)));
    }

    /// An effect on an object that is named in one of the tree's two ways.
    fn altered(&mut self, kind: ObjectType, relation: Option<&RangeVar>, object: Option<&Node>, action: Action) {
        if relation.is_some() {
            self.relation(action, relation);
        }
        let Some(node) = object else {
            if relation.is_none() {
                self.database(action);
            }
            return;
        };
        let named = object_of(kind, node);
        if relation.is_none() {
            self.effect(action, named);
        }
        self.expression(node);
    }

    fn alter_table(&mut self, alter: &AlterTableStmt) {
        self.relation(vocabulary::ALTER, alter.relation.as_ref());
        self.scopes.push(Scope::default());
        for node in &alter.cmds {
            match &node.node {
                Some(Enum::AlterTableCmd(command)) => self.alter_command(command, alter.relation.as_ref()),
                _ => self.unknown = true,
            }
        }
        self.scopes.pop();
    }

    fn alter_command(&mut self, command: &AlterTableCmd, relation: Option<&RangeVar>) {
        let grants = [
            AlterTableType::AtChangeOwner,
            AlterTableType::AtEnableRowSecurity,
            AlterTableType::AtDisableRowSecurity,
            AlterTableType::AtForceRowSecurity,
            AlterTableType::AtNoForceRowSecurity,
        ];
        if grants.contains(&command.subtype())
            && let Some(relation) = relation
        {
            self.effect(vocabulary::GRANT, Object::Relation(names::relation(relation)));
        }
        match command.def.as_ref().and_then(|def| def.node.as_ref()) {
            Some(Enum::RangeVar(other)) => {
                self.relation(vocabulary::ALTER, Some(other));
            }
            Some(Enum::PartitionCmd(partition)) => {
                self.relation(vocabulary::ALTER, partition.name.as_ref());
                if let Some(bound) = &partition.bound {
                    self.bound(bound);
                }
            }
            Some(_) => self.maybe(&command.def),
            None => {}
        }
    }
}

/// The object that a node names, by the kind of object that the statement says it is.
pub(super) fn object_of(kind: ObjectType, node: &Node) -> Object {
    let parts = match &node.node {
        Some(Enum::List(list)) => names::strings(&list.items),
        Some(Enum::String(name)) => vec![name.sval.as_str()],
        Some(Enum::TypeName(name)) => return names::type_object(name),
        Some(Enum::ObjectWithArgs(object)) => {
            return match kind {
                ObjectType::ObjectOperator => names::in_schema(&names::strings(&object.objname)),
                _ => Object::Routine(names::with_arguments(object)),
            };
        }
        Some(Enum::RangeVar(relation)) => return Object::Relation(names::relation(relation)),
        _ => return Object::Database,
    };
    match kind {
        ObjectType::ObjectTable
        | ObjectType::ObjectView
        | ObjectType::ObjectMatview
        | ObjectType::ObjectSequence
        | ObjectType::ObjectIndex
        | ObjectType::ObjectForeignTable => Object::Relation(names::qualified(&parts)),
        // The last part names what is in the relation.
        ObjectType::ObjectColumn
        | ObjectType::ObjectTabconstraint
        | ObjectType::ObjectTrigger
        | ObjectType::ObjectRule
        | ObjectType::ObjectPolicy => {
            Object::Relation(names::qualified(parts.split_last().map_or(&[], |(_, relation)| relation)))
        }
        ObjectType::ObjectSchema => Object::Schema(parts.last().copied().unwrap_or_default().into()),
        ObjectType::ObjectRole => Object::Role(parts.last().copied().unwrap_or_default().into()),
        ObjectType::ObjectFunction
        | ObjectType::ObjectProcedure
        | ObjectType::ObjectRoutine
        | ObjectType::ObjectAggregate => Object::Routine(names::qualified(&parts)),
        ObjectType::ObjectParameterAcl => Object::Setting(parts.join(".").into()),
        _ => names::in_schema(&parts),
    }
}
