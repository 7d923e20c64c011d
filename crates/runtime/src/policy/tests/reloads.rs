//! A good change is used by the next operation; a bad one never.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::fixture::{Asker, READ, ask, does, folder, load, write};
use crate::policy::{CedarPolicy, Watch};

const YES: &str = "@id(\"a\") permit (principal, action, resource);";
const NO: &str = "@id(\"a\") forbid (principal, action, resource);";
const BAD: &str = "@id(\"a\") permit (principal, action";

fn answer(policy: &CedarPolicy) -> &'static str {
    ask(policy, &Asker::default(), vec![does(READ)]).decision.word()
}

/// Waits until something holds; a test that waits for this long has failed.
fn soon(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "{what} did not come about");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn reload_applies_to_the_next_question_and_forgets_rulings() {
    let dir = folder(YES);
    let policy = load(dir.path()).unwrap();
    let before = policy.revision();
    assert_eq!(answer(&policy), "allow");
    assert!(!policy.reload().unwrap());
    write(dir.path(), NO);
    assert_eq!(answer(&policy), "allow");
    assert!(policy.reload().unwrap());
    assert_eq!(answer(&policy), "deny");
    assert_ne!(policy.revision(), before);
    assert_eq!(ask(&policy, &Asker::default(), vec![does(READ)]).revision, policy.revision());
}

#[test]
fn bad_bundle_keeps_the_old_one_and_shows_in_health() {
    let dir = folder(YES);
    let policy = load(dir.path()).unwrap();
    let before = policy.revision();
    write(dir.path(), BAD);
    let errors = policy.reload().unwrap_err();
    assert_eq!((answer(&policy), policy.revision()), ("allow", before.clone()));
    assert_eq!(policy.health().failing, Some(errors));
    write(dir.path(), YES);
    assert!(!policy.reload().unwrap());
    assert_eq!((policy.health().failing, policy.revision()), (None, before));
}

#[test]
fn revision_names_content_and_not_place() {
    let (one, other) = (folder(YES), folder(YES));
    assert_eq!(load(one.path()).unwrap().revision(), load(other.path()).unwrap().revision());
    std::fs::rename(other.path().join("all.cedar"), other.path().join("b.cedar")).unwrap();
    assert_ne!(load(one.path()).unwrap().revision(), load(other.path()).unwrap().revision());
}

#[test]
fn watch_uses_what_is_good_and_reports_what_is_not() {
    let dir = folder(YES);
    let policy = Arc::new(load(dir.path()).unwrap());
    let watch = Watch::start(&policy).unwrap();
    write(dir.path(), NO);
    soon("the new bundle", || answer(&policy) == "deny");
    write(dir.path(), BAD);
    soon("the report", || policy.health().failing.is_some());
    assert_eq!(answer(&policy), "deny");
    write(dir.path(), YES);
    soon("the repaired bundle", || answer(&policy) == "allow");
    assert_eq!(policy.health().failing, None);
    drop(watch);
    soon("the end of the watch", || Arc::weak_count(&policy) == 0);
}

#[test]
fn folder_that_vanishes_keeps_the_policies() {
    let dir = folder(YES);
    let policy = Arc::new(load(dir.path()).unwrap());
    let _watch = Watch::start(&policy).unwrap();
    dir.close().unwrap();
    soon("the report", || policy.health().failing.is_some());
    assert_eq!(answer(&policy), "allow");
}
