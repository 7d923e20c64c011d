//! Statements that administer: privileges and roles, upkeep, the target's host, replication.

use pg_query::Node;
use pg_query::protobuf::node::Node as Enum;
use pg_query::protobuf::{
    AlterRoleSetStmt, AlterRoleStmt, CreateRoleStmt, DropRoleStmt, GrantRoleStmt, GrantStmt, GrantTargetType,
    ObjectType, ReindexObjectType, ReindexStmt, VacuumStmt,
};
use portcullis_core::vocabulary::Action;

use super::alter::object_of;
use super::{Reader, names};
use crate::{Kind, Object, vocabulary};

impl Reader {
    pub(super) fn administer(&mut self, node: &Enum) -> Option<Kind> {
        self.privileges(node)
            .or_else(|| self.upkeep(node))
            .or_else(|| self.host(node))
            .or_else(|| self.replication(node))
    }

    fn privileges(&mut self, node: &Enum) -> Option<Kind> {
        Some(match node {
            Enum::GrantStmt(grant) => self.grant(grant),
            Enum::GrantRoleStmt(grant) => self.grant_role(grant),
            Enum::AlterDefaultPrivilegesStmt(alter) => {
                self.database(vocabulary::GRANT);
                self.options(&alter.options);
                Kind::Alter
            }
            Enum::CreateRoleStmt(create) => self.create_role(create),
            Enum::AlterRoleStmt(alter) => self.alter_role(alter),
            Enum::AlterRoleSetStmt(alter) => self.alter_role_set(alter),
            Enum::DropRoleStmt(drop) => self.drop_role(drop),
            Enum::DropOwnedStmt(drop) => {
                self.draft.opaque();
                self.on_roles(vocabulary::DROP, &drop.roles);
                Kind::Drop
            }
            Enum::ReassignOwnedStmt(reassign) => {
                self.on_roles(vocabulary::GRANT, &reassign.roles);
                Kind::Reassign
            }
            _ => return None,
        })
    }

    fn on_roles(&mut self, action: Action, roles: &[Node]) {
        for role in names::roles(roles) {
            self.effect(action, Object::Role(role));
        }
    }

    fn grant(&mut self, grant: &GrantStmt) -> Kind {
        let all_in_schema = grant.targtype() == GrantTargetType::AclTargetAllInSchema;
        let kind = if all_in_schema { ObjectType::ObjectSchema } else { grant.objtype() };
        for node in &grant.objects {
            match &node.node {
                Some(Enum::RangeVar(relation)) => {
                    self.relation(vocabulary::GRANT, Some(relation));
                }
                _ => {
                    self.effect(vocabulary::GRANT, object_of(kind, node));
                    self.expression(node);
                }
            }
        }
        if grant.is_grant { Kind::Grant } else { Kind::Revoke }
    }

    fn grant_role(&mut self, grant: &GrantRoleStmt) -> Kind {
        self.on_roles(vocabulary::GRANT, &grant.granted_roles);
        self.on_roles(vocabulary::GRANT, &grant.grantee_roles);
        self.options(&grant.opt);
        if grant.is_grant { Kind::Grant } else { Kind::Revoke }
    }

    fn create_role(&mut self, create: &CreateRoleStmt) -> Kind {
        self.effect(vocabulary::GRANT, Object::Role(create.role.as_str().into()));
        self.options(&create.options);
        Kind::Create
    }

    fn alter_role(&mut self, alter: &AlterRoleStmt) -> Kind {
        let role = alter.role.as_ref().map(names::role).unwrap_or_default();
        self.effect(vocabulary::GRANT, Object::Role(role));
        self.options(&alter.options);
        Kind::Alter
    }

    fn alter_role_set(&mut self, alter: &AlterRoleSetStmt) -> Kind {
        match &alter.role {
            Some(role) => {
                self.effect(vocabulary::GRANT, Object::Role(names::role(role)));
            }
            None => self.database(vocabulary::GRANT),
        }
        if let Some(set) = &alter.setstmt {
            self.expressions(&set.args);
        }
        Kind::Alter
    }

    fn drop_role(&mut self, drop: &DropRoleStmt) -> Kind {
        self.on_roles(vocabulary::GRANT, &drop.roles);
        Kind::Drop
    }

    fn upkeep(&mut self, node: &Enum) -> Option<Kind> {
        Some(match node {
            Enum::VacuumStmt(vacuum) => self.vacuum(vacuum),
            Enum::ClusterStmt(cluster) => {
                if self.relation(vocabulary::MAINTAIN, cluster.relation.as_ref()).is_none() {
                    self.database(vocabulary::MAINTAIN);
                }
                self.options(&cluster.params);
                Kind::Cluster
            }
            Enum::ReindexStmt(reindex) => self.reindex(reindex),
            Enum::RefreshMatViewStmt(refresh) => {
                self.relation(vocabulary::MAINTAIN, refresh.relation.as_ref());
                Kind::Refresh
            }
            Enum::CheckPointStmt(_) => {
                self.database(vocabulary::MAINTAIN);
                Kind::Checkpoint
            }
            _ => return None,
        })
    }

    fn vacuum(&mut self, vacuum: &VacuumStmt) -> Kind {
        for node in &vacuum.rels {
            match &node.node {
                Some(Enum::VacuumRelation(relation)) => {
                    self.relation(vocabulary::MAINTAIN, relation.relation.as_ref());
                }
                _ => self.unknown = true,
            }
        }
        if vacuum.rels.is_empty() {
            self.database(vocabulary::MAINTAIN);
        }
        self.options(&vacuum.options);
        if vacuum.is_vacuumcmd { Kind::Vacuum } else { Kind::Analyze }
    }

