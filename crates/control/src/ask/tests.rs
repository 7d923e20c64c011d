use super::*;

pub(crate) fn person(name: &str, groups: &[&str]) -> Person {
    Person {
        issuer: "https://id.example.com".into(),
        subject: name.into(),
        email: Some(format!("{name}@example.com")),
        workload: false,
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        actors: Vec::new(),
    }
}

pub(crate) fn ask(groups: &[&[&str]], quorum: u32) -> Ask {
    Ask {
        id: "a1".into(),
        fingerprint: "00".into(),
        requester: person("vendor", &["vendors"]),
        session: "gate-1".into(),
        target: "shop".into(),
        account: "app".into(),
        client: "127.0.0.1".into(),
        application: "psql".into(),
        statement: b"DELETE FROM t\xff".to_vec(),
        values: String::new(),
        effects: serde_json::json!([]),
        estimated_rows: None,
        in_transaction: false,
        policies: vec!["p".into()],
        reason: "risky".into(),
        revision: "r".into(),
        terms: Terms {
            groups: groups.iter().map(|any| any.iter().map(|group| (*group).to_owned()).collect()).collect(),
            quorum,
        },
        asked: 0,
        expires: 100,
        answers: Vec::new(),
        state: State::Pending,
    }
}

fn yes(by: Person) -> Answer {
    Answer { by, yes: true, reason: "checked".into(), at: 50 }
}

fn no(by: Person) -> Answer {
    Answer { yes: false, ..yes(by) }
}

#[test]
fn one_human_of_the_group_approves() {
    let mut ask = ask(&[&["dba"]], 1);
    assert_eq!(ask.answer(yes(person("dana", &["dba"]))), Ok(()));
    assert_eq!(ask.state, State::Approved);
    assert_eq!(ask.said(), ["dana@example.com at 1970-01-01T00:00:00.000050Z: checked"]);
    assert_eq!(ask.answer(yes(person("erin", &["dba"]))), Err(Unanswerable::Over(State::Approved)));
}

#[test]
fn one_no_denies() {
    let mut ask = ask(&[&["dba"]], 2);
    ask.answer(yes(person("dana", &["dba"]))).unwrap();
    ask.answer(no(person("erin", &["dba"]))).unwrap();
    assert_eq!(ask.state, State::Denied);
}

#[test]
fn who_said_yes_may_still_say_no() {
    let mut ask = ask(&[&["dba"]], 2);
    ask.answer(yes(person("dana", &["dba"]))).unwrap();
    ask.answer(no(person("dana", &["dba"]))).unwrap();
    assert_eq!(ask.state, State::Denied);
}

#[test]
fn quorum_is_of_distinct_humans() {
    let mut ask = ask(&[&["dba"]], 2);
    ask.answer(yes(person("dana", &["dba"]))).unwrap();
    assert_eq!(ask.state, State::Pending);
    assert_eq!(ask.answer(yes(person("dana", &["dba"]))), Err(Unanswerable::Twice));
    let other =
        Person { subject: "d-2".into(), issuer: "https://other.example.com".into(), ..person("dana", &["dba"]) };
    let other = Person { email: Some("Dana@Example.com".into()), ..other };
    assert_eq!(ask.answer(yes(other)), Err(Unanswerable::Twice));
    ask.answer(yes(person("erin", &["dba"]))).unwrap();
    assert_eq!(ask.state, State::Approved);
}

#[test]
fn every_policy_that_asks_has_its_quorum_of_its_own_groups() {
    let mut ask = ask(&[&["dba", "sre"], &["security"]], 1);
    ask.answer(yes(person("dana", &["sre"]))).unwrap();
    assert_eq!(ask.state, State::Pending);
    ask.answer(yes(person("sam", &["security"]))).unwrap();
    assert_eq!(ask.state, State::Approved);
    let mut ask = self::ask(&[&["dba"], &["security"]], 2);
    for (who, state) in [
        (person("dana", &["dba"]), State::Pending),
        (person("sam", &["security"]), State::Pending),
        (person("both", &["dba", "security"]), State::Approved),
    ] {
        ask.answer(yes(who)).unwrap();
        assert_eq!(ask.state, state);
    }
}

#[test]
fn whoever_acts_for_the_requester_does_not_answer() {
    let mut ask = ask(&[&["dba"]], 1);
    ask.requester.actors = vec!["helper".into()];
    assert_eq!(ask.answer(yes(person("helper", &["dba"]))), Err(Unanswerable::OwnAsk));
}

#[test]
fn who_may_not_answer_is_told_why() {
    let dba = |name: &str| person(name, &["dba"]);
    let workload = Person { workload: true, ..dba("robot") };
    let acted = Person { actors: vec!["agent".into()], ..dba("dana") };
    let again = Person { subject: "v2".into(), ..dba("vendor") };
    for (answer, why) in [
        (yes(dba("vendor")), Unanswerable::OwnAsk),
        (yes(again), Unanswerable::OwnAsk),
        (no(dba("vendor")), Unanswerable::OwnAsk),
        (yes(person("dana", &["dev"])), Unanswerable::NotAsked(vec!["dba".into()])),
        (yes(workload), Unanswerable::NotHuman),
        (yes(acted), Unanswerable::NotHuman),
        (Answer { at: 100, ..yes(dba("dana")) }, Unanswerable::Expired),
        (Answer { reason: " \n".into(), ..yes(dba("dana")) }, Unanswerable::Reason),
        (Answer { reason: "x".repeat(MAX_REASON + 1), ..yes(dba("dana")) }, Unanswerable::Reason),
    ] {
        let mut ask = ask(&[&["dba"]], 1);
        assert_eq!(ask.answer(answer.clone()), Err(why), "{answer:?}");
        assert_eq!((ask.state, ask.answers.len()), (State::Pending, 0));
    }
}

#[test]
fn nothing_is_answered_once_it_is_over() {
    for state in State::ALL.into_iter().filter(|state| *state != State::Pending) {
        let mut over = Ask { state, ..ask(&[&["dba"]], 1) };
        assert_eq!(over.answer(yes(person("dana", &["dba"]))), Err(Unanswerable::Over(state)));
    }
}

#[test]
fn only_who_asks_and_who_may_answer_sees_it() {
    let ask = ask(&[&["dba"], &["security"]], 1);
    for (who, sees) in [
        (person("vendor", &[]), true),
        (person("dana", &["dba"]), true),
        (person("sam", &["security"]), true),
        (person("eve", &["vendors"]), false),
    ] {
        assert_eq!(ask.is_for(&who), sees, "{who:?}");
    }
}

#[test]
fn what_is_stored_comes_back() {
    let mut ask = ask(&[&["dba"]], 1);
    ask.answer(yes(person("dana", &["dba"]))).unwrap();
    let stored = serde_json::to_string(&ask).unwrap();
    assert_eq!(serde_json::from_str::<Ask>(&stored).unwrap(), ask);
}
