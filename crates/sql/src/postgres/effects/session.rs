//! Statements on the session's own state: settings, transactions, prepared statements, cursors,
//! channels, and code that is sent to be run.

use pg_query::Node;
use pg_query::protobuf::node::Node as Enum;
use pg_query::protobuf::{
    DefElem, DiscardMode, SelectStmt, TransactionStmt, TransactionStmtKind, VariableSetKind, VariableSetStmt,
    a_const::Val,
};

use super::expression::literal;
use super::{Reader, names};
use crate::{Kind, Object, SessionChange, vocabulary};

impl Reader {
    pub(super) fn session(&mut self, node: &Enum) -> Option<Kind> {
        Some(match node {
            Enum::TransactionStmt(transaction) => self.transaction(transaction),
            Enum::VariableSetStmt(set) => self.set(set),
            Enum::VariableShowStmt(show) => {
                self.setting(&show.name);
                Kind::Show
            }
            Enum::ConstraintsSetStmt(set) => {
                self.database(vocabulary::SESSION);
                self.seen.relations += set.constraints.len();
                Kind::Set
            }
            Enum::DiscardStmt(discard) => self.discard(discard.target()),
            Enum::ListenStmt(_) => self.on_session(Kind::Listen),
            Enum::UnlistenStmt(_) => self.on_session(Kind::Unlisten),
            Enum::NotifyStmt(_) => self.on_session(Kind::Notify),
            _ => return self.stored_statement(node).or_else(|| self.code(node)),
        })
    }

    fn stored_statement(&mut self, node: &Enum) -> Option<Kind> {
        Some(match node {
            Enum::PrepareStmt(prepare) => {
                let analysis = self.stored(prepare.query.as_deref());
                self.expressions(&prepare.argtypes);
                self.changes(SessionChange::Prepare { name: prepare.name.as_str().into(), analysis });
                self.on_session(Kind::Prepare)
            }
            Enum::ExecuteStmt(execute) => {
                self.parameters(&execute.params);
                self.draft.opaque();
                self.database(vocabulary::EXECUTE);
                self.changes(SessionChange::Execute { name: execute.name.as_str().into() });
                Kind::Execute
            }
            Enum::DeallocateStmt(deallocate) => {
                let name = (!deallocate.isall).then(|| deallocate.name.as_str().into());
                self.changes(SessionChange::Deallocate { name });
                self.on_session(Kind::Deallocate)
            }
            Enum::DeclareCursorStmt(declare) => {
                if let Some(query) = declare.query.as_ref().and_then(|query| query.node.as_ref()) {
                    self.query(query);
                    self.reads_something();
                }
                self.declares = Some(declare.portalname.as_str().into());
                Kind::Declare
            }
            Enum::FetchStmt(fetch) => {
                self.draft.opaque();
                self.database(vocabulary::SELECT);
                self.changes(SessionChange::Fetch { name: fetch.portalname.as_str().into() });
                Kind::Fetch
            }
            Enum::ClosePortalStmt(close) => {
                let name = (!close.portalname.is_empty()).then(|| close.portalname.as_str().into());
                self.changes(SessionChange::Close { name });
                self.on_session(Kind::Close)
            }
            _ => return None,
        })
    }

    /// Parameters of `EXECUTE` are computed even where `EXPLAIN` only plans what they are for.
    fn parameters(&mut self, parameters: &[Node]) {
        let planned = std::mem::replace(&mut self.planned, false);
        self.expressions(parameters);
        self.planned = planned;
        self.evaluated = self.change.clone();
    }

    fn code(&mut self, node: &Enum) -> Option<Kind> {
        Some(match node {
            Enum::DoStmt(_) => {
                self.draft.opaque();
                self.database(vocabulary::EXECUTE);
                Kind::Do
            }
            Enum::CallStmt(call) => {
                self.draft.opaque();
                if let Some(call) = &call.funccall {
                    self.arguments(call);
                    self.routine(vocabulary::EXECUTE, names::routine(&call.funcname));
                }
                Kind::Call
            }
            _ => return None,
        })
    }

