//! What a session sees, kept between its operations: one view for each revision of the policies.
//!
//! The view belongs to the same snapshot of the policies as the decision beside it. Where the
//! policies change between the two, everything is masked for that one operation.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use crate::masking::{Rules, Tags, View};
use crate::policy::{Decision, Policy, Question, Subject};

/// The views of one session.
pub(super) struct Views {
    rules: Rules,
    last: Mutex<Last>,
}

#[derive(Default)]
struct Last {
    /// The revision under which nothing can change; `None` where each operation asks anew.
    revision: Option<Arc<str>>,
    hidden: Tags,
    view: Option<Arc<View>>,
}

impl Views {
    pub(super) fn new(rules: Rules) -> Self {
        Self { rules, last: Mutex::default() }
    }

    /// The view under the revision that decided the operation.
    pub(super) fn of(
        &self,
        policy: &dyn Policy,
        subject: &Subject,
        revision: &Arc<str>,
        now: SystemTime,
    ) -> Option<Arc<View>> {
        if self.rules.is_none() {
            return None;
        }
        // What is kept is whole at every moment, so a poisoned lock is still good.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.revision.as_ref() == Some(revision) {
            return last.view.clone();
        }
        let (hidden, lasts) = self.hidden(policy, subject, revision, now);
        if last.view.is_none() || last.hidden != hidden {
            *last = Last { revision: None, hidden, view: View::new(&self.rules, hidden) };
        }
        last.revision = lasts.then(|| Arc::clone(revision));
        last.view.clone()
    }

    /// The tags that are not revealed, and whether that stays so under this revision.
    fn hidden(&self, policy: &dyn Policy, subject: &Subject, revision: &Arc<str>, now: SystemTime) -> (Tags, bool) {
        let (mut hidden, mut lasts) = (Tags::NONE, true);
        for (tag, effects) in self.rules.questions() {
            let (ruling, stays) = policy.decide_lasting(&Question { subject, effects, now });
            let same = ruling.revision == *revision;
            lasts &= stays && same;
            // A tag is shown only where this very revision allows it: no ask, no doubt.
            if !same || ruling.decision != Decision::Allow {
                hidden |= tag;
            }
        }
        (hidden, lasts)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use super::*;
    use crate::identity::{Identity, Kind};
    use crate::masking::{Settings, Tag};
    use crate::policy::{Ruling, Terms};

    /// Reveals `email`, would ask about `card`, denies the rest; counts what it is asked.
    struct Told {
        revision: Arc<str>,
        lasts: bool,
        reveals: AtomicBool,
        asked: AtomicUsize,
    }

    impl Told {
        fn new(revision: &str, lasts: bool) -> Self {
            Self { revision: revision.into(), lasts, reveals: AtomicBool::new(true), asked: AtomicUsize::new(0) }
        }
    }

    impl Policy for Told {
        fn decide(&self, question: &Question<'_>) -> Arc<Ruling> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            let effect = question.effects.list().first().unwrap();
            assert_eq!((effect.action.name(), effect.resource.kind), ("reveal", "Tag"));
            let decision = match &*effect.resource.path[0] {
                "email" if self.reveals.load(Ordering::Relaxed) => Decision::Allow,
                "card" => Decision::AskFirst(Terms { groups: Vec::new(), quorum: 1, ttl: std::time::Duration::ZERO }),
                _ => Decision::Deny,
            };
            let (reason, revision) = (String::new(), Arc::clone(&self.revision));
            Arc::new(Ruling { decision, policies: Vec::new(), reason, revision })
        }

        fn decide_lasting(&self, question: &Question<'_>) -> (Arc<Ruling>, bool) {
            (self.decide(question), self.lasts)
        }
    }

    fn views() -> Views {
        let columns = ["email", "card", "note"].map(|name| (format!("*.*.{name}"), Tag::new(name)));
        Views::new(Rules::new(&Settings { columns: columns.into(), ..Settings::default() }).unwrap())
    }

    fn view(views: &Views, policy: &Told, revision: &str) -> Option<Arc<View>> {
        let identity = Identity {
            issuer: String::from("https://id.example.com"),
            subject: String::from("dana"),
            kind: Kind::User,
            groups: Vec::new(),
            email: None,
            actors: Vec::new(),
            token: None,
            authenticated: None,
            expires: SystemTime::UNIX_EPOCH,
        };
        let (target, client, now) = (String::from("shop"), Ipv4Addr::LOCALHOST.into(), SystemTime::UNIX_EPOCH);
        let subject = Subject::new(identity, target, Vec::new(), "sql", client, String::new(), now);
        views.of(policy, &subject, &revision.into(), now)
    }

    fn hidden(view: &View) -> Vec<&str> {
        view.rules().names(view.all()).map(Tag::name).collect()
    }

    #[test]
    fn only_an_allow_reveals_and_it_is_asked_once_a_revision() {
        let (views, first, second) = (views(), Told::new("1", true), Told::new("2", true));
        let one = view(&views, &first, "1").unwrap();
        let same = view(&views, &first, "1").unwrap();
        assert_eq!(hidden(&one), ["card", "note"]);
        assert!(Arc::ptr_eq(&one, &same));
        assert_eq!(first.asked.load(Ordering::Relaxed), 3);
        second.reveals.store(false, Ordering::Relaxed);
        assert_eq!(hidden(&view(&views, &second, "2").unwrap()), ["card", "email", "note"]);
        assert_eq!(hidden(&one), ["card", "note"], "an operation keeps what it was decided with");
    }

    #[test]
    fn policies_that_change_between_the_decision_and_the_view_reveal_nothing() {
        let (views, newer) = (views(), Told::new("2", true));
        assert_eq!(hidden(&view(&views, &newer, "1").unwrap()), ["card", "email", "note"]);
        assert_eq!(hidden(&view(&views, &newer, "2").unwrap()), ["card", "note"]);
    }

    #[test]
    fn an_answer_that_may_change_is_asked_for_each_time() {
        let (views, policy) = (views(), Told::new("1", false));
        let before = view(&views, &policy, "1").unwrap();
        assert!(Arc::ptr_eq(&before, &view(&views, &policy, "1").unwrap()), "the same view is not made twice");
        policy.reveals.store(false, Ordering::Relaxed);
        assert_eq!(hidden(&view(&views, &policy, "1").unwrap()), ["card", "email", "note"]);
    }

    #[test]
    fn without_rules_nobody_is_asked() {
        let policy = Told::new("1", true);
        assert!(view(&Views::new(Rules::none()), &policy, "1").is_none());
        assert_eq!(policy.asked.load(Ordering::Relaxed), 0);
    }
}
