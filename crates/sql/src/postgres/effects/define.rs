//! `CREATE`: what is made, and what its definition already does.
//!
//! A view or a body in SQL is read like a query, because whoever uses it later reads what it reads.
//! A body in another language is opaque.

use pg_query::Node;
use pg_query::protobuf::node::Node as Enum;
use pg_query::protobuf::{
    Constraint, CreateFunctionStmt, CreateSchemaStmt, CreateStmt, CreateTableAsStmt, CreateTrigStmt, DefineStmt,
    IndexStmt, ObjectType, RangeVar, RuleStmt, ViewStmt,
};

use super::{Reader, Scope, names};
use crate::{Kind, Object, vocabulary};

impl Reader {
    pub(super) fn define(&mut self, node: &Enum) -> Option<Kind> {
        match node {
            Enum::CreateStmt(create) => self.table(create),
            Enum::CreateTableAsStmt(create) => self.table_as(create),
            Enum::CreateForeignTableStmt(create) => {
                self.database(vocabulary::SERVER);
                if let Some(base) = &create.base_stmt {
                    self.table(base);
                }
                self.options(&create.options);
            }
            Enum::ViewStmt(view) => self.view(view),
            Enum::IndexStmt(index) => self.index(index),
            Enum::CreateSeqStmt(sequence) => {
                self.makes(sequence.sequence.as_ref());
                self.options(&sequence.options);
            }
            Enum::CreateSchemaStmt(schema) => self.schema(schema),
            Enum::CreateFunctionStmt(function) => self.function(function),
            Enum::CreateTrigStmt(trigger) => self.trigger(trigger),
            Enum::RuleStmt(rule) => self.rule(rule),
            Enum::CreatePolicyStmt(policy) => {
                self.relation(vocabulary::GRANT, policy.table.as_ref());
                self.on_table(policy.table.as_ref(), [&policy.qual, &policy.with_check]);
            }
            _ => return self.define_type(node).or_else(|| self.define_other(node)),
        }
        Some(Kind::Create)
    }

    fn define_type(&mut self, node: &Enum) -> Option<Kind> {
        match node {
            Enum::CompositeTypeStmt(made) => {
                self.relation(vocabulary::CREATE, made.typevar.as_ref());
                self.expressions(&made.coldeflist);
            }
            Enum::CreateEnumStmt(made) => self.makes_in_schema(&made.type_name),
            Enum::CreateRangeStmt(made) => {
                self.makes_in_schema(&made.type_name);
                self.options(&made.params);
            }
            Enum::CreateDomainStmt(made) => {
                self.makes_in_schema(&made.domainname);
                self.expressions(&made.constraints);
            }
            Enum::DefineStmt(made) => self.define_object(made),
            Enum::CreateOpClassStmt(made) => {
                self.makes_in_schema(&made.opclassname);
                self.expressions(&made.items);
            }
            Enum::CreateOpFamilyStmt(made) => self.makes_in_schema(&made.opfamilyname),
            Enum::CreateConversionStmt(made) => self.makes_in_schema(&made.conversion_name),
            Enum::CreateCastStmt(_) | Enum::CreateTransformStmt(_) => self.database(vocabulary::CREATE),
            _ => return None,
        }
        Some(Kind::Create)
    }

    fn define_other(&mut self, node: &Enum) -> Option<Kind> {
        match node {
            Enum::CreateStatsStmt(made) => {
                self.scopes.push(Scope::default());
                for node in &made.relations {
                    match &node.node {
                        Some(Enum::RangeVar(relation)) => {
                            self.relation(vocabulary::CREATE, Some(relation));
                        }
                        _ => self.source(node),
                    }
                }
                self.scopes.pop();
                self.reads_something();
                self.expressions(&made.exprs);
            }
            Enum::CreateEventTrigStmt(_) | Enum::CreateAmStmt(_) | Enum::CreatePlangStmt(_) => {
                self.database(vocabulary::CREATE);
                self.draft.opaque();
            }
            Enum::CreateExtensionStmt(extension) => {
                self.database(vocabulary::CREATE);
                self.draft.opaque();
                self.options(&extension.options);
            }
            _ => return None,
        }
        Some(Kind::Create)
    }

    fn makes_in_schema(&mut self, name: &[Node]) {
        self.effect(vocabulary::CREATE, names::in_schema(&names::strings(name)));
    }

    pub(super) fn table(&mut self, create: &CreateStmt) {
        self.makes(create.relation.as_ref());
        self.relations(&create.inh_relations, vocabulary::ALTER);
        self.elements(&create.table_elts);
        self.expressions(&create.constraints);
        self.expressions(&create.nnconstraints);
        self.options(&create.options);
        if let Some(spec) = &create.partspec {
            self.expressions(&spec.part_params);
        }
        if let Some(bound) = &create.partbound {
            self.bound(bound);
        }
    }

    pub(super) fn bound(&mut self, bound: &pg_query::protobuf::PartitionBoundSpec) {
        self.expressions(&bound.listdatums);
        self.expressions(&bound.lowerdatums);
        self.expressions(&bound.upperdatums);
    }