    fn on_session(&mut self, kind: Kind) -> Kind {
        self.database(vocabulary::SESSION);
        kind
    }

    fn setting(&mut self, name: &str) {
        let name = name.to_ascii_lowercase();
        let object = if name == "all" { Object::Database } else { Object::Setting(name.into()) };
        self.effect(vocabulary::SESSION, object);
    }

    fn transaction(&mut self, transaction: &TransactionStmt) -> Kind {
        self.database(vocabulary::SESSION);
        self.modes(&transaction.options, "");
        match transaction.kind() {
            TransactionStmtKind::TransStmtBegin | TransactionStmtKind::TransStmtStart => Kind::Begin,
            TransactionStmtKind::TransStmtCommit => Kind::Commit,
            TransactionStmtKind::TransStmtRollback => Kind::Rollback,
            TransactionStmtKind::TransStmtSavepoint => Kind::Savepoint,
            TransactionStmtKind::TransStmtRelease => Kind::Release,
            TransactionStmtKind::TransStmtRollbackTo => Kind::RollbackTo,
            TransactionStmtKind::TransStmtPrepare => Kind::PrepareTransaction,
            TransactionStmtKind::TransStmtCommitPrepared => Kind::CommitPrepared,
            TransactionStmtKind::TransStmtRollbackPrepared => Kind::RollbackPrepared,
            TransactionStmtKind::Undefined => {
                self.unknown = true;
                Kind::Unknown
            }
        }
    }

    /// Transaction modes are settings: `transaction_read_only` and the like.
    fn modes(&mut self, options: &[Node], prefix: &str) {
        for option in definitions(options) {
            self.setting(&format!("{prefix}{}", option.defname));
        }
        self.expressions(options);
    }

    fn set(&mut self, set: &VariableSetStmt) -> Kind {
        let name: Box<str> = set.name.to_ascii_lowercase().into();
        let (values, local) = (values(&set.args), set.is_local);
        if set.kind() == VariableSetKind::VarSetMulti {
            return self.set_modes(set, &name);
        }
        self.expressions(&set.args);
        match (set.kind(), &*name) {
            (VariableSetKind::VarResetAll, _) => {
                self.database(vocabulary::SESSION);
                self.changes(SessionChange::ResetAll);
                Kind::Reset
            }
            (kind, "role" | "session_authorization") => self.set_identity(kind, &name, values, local),
            (VariableSetKind::VarReset, _) => {
                self.setting(&name);
                self.changes(SessionChange::Reset { name });
                Kind::Reset
            }
            (VariableSetKind::VarSetDefault, _) if !local => {
                self.setting(&name);
                self.changes(SessionChange::Reset { name });
                Kind::Set
            }
            (kind, _) => {
                self.setting(&name);
                let values = values.filter(|_| kind == VariableSetKind::VarSetValue);
                self.changes(SessionChange::Set { name, values, local });
                Kind::Set
            }
        }
    }

    fn set_modes(&mut self, set: &VariableSetStmt, name: &str) -> Kind {
        self.database(vocabulary::SESSION);
        match name {
            "session characteristics" => self.modes(&set.args, "default_"),
            // Also `TRANSACTION SNAPSHOT`, whose argument is a literal.
            _ => self.modes(&set.args, ""),
        }
        Kind::Set
    }

    fn set_identity(&mut self, kind: VariableSetKind, name: &str, values: Option<Vec<Box<str>>>, local: bool) -> Kind {
        let role = values.and_then(|values| values.into_iter().next());
        let role = role.filter(|role| kind == VariableSetKind::VarSetValue && !(name == "role" && &**role == "none"));
        match &role {
            Some(role) => {
                self.effect(vocabulary::SESSION, Object::Role(role.clone()));
            }
            None => self.setting(name),
        }
        self.changes(match name {
            "role" => SessionChange::SetRole { role, local },
            _ => SessionChange::SetSessionAuthorization { role, local },
        });
        if kind == VariableSetKind::VarReset { Kind::Reset } else { Kind::Set }
    }

