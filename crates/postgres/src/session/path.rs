//! Following the session's search path: what statements set it to, what of that a transaction may
//! still undo, and what the target reports of it (PostgreSQL 18 and later).
//!
//! While a transaction is open, a path that was set there and the one before are both meant.

use portcullis_sql::{Analysis, SessionChange, Statement};

use crate::classify::{self, PathChange, Stored};
use crate::names::SearchPath;

/// The search path of one session.
pub(super) struct Following {
    path: SearchPath,
    /// What it was when no transaction was open last.
    before: SearchPath,
    /// What it was at login, and how the target put it then, where it reports it.
    login: SearchPath,
    login_report: Option<Box<str>>,
    /// What the target reported last.
    reported: Option<Box<str>>,
    /// The session has the roles that it had at login.
    as_login: bool,
    moved: Option<Moved>,
    /// A statement since then began or ended a transaction, or undid part of one.
    controls: bool,
}

/// What was done to the path since no transaction was open last.
struct Moved {
    last: SearchPath,
    roles: bool,
    /// All of it ends with the transaction.
    local: bool,
}

impl Following {
    pub(super) fn new(path: SearchPath) -> Self {
        Self {
            before: path.clone(),
            login: path.clone(),
            path,
            login_report: None,
            reported: None,
            as_login: true,
            moved: None,
            controls: false,
        }
    }

    /// Every path that may be meant now.
    pub(super) const fn path(&self) -> &SearchPath {
        &self.path
    }

    /// The target reports its setting at login.
    pub(super) fn began_with(&mut self, setting: &str) {
        self.login_report = Some(setting.into());
    }

    /// The target reports its setting. It counts when no transaction is open, for what one has set
    /// it may undo without a word before its end.
    pub(super) fn reported(&mut self, setting: &str) {
        self.reported = Some(setting.into());
        self.meet(&self.of_report(setting));
    }

    /// What a change makes of the path.
    pub(super) fn after(&self, change: &PathChange<'_>) -> SearchPath {
        let as_login = self.as_login && !self.moved.as_ref().is_some_and(|moved| moved.roles);
        match change {
            PathChange::To(Some(values)) => path_of(values),
            PathChange::All => self.login.clone(),
            PathChange::Back if as_login => self.login.clone(),
            PathChange::To(None) | PathChange::Back | PathChange::Roles | PathChange::Unknown => SearchPath::Unknown,
        }
    }

    /// The target has done `statement`, which ran what was `stored`. Says whether names may mean
    /// something else now.
    pub(super) fn done(&mut self, statement: &Statement, stored: Option<&Analysis>) -> bool {
        self.controls |= classify::controls_transactions(statement.kind);
        let unknown_run = stored.is_none() && matches!(classify::runs(statement), Some(Stored::Statement(_)));
        let mut moved = false;
        if unknown_run || classify::is_unfollowed(statement) {
            self.change(&PathChange::Unknown, false);
            moved = true;
        }
        let stored = stored.into_iter().flat_map(|stored| &stored.statements);
        for change in std::iter::once(statement).chain(stored).filter_map(|statement| statement.change.as_ref()) {
            if let Some(path) = classify::path_change(change) {
                self.change(&path, is_local(change));
                moved = true;
            }
        }
        moved
    }

    fn change(&mut self, change: &PathChange<'_>, local: bool) {
        let last = self.after(change);
        self.meet(&last);
        if matches!(change, PathChange::All) {
            // It is no part of a transaction, and the roles are those of the login again.
            self.as_login = true;
            self.moved = Some(Moved { last, roles: false, local: false });
            return;
        }
        let roles = matches!(change, PathChange::Roles | PathChange::Unknown);
        let before = self.moved.take();
        let (was_local, had_roles) = before.map_or((true, false), |moved| (moved.local, moved.roles));
        self.moved = Some(Moved { last, roles: roles || had_roles, local: local && was_local });
    }

    fn meet(&mut self, other: &SearchPath) {
        let path = std::mem::replace(&mut self.path, SearchPath::Unknown);
        self.path = path.or(other);
    }

    /// The target is ready, with no transaction open if `idle`, and after a failure if `failed`.
    /// Says whether names may mean something else now.
    pub(super) fn ready(&mut self, idle: bool, failed: bool) -> bool {
        if !idle {
            return false;
        }
        let controls = std::mem::take(&mut self.controls);
        let moved = self.moved.take();
        self.as_login &= !moved.as_ref().is_some_and(|moved| moved.roles && !moved.local);
        let settled = match (self.reported.as_deref(), moved) {
            (Some(reported), _) => self.of_report(reported),
            (None, None) => self.path.clone(),
            (None, Some(moved)) if moved.local || (failed && !controls) => self.before.clone(),
            (None, Some(moved)) if !controls => moved.last,
            (None, Some(_)) => self.path.clone(),
        };
        let changed = settled != self.path;
        self.before = settled.clone();
        self.path = settled;
        changed
    }