    fn reindex(&mut self, reindex: &ReindexStmt) -> Kind {
        match reindex.kind() {
            ReindexObjectType::ReindexObjectSchema => {
                self.effect(vocabulary::MAINTAIN, Object::Schema(reindex.name.as_str().into()));
            }
            _ if reindex.relation.is_some() => {
                self.relation(vocabulary::MAINTAIN, reindex.relation.as_ref());
            }
            _ => self.database(vocabulary::MAINTAIN),
        }
        self.options(&reindex.params);
        Kind::Reindex
    }

    /// Statements that reach the target's host, its other databases, or other servers.
    fn host(&mut self, node: &Enum) -> Option<Kind> {
        let (kind, action, options) = match node {
            Enum::LoadStmt(_) => (Kind::Load, vocabulary::SERVER, &[][..]),
            Enum::CreatedbStmt(made) => (Kind::Create, vocabulary::CREATE, &made.options[..]),
            Enum::AlterDatabaseStmt(made) => (Kind::Alter, vocabulary::ALTER, &made.options[..]),
            Enum::AlterDatabaseRefreshCollStmt(_) => (Kind::Alter, vocabulary::ALTER, &[][..]),
            Enum::DropdbStmt(made) => (Kind::Drop, vocabulary::DROP, &made.options[..]),
            Enum::CreateTableSpaceStmt(made) => (Kind::Create, vocabulary::CREATE, &made.options[..]),
            Enum::AlterTableSpaceOptionsStmt(made) => (Kind::Alter, vocabulary::ALTER, &made.options[..]),
            Enum::AlterTableMoveAllStmt(_) => (Kind::Alter, vocabulary::ALTER, &[][..]),
            Enum::DropTableSpaceStmt(_) => (Kind::Drop, vocabulary::DROP, &[][..]),
            Enum::CreateFdwStmt(made) => (Kind::Create, vocabulary::CREATE, &made.options[..]),
            Enum::AlterFdwStmt(made) => (Kind::Alter, vocabulary::ALTER, &made.options[..]),
            Enum::CreateForeignServerStmt(made) => (Kind::Create, vocabulary::CREATE, &made.options[..]),
            Enum::AlterForeignServerStmt(made) => (Kind::Alter, vocabulary::ALTER, &made.options[..]),
            Enum::CreateUserMappingStmt(made) => (Kind::Create, vocabulary::CREATE, &made.options[..]),
            Enum::AlterUserMappingStmt(made) => (Kind::Alter, vocabulary::ALTER, &made.options[..]),
            Enum::DropUserMappingStmt(_) => (Kind::Drop, vocabulary::DROP, &[][..]),
            Enum::AlterDatabaseSetStmt(alter) => {
                return Some(self.configure(alter.setstmt.as_ref(), vocabulary::ALTER));
            }
            Enum::AlterSystemStmt(alter) => return Some(self.configure(alter.setstmt.as_ref(), vocabulary::SERVER)),
            Enum::ImportForeignSchemaStmt(import) => {
                self.effect(vocabulary::CREATE, Object::Schema(import.local_schema.as_str().into()));
                self.seen.relations += import.table_list.len();
                (Kind::Import, vocabulary::SERVER, &import.options[..])
            }
            _ => return None,
        };
        self.database(action);
        self.database(vocabulary::SERVER);
        self.options(options);
        Some(kind)
    }

    /// `ALTER DATABASE … SET` and `ALTER SYSTEM SET`: a setting for others as well.
    fn configure(&mut self, set: Option<&pg_query::protobuf::VariableSetStmt>, action: Action) -> Kind {
        self.database(vocabulary::MAINTAIN);
        self.database(action);
        if let Some(set) = set {
            self.expressions(&set.args);
            if !set.name.is_empty() {
                self.effect(vocabulary::MAINTAIN, Object::Setting(set.name.to_ascii_lowercase().into()));
            }
        }
        Kind::Alter
    }

    fn replication(&mut self, node: &Enum) -> Option<Kind> {
        let (kind, action, options, objects) = match node {
            Enum::CreatePublicationStmt(made) => {
                (Kind::Create, vocabulary::CREATE, &made.options[..], &made.pubobjects[..])
            }
            Enum::AlterPublicationStmt(made) => {
                (Kind::Alter, vocabulary::ALTER, &made.options[..], &made.pubobjects[..])
            }
            Enum::CreateSubscriptionStmt(made) => (Kind::Create, vocabulary::SERVER, &made.options[..], &[][..]),
            Enum::AlterSubscriptionStmt(made) => (Kind::Alter, vocabulary::SERVER, &made.options[..], &[][..]),
            Enum::DropSubscriptionStmt(_) => (Kind::Drop, vocabulary::SERVER, &[][..], &[][..]),
            _ => return None,
        };
        self.database(vocabulary::REPLICATION);
        self.database(action);
        self.options(options);
        for node in objects {
            let Some(Enum::PublicationObjSpec(object)) = &node.node else {
                self.unknown = true;
                continue;
            };
            if let Some(table) = &object.pubtable {
                self.relation(vocabulary::REPLICATION, table.relation.as_ref());
                self.maybe(&table.where_clause);
            }
        }
        Some(kind)
    }
}