    fn discard(&mut self, target: DiscardMode) -> Kind {
        self.database(vocabulary::SESSION);
        match target {
            DiscardMode::DiscardAll => self.changes(SessionChange::DiscardAll),
            DiscardMode::DiscardTemp => self.changes(SessionChange::DiscardTemp),
            DiscardMode::DiscardPlans | DiscardMode::DiscardSequences | DiscardMode::Undefined => {}
        }
        Kind::Discard
    }

    /// Reads the arguments of options, which may be expressions.
    pub(super) fn options(&mut self, options: &[Node]) {
        self.expressions(options);
    }
}

/// The options among nodes.
pub(super) fn definitions(nodes: &[Node]) -> impl Iterator<Item = &DefElem> {
    nodes.iter().filter_map(|node| match &node.node {
        Some(Enum::DefElem(element)) => Some(&**element),
        _ => None,
    })
}

/// Whether `EXPLAIN` with these options runs the statement. Anything but a plain no is a yes.
pub(crate) fn runs(options: &[Node]) -> bool {
    definitions(options).filter(|option| option.defname.eq_ignore_ascii_case("analyze")).any(|option| {
        let Some(arg) = &option.arg else { return true };
        match &arg.node {
            Some(Enum::String(word)) => !["off", "false", "0"].iter().any(|no| word.sval.eq_ignore_ascii_case(no)),
            Some(Enum::Integer(number)) => number.ival != 0,
            Some(Enum::Boolean(boolean)) => boolean.boolval,
            _ => true,
        }
    })
}

/// The literals that a setting is set to; `None` where one is not a literal.
fn values(args: &[Node]) -> Option<Vec<Box<str>>> {
    args.iter().map(value).collect()
}

fn value(node: &Node) -> Option<Box<str>> {
    let Some(Enum::AConst(constant)) = &node.node else { return None };
    match constant.val.as_ref()? {
        Val::Sval(text) => Some(text.sval.as_str().into()),
        Val::Ival(number) => Some(number.ival.to_string().into()),
        Val::Fval(number) => Some(number.fval.as_str().into()),
        Val::Boolval(boolean) => Some(if boolean.boolval { "on" } else { "off" }.into()),
        Val::Bsval(_) => None,
    }
}

/// What `SELECT set_config(name, value, local)` sets, where it is the whole statement and all of it
/// is literal, so that it takes hold for certain.
pub(super) fn sole_set_config(select: &SelectStmt) -> Option<SessionChange> {
    let [target] = select.target_list.as_slice() else { return None };
    let bare = SelectStmt { target_list: Vec::new(), ..select.clone() };
    let nothing = SelectStmt { limit_option: bare.limit_option, op: bare.op, ..SelectStmt::default() };
    let Some(Enum::ResTarget(target)) = &target.node else { return None };
    let Some(Enum::FuncCall(call)) = &target.val.as_ref()?.node else { return None };
    let [name, value, local] = call.args.as_slice() else { return None };
    if bare != nothing || !matches!(names::strings(&call.funcname)[..], ["set_config"] | ["pg_catalog", "set_config"]) {
        return None;
    }
    let name = literal(name)?.to_ascii_lowercase().into();
    let Some(Enum::AConst(local)) = &local.node else { return None };
    let Some(Val::Boolval(local)) = &local.val else { return None };
    Some(SessionChange::Set { name, values: Some(single(literal(value)?)?), local: local.boolval })
}

/// A value that is one word, or none, however the setting would split it.
fn single(value: &str) -> Option<Vec<Box<str>>> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    match value {
        "" => Some(Vec::new()),
        _ => value.bytes().all(plain).then(|| vec![value.into()]),
    }
}