    fn of_report(&self, setting: &str) -> SearchPath {
        if self.as_login && self.login_report.as_deref() == Some(setting) {
            return self.login.clone();
        }
        SearchPath::parse(setting)
    }
}

fn is_local(change: &SessionChange) -> bool {
    matches!(
        change,
        SessionChange::Set { local: true, .. }
            | SessionChange::SetRole { local: true, .. }
            | SessionChange::SetSessionAuthorization { local: true, .. }
    )
}

/// A path that a statement sets. One with `$user` depends on roles and is not followed.
fn path_of(values: &[Box<str>]) -> SearchPath {
    if values.iter().any(|value| &**value == "$user") {
        return SearchPath::Unknown;
    }
    SearchPath::of(values.iter().filter(|value| !value.is_empty()).cloned())
}

#[cfg(test)]
mod tests {
    use portcullis_sql::postgres::{Analyzer, Settings};

    use super::Following;
    use crate::names::SearchPath;

    /// Runs texts, each of which the target answers with what stands behind it: the status of its
    /// `ReadyForQuery`, or `!` and the status if its last statement fails.
    fn check(texts: &[(&str, &str)], expected: &SearchPath) {
        let analyzer = Analyzer::new(0);
        let mut following = Following::new(SearchPath::of(["login"]));
        for (text, answer) in texts {
            let analysis = analyzer.analyse(text.as_bytes(), Settings::default());
            let failed = answer.starts_with('!');
            for statement in analysis.statements.iter().take(analysis.statements.len() - usize::from(failed)) {
                following.done(statement, None);
            }
            following.ready(answer.ends_with('I'), failed);
        }
        assert_eq!(following.path(), expected, "{texts:?}");
    }

    #[test]
    fn the_path_is_followed_through_transactions() {
        let one = |schema: &str| SearchPath::of([schema]);
        let (login, a) = (one("login"), one("a"));
        let either = login.clone().or(&a);
        check(&[("SET search_path = a", "I")], &a);
        check(&[("SET search_path = a; SELECT nothing", "!I")], &login);
        check(&[("SET search_path = a", "I"), ("RESET search_path", "I")], &login);
        check(&[("SET LOCAL search_path = a", "I")], &login);
        check(&[("BEGIN", "T"), ("SET LOCAL search_path = a", "T")], &either);
        check(&[("BEGIN", "T"), ("SET LOCAL search_path = a", "T"), ("COMMIT", "I")], &login);
        check(&[("BEGIN", "T"), ("SET search_path = a", "T"), ("COMMIT", "I")], &either);
        check(&[("SET search_path = b", "I"), ("BEGIN; SET search_path = a; ROLLBACK", "I")], &one("b").or(&a));
        check(&[("SET search_path = a; BEGIN", "T"), ("ROLLBACK", "I")], &either);
        check(&[("SELECT set_config('search_path', 'a', false)", "I")], &a);
        check(&[("DISCARD ALL", "I")], &login);
    }

    #[test]
    fn what_cannot_be_followed_leaves_it_unknown() {
        for text in [
            "SET ROLE other",
            "SELECT set_config('role', 'other', false)",
            "DO $$ begin end $$",
            "CALL p()",
            "EXECUTE something",
            "SELECT set_config('search_path', a, false) FROM t",
            "SET search_path = \"$user\", public",
            "UPDATE pg_settings SET setting = 'a' WHERE name = 'search_path'",
            "no sql",
        ] {
            check(&[(text, "I")], &SearchPath::Unknown);
        }
        check(&[("SET ROLE other", "I"), ("RESET search_path", "I")], &SearchPath::Unknown);
        check(&[("SET ROLE other", "I"), ("DISCARD ALL", "I")], &SearchPath::of(["login"]));
        check(&[("BEGIN; SET LOCAL ROLE other", "T")], &SearchPath::Unknown);
        check(&[("BEGIN; SET LOCAL ROLE other", "T"), ("COMMIT", "I")], &SearchPath::of(["login"]));
    }

    #[test]
    fn what_the_target_reports_counts_once_no_transaction_is_open() {
        let mut following = Following::new(SearchPath::of(["login"]));
        following.began_with("\"$user\", login");
        following.reported("a");
        following.ready(false, false);
        assert_eq!(following.path(), &SearchPath::of(["login"]).or(&SearchPath::of(["a"])));
        following.ready(true, false);
        assert_eq!(following.path(), &SearchPath::of(["a"]));
        following.reported("\"$user\", login");
        following.ready(true, false);
        assert_eq!(following.path(), &SearchPath::of(["login"]));
    }
}
