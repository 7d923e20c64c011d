//! Names in the tree: already folded, unescaped and cut by PostgreSQL's scanner.

use pg_query::Node;
use pg_query::protobuf::node::Node as Enum;
use pg_query::protobuf::{ObjectWithArgs, RangeVar, RoleSpec, RoleSpecType, TypeName};

use crate::{Object, QualifiedName};

/// The name of a relation.
pub(crate) fn relation(relation: &RangeVar) -> QualifiedName {
    QualifiedName {
        database: some(&relation.catalogname),
        schema: some(&relation.schemaname),
        name: relation.relname.as_str().into(),
    }
}

/// The strings of a list; what is no string is left out.
pub(crate) fn strings(nodes: &[Node]) -> Vec<&str> {
    nodes.iter().filter_map(string).collect()
}

/// The string that a node is.
pub(crate) fn string(node: &Node) -> Option<&str> {
    match &node.node {
        Some(Enum::String(string)) => Some(&string.sval),
        _ => None,
    }
}

/// A name of up to three parts.
pub(crate) fn qualified(parts: &[&str]) -> QualifiedName {
    let (name, before) = parts.split_last().map_or(("", &[][..]), |(name, before)| (*name, before));
    let (schema, before) = before.split_last().map_or((None, &[][..]), |(schema, before)| (Some(*schema), before));
    QualifiedName {
        database: before.last().copied().map(Into::into),
        schema: schema.map(Into::into),
        name: name.into(),
    }
}

/// The routine that a list of names means.
pub(crate) fn routine(parts: &[Node]) -> QualifiedName {
    qualified(&strings(parts))
}

/// The routine that an object with arguments means.
pub(crate) fn with_arguments(object: &ObjectWithArgs) -> QualifiedName {
    routine(&object.objname)
}

/// What stands for an object that has a name in a schema but no kind of its own here.
pub(crate) fn in_schema(parts: &[&str]) -> Object {
    match parts {
        [.., schema, _] => Object::Schema((*schema).into()),
        _ => Object::Database,
    }
}

/// What stands for a type.
pub(crate) fn type_object(name: &TypeName) -> Object {
    in_schema(&strings(&name.names))
}

/// A role; the ones that depend on the session by the word that means them.
pub(crate) fn role(role: &RoleSpec) -> Box<str> {
    match role.roletype() {
        RoleSpecType::RolespecCurrentRole => "current_role",
        RoleSpecType::RolespecCurrentUser => "current_user",
        RoleSpecType::RolespecSessionUser => "session_user",
        RoleSpecType::RolespecPublic => "public",
        RoleSpecType::RolespecCstring | RoleSpecType::Undefined => &role.rolename,
    }
    .into()
}

/// The roles of a list.
pub(crate) fn roles(nodes: &[Node]) -> Vec<Box<str>> {
    let one = |node: &Node| match &node.node {
        Some(Enum::RoleSpec(spec)) => Some(role(spec)),
        Some(Enum::AccessPriv(privilege)) => Some(privilege.priv_name.as_str().into()),
        _ => None,
    };
    nodes.iter().filter_map(one).collect()
}

fn some(name: &str) -> Option<Box<str>> {
    (!name.is_empty()).then(|| name.into())
}
