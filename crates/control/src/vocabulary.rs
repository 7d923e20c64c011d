//! The words of the control plane: what people may do in it, for policies to permit.
//!
//! The resource is the target that a session, an ask or a recording is about, or [`PLANE`] where none is.

use portcullis_core::vocabulary::{Action, ActionEntry, TARGET, Vocabulary};

/// The name by which policies know the control plane itself, among the targets.
pub const PLANE: &str = "portcullis";

/// Looks at anything: all actions whose name ends with `:read`.
pub const READ: Action = Action::new("control:read");
/// Changes what runs: ends sessions, takes approvals back, tries policies.
pub const OPERATE: Action = Action::new("control:operate");
/// Reads asks of others that one is no approver of.
pub const ASKS_READ: Action = Action::new("control:asks:read");
/// Takes approvals of others back.
pub const ASKS_REVOKE: Action = Action::new("control:asks:revoke");
/// Lists sessions and searches in what they did.
pub const SESSIONS_READ: Action = Action::new("control:sessions:read");
/// Ends sessions.
pub const SESSIONS_END: Action = Action::new("control:sessions:end");
/// Reads recordings: what was said, and what came back.
pub const RECORDINGS_READ: Action = Action::new("control:recordings:read");
/// Reads the policies.
pub const POLICIES_READ: Action = Action::new("control:policies:read");
/// Asks what policies would decide.
pub const POLICIES_TRY: Action = Action::new("control:policies:try");
/// Lists the targets and how they are.
pub const TARGETS_READ: Action = Action::new("control:targets:read");
/// Reads what was done in the control plane.
pub const AUDIT_READ: Action = Action::new("control:audit:read");
/// Sees how the gate is.
pub const HEALTH_READ: Action = Action::new("control:health:read");
/// Makes one-use tickets that stand for oneself at a target.
pub const TICKETS_MAKE: Action = Action::new("control:tickets:make");

const fn entry(action: Action, within: &'static [Action], meaning: &'static str) -> ActionEntry {
    ActionEntry { action, within, applies_to: &[TARGET], meaning }
}

/// The family of the control plane.
pub const VOCABULARY: &Vocabulary = &Vocabulary {
    family: "control",
    actions: &[
        entry(READ, &[], "looks at anything in the control plane"),
        entry(OPERATE, &[], "changes what runs"),
        entry(ASKS_READ, &[READ], "reads asks of others; approvers of an ask, and who asks, read it without this"),
        entry(ASKS_REVOKE, &[OPERATE], "takes approvals back; approvers of an ask, and who asks, do so without this"),
        entry(SESSIONS_READ, &[READ], "lists sessions and searches in what they did"),
        entry(SESSIONS_END, &[OPERATE], "ends sessions"),
        entry(RECORDINGS_READ, &[READ], "reads recordings: what was said, and what came back"),
        entry(POLICIES_READ, &[READ], "reads the policies"),
        entry(POLICIES_TRY, &[OPERATE], "asks what policies would decide"),
        entry(TARGETS_READ, &[READ], "lists the targets and how they are"),
        entry(AUDIT_READ, &[READ], "reads what was done in the control plane"),
        entry(HEALTH_READ, &[READ], "sees how the gate is"),
        entry(TICKETS_MAKE, &[], "makes one-use tickets that stand for oneself at a target"),
    ],
    resources: &[],
    facts: &[],
};
