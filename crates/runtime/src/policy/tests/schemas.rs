//! The schema that vocabularies make, and that what the gate builds conforms to it.

use std::collections::BTreeMap;

use cedar_policy::{Entities, Request};
use portcullis_core::operation::{Effect, Fact, Facts, Resource};
use portcullis_core::vocabulary::{Action, ActionEntry, FactEntry, FactType, ResourceKind, Vocabulary};

use super::fixture::{Asker, DELETE, SMALL, noon};
use crate::policy::entities::{self, Known, Types};
use crate::policy::reads::Reads;
use crate::policy::words::Words;

#[test]
fn entities_and_context_conform_to_the_schema() {
    let words = Words::new(&[&SMALL]).unwrap();
    let subject = Asker { actors: vec!["bot"], ..Asker::default() }.subject();
    let known = Known::new(&Types::new().unwrap(), &subject).unwrap();
    let action = &words.actions[DELETE.name()];
    let facts: Facts = BTreeMap::from([("flag", Fact::Bool(true)), ("words", Fact::Texts(vec!["a".into()]))]);
    for resource in [Resource::target(), Resource::new("Database", ["shop"]), Resource::new("Table", ["shop", "a/b"])] {
        let effect = Effect { action: DELETE, resource, facts: facts.clone() };
        let context = entities::context(action, &effect, &subject, noon(), &Reads::everything()).unwrap();
        let (request, built) = known.ask(&words, action, &effect, context.clone(), "shop").unwrap();
        let part = |uid: Option<&cedar_policy::EntityUid>| uid.unwrap().clone();
        Request::new(
            part(request.principal()),
            part(request.action()),
            part(request.resource()),
            context,
            Some(&words.schema),
        )
        .unwrap();
        let plain = built.iter().filter(|entity| entity.uid().type_name().to_string() != "Action").cloned();
        Entities::from_entities(plain, Some(&words.schema)).unwrap();
    }
}

#[test]
fn contradictions_between_vocabularies_are_refused() {
    const ODD: Action = Action::new("odd:do");
    const fn entry(applies_to: &'static [&'static str], within: &'static [Action]) -> ActionEntry {
        ActionEntry { action: ODD, within, applies_to, meaning: "" }
    }
    static TWICE: Vocabulary = Vocabulary {
        family: "odd",
        actions: &[entry(&["Table"], &[])],
        resources: &[ResourceKind { name: "Table", parent: None }],
        facts: &[],
    };
    static ORPHAN: Vocabulary = Vocabulary {
        family: "odd",
        actions: &[entry(&["Leaf"], &[])],
        resources: &[ResourceKind { name: "Leaf", parent: Some("Branch") }],
        facts: &[],
    };
    static LOOP: Vocabulary = Vocabulary {
        family: "odd",
        actions: &[entry(&["Ouroboros"], &[])],
        resources: &[ResourceKind { name: "Ouroboros", parent: Some("Ouroboros") }],
        facts: &[],
    };
    static WIDER: Vocabulary = Vocabulary {
        family: "odd",
        actions: &[entry(&["Target"], &[Action::new("odd:none")])],
        resources: &[],
        facts: &[],
    };
    static TAKEN: Vocabulary = Vocabulary {
        family: "odd",
        actions: &[entry(&["Target"], &[])],
        resources: &[],
        facts: &[FactEntry { name: "time", kind: FactType::Text, meaning: "" }],
    };
    for (vocabulary, told) in [
        (&TWICE, "the kind of resource `Table` is declared in two ways"),
        (&ORPHAN, "there is no kind of resource `Branch`"),
        (&LOOP, "the kind of resource `Ouroboros` contains itself"),
        (&WIDER, "odd:none"),
        (&TAKEN, "`time`"),
    ] {
        let message = Words::new(&[&SMALL, vocabulary]).map(|_| ()).unwrap_err().to_string();
        assert!(message.contains(told), "{message}");
    }
    assert!(Words::new(&[&SMALL, &SMALL]).is_ok());
}