    fn elements(&mut self, elements: &[Node]) {
        for element in elements {
            match &element.node {
                Some(Enum::TableLikeClause(like)) => {
                    self.relation(vocabulary::SELECT, like.relation.as_ref());
                }
                _ => self.expression(element),
            }
        }
    }

    /// A foreign key watches the other relation.
    pub(super) fn constraint(&mut self, constraint: &Constraint) {
        self.relation(vocabulary::ALTER, constraint.pktable.as_ref());
        self.maybe(&constraint.raw_expr);
        self.maybe(&constraint.where_clause);
        self.expressions(&constraint.options);
        for node in &constraint.exclusions {
            self.expression(node);
        }
    }

    fn table_as(&mut self, create: &CreateTableAsStmt) {
        if let Some(into) = &create.into {
            self.into(into);
        }
        match create.query.as_ref().and_then(|query| query.node.as_ref()) {
            Some(execute @ Enum::ExecuteStmt(_)) => {
                self.statement(execute);
            }
            Some(query) => self.query(query),
            None => self.unknown = true,
        }
    }

    fn view(&mut self, view: &ViewStmt) {
        self.makes(view.view.as_ref());
        self.maybe(&view.query);
        self.options(&view.options);
    }

    fn index(&mut self, index: &IndexStmt) {
        self.relation(vocabulary::CREATE, index.relation.as_ref());
        self.expressions(&index.index_params);
        self.expressions(&index.index_including_params);
        self.options(&index.options);
        self.maybe(&index.where_clause);
    }

    fn schema(&mut self, schema: &CreateSchemaStmt) {
        let owner = || schema.authrole.as_ref().map(names::role).unwrap_or_default();
        let name = if schema.schemaname.is_empty() { owner() } else { schema.schemaname.as_str().into() };
        self.effect(vocabulary::CREATE, Object::Schema(name));
        for node in &schema.schema_elts {
            match &node.node {
                Some(element) => {
                    self.statement(element);
                }
                None => self.unknown = true,
            }
        }
    }

    fn function(&mut self, function: &CreateFunctionStmt) {
        self.draft.opaque();
        self.routine(vocabulary::CREATE, names::routine(&function.funcname));
        self.expressions(&function.parameters);
        self.definition_options(&function.options);
        if let Some(body) = &function.sql_body {
            self.body(body);
        }
        for language in super::session::definitions(&function.options).filter(|option| option.defname == "language") {
            let name = language.arg.as_deref().and_then(names::string).unwrap_or_default();
            if ["c", "internal"].contains(&name) {
                self.database(vocabulary::SERVER);
            }
        }
    }

    /// A body of statements, or of lists of them.
    fn body(&mut self, body: &Node) {
        match &body.node {
            Some(Enum::List(list)) => list.items.iter().for_each(|item| self.body(item)),
            Some(Enum::ReturnStmt(statement)) => self.maybe(&statement.returnval),
            Some(statement) => {
                self.statement(statement);
            }
            None => {}
        }
    }

    /// Options of a routine, one of which may be a `SET`.
    pub(super) fn definition_options(&mut self, options: &[Node]) {
        for option in super::session::definitions(options) {
            match option.arg.as_ref().and_then(|arg| arg.node.as_ref()) {
                Some(Enum::VariableSetStmt(set)) => self.expressions(&set.args),
                Some(_) => self.maybe(&option.arg),
                None => {}
            }
        }
    }

    fn trigger(&mut self, trigger: &CreateTrigStmt) {
        self.relation(vocabulary::CREATE, trigger.relation.as_ref());
        self.relation(vocabulary::ALTER, trigger.constrrel.as_ref());
        let function = names::routine(&trigger.funcname);
        self.draft.function(&function.name);
        self.routine(vocabulary::EXECUTE, function);
        self.maybe(&trigger.when_clause);
    }

    /// What a rule does will be done by other statements: it is told, and it is opaque.
    fn rule(&mut self, rule: &RuleStmt) {
        self.draft.opaque();
        self.relation(vocabulary::CREATE, rule.relation.as_ref());
        self.scopes.push(Scope::default());
        for name in ["old", "new"] {
            self.enter(Some(name), None, self.read.len());
        }
        self.maybe(&rule.where_clause);
        for node in &rule.actions {
            match &node.node {
                Some(action) => {
                    self.statement(action);
                }
                None => self.unknown = true,
            }
        }
        self.scopes.pop();
    }

    pub(super) fn on_table(&mut self, table: Option<&RangeVar>, conditions: [&Option<Box<Node>>; 2]) {
        self.scopes.push(Scope::default());
        self.enter(table.map(|table| table.relname.as_str()), None, self.read.len());
        for condition in conditions {
            self.maybe(condition);
        }
        self.scopes.pop();
    }

    fn define_object(&mut self, made: &DefineStmt) {
        let name = names::strings(&made.defnames);
        match made.kind() {
            ObjectType::ObjectAggregate => {
                self.draft.opaque();
                self.routine(vocabulary::CREATE, names::qualified(&name));
            }
            _ => {
                self.effect(vocabulary::CREATE, names::in_schema(&name));
            }
        }
        self.expressions(&made.args);
        self.options(&made.definition);
    }
}
