//! How values are shown: styles by kind, hashes, findings in texts and in JSON, and what is counted.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::view::Counts;
use super::{Detector, Field, Kind, Masked, Rules, RulesError, Settings, Style, Tag, Tags, View};
use crate::secret::Secret;

const KEY: &[u8] = b"a key for tests alone";

fn settings(style: Style) -> Settings {
    let tag = |name: &str| Tag::new(name);
    Settings {
        columns: vec![
            (String::from("public.customers.email"), tag("email")),
            (String::from("*.leads.mail"), tag("email")),
            (String::from("public.customers.card"), tag("card")),
        ],
        detect: [Detector::Email, Detector::Card, Detector::Phone].into(),
        patterns: vec![(String::from("(?i)project [a-z]+"), tag("project"))],
        styles: ["email", "card", "phone", "project"].map(|name| (tag(name), style)).into(),
        key: Some(Secret::new(KEY.to_vec())),
    }
}

fn rules(style: Style) -> Rules {
    Rules::new(&settings(style)).unwrap()
}

/// The view that hides everything.
fn view(rules: &Rules) -> std::sync::Arc<View> {
    View::new(rules, rules.all() | rules.detected()).unwrap()
}

fn shown(rules: &Rules, field: Field, value: &str) -> Option<String> {
    let masked = view(rules).mask(&field, value.as_bytes(), &mut Counts::default()).bytes().map(<[u8]>::to_vec);
    masked.map(|bytes| String::from_utf8(bytes).unwrap())
}

fn email(rules: &Rules, kind: Kind) -> Field {
    Field { tags: rules.tags_of("public", "customers", "email"), kind, scan: false }
}

#[test]
fn a_masked_column_keeps_its_type_in_every_style() {
    let hash = Some("email:42b4dc48da6c31a9c91f1e2d");
    let quoted = Some("\"email:42b4dc48da6c31a9c91f1e2d\"");
    for (style, kind, value, wanted) in [
        (Style::Redact, Kind::Text, "ada@example.com", Some("[masked]")),
        (Style::Redact, Kind::Json, "\"ada@example.com\"", Some("\"[masked]\"")),
        (Style::Redact, Kind::Fixed, "42", None),
        (Style::Partial { keep: 4 }, Kind::Text, "ada@example.com", Some("***********.com")),
        (Style::Partial { keep: 4 }, Kind::Text, "abcd", Some("**cd")),
        (Style::Partial { keep: 4 }, Kind::Text, "", Some("")),
        (Style::Partial { keep: 2 }, Kind::Text, "grüße", Some("***ße")),
        (
            Style::Partial { keep: 1 },
            Kind::Text,
            "a value that is longer than all of the stars",
            Some("****************s"),
        ),
        (Style::Partial { keep: 3 }, Kind::Json, "{\"a\":[1]}", Some("\"******1]}\"")),
        (Style::Partial { keep: 4 }, Kind::Fixed, "42", None),
        (Style::Hash, Kind::Text, "ada@example.com", hash),
        (Style::Hash, Kind::Json, "\"ada@example.com\"", quoted),
        (Style::Hash, Kind::Json, "\"ada\\u0040example.com\"", quoted),
        (Style::Hash, Kind::Fixed, "42", None),
        (Style::Null, Kind::Text, "ada@example.com", None),
        (Style::Null, Kind::Json, "1", None),
        (Style::Null, Kind::Fixed, "42", None),
    ] {
        let rules = rules(style);
        assert_eq!(shown(&rules, email(&rules, kind), value).as_deref(), wanted, "{style:?} {kind:?} {value}");
    }
}

#[test]
fn what_is_not_text_is_not_shown_in_part() {
    let rules = rules(Style::Partial { keep: 4 });
    let masked = view(&rules)
        .mask(&email(&rules, Kind::Text), b"\xff\xfe\xfd\xfc\xfb\xfa", &mut Counts::default())
        .text()
        .into_owned();
    assert_eq!(masked, Masked::REDACTED);
}

#[test]
fn equal_values_hash_alike_under_one_tag_and_one_key_only() {
    let rules = rules(Style::Hash);
    let hash = |tags, value| shown(&rules, Field { tags, ..Field::CLEAN }, value).unwrap();
    let (customers, leads) = (rules.tags_of("public", "customers", "email"), rules.tags_of("sales", "LEADS", "Mail"));
    let card = rules.tags_of("public", "customers", "card");
    assert_eq!(hash(customers, "ada@example.com"), hash(leads, "ada@example.com"));
    assert_ne!(hash(customers, "ada@example.com"), hash(customers, "Ada@example.com"));
    assert_ne!(hash(customers, "x").rsplit(':').next(), hash(card, "x").rsplit(':').next());
    // What a detector finds joins with the column as well.
    assert_eq!(
        shown(&rules, Field::TEXT, "to ada@example.com!").unwrap(),
        format!("to {}!", hash(customers, "ada@example.com"))
    );
    let other = Rules::new(&Settings { key: Some(Secret::new(vec![7; 32])), ..settings(Style::Hash) }).unwrap();
    assert_ne!(
        shown(&other, email(&other, Kind::Text), "ada@example.com").unwrap(),
        hash(customers, "ada@example.com")
    );
}

#[test]
fn several_tags_show_the_least() {
    let styles = |one, other| {
        let styles = BTreeMap::from([(Tag::new("email"), one), (Tag::new("card"), other)]);
        let rules = Rules::new(&Settings { styles, ..settings(Style::Redact) }).unwrap();
        let field = Field { tags: rules.all(), ..Field::CLEAN };
        shown(&rules, field, "0123456789")
    };
    let partial = |keep| Style::Partial { keep };
    assert_eq!(styles(partial(4), partial(2)).as_deref(), Some("********89"));
    assert_eq!(styles(partial(4), Style::Hash).as_deref(), Some("[masked]"));
    assert_eq!(styles(Style::Hash, Style::Hash).as_deref(), Some("[masked]"));
    assert_eq!(styles(Style::Redact, Style::Null), None);
}

#[test]
fn findings_are_replaced_in_their_text_by_the_style_of_their_tag() {
    let text = "Project Nimbus: ada@example.com paid 4111 1111 1111 1111";
    for (style, wanted) in [
        (Style::Redact, "[masked]: [masked] paid [masked]"),
        (Style::Partial { keep: 4 }, "**********mbus: ***********.com paid ***************1111"),
        (Style::Null, "[masked]: [masked] paid [masked]"),
    ] {
        assert_eq!(shown(&rules(style), Field::TEXT, text).as_deref(), Some(wanted), "{style:?}");
    }
    let clean = "nothing of note";
    let rules = rules(Style::Redact);
    assert!(view(&rules).mask(&Field::TEXT, clean.as_bytes(), &mut Counts::default()).is_clear());
    let number = Field { kind: Kind::Fixed, ..Field::TEXT };
    assert_eq!(shown(&rules, number, "4111111111111111"), None);
    assert_eq!(shown(&rules, number, "4111111111111112").as_deref(), Some("4111111111111112"));
    let unscanned = Field { scan: false, ..Field::TEXT };
    assert_eq!(shown(&rules, unscanned, text).as_deref(), Some(text));
}

#[test]
fn a_document_stays_json_whatever_is_found_in_it() {
    let rules = rules(Style::Redact);
    let json = Field { kind: Kind::Json, ..Field::TEXT };
    for (document, wanted) in [
        (r#"{"n": 1, "to": "ada@example.com"}"#, r#"{"n": 1, "to": "[masked]"}"#),
        (r#"{"card": 4111111111111111, "n": [1.5e3, -2]}"#, r#"{"card": null, "n": [1.5e3, -2]}"#),
        (r#""say \"hi\" to ada\u0040example.com""#, r#""say \"hi\" to [masked]""#),
        (r#"{"ada@example.com": true}"#, r#"{"[masked]": true}"#),
        (r#"["\n4111111111111111"]"#, r#"["\n[masked]"]"#),
        (r#"{"a": "\u00e9\\", "b": null}"#, r#"{"a": "\u00e9\\", "b": null}"#),
        (r#"4111111111111111"#, "null"),
        (r#"{"to": "ada@example.com"#, r#""[masked]""#),
        (r#"["\ud800 ada@example.com"]"#, r#""[masked]""#),
        (r#"{"a": "b@c.de f@g.hi", "x": "\"+14155552671\""}"#, r#"{"a": "[masked] [masked]", "x": "\"[masked]\""}"#),
        (r#"["tab\there", "é ada@example.com é"]"#, r#"["tab\there", "é [masked] é"]"#),
        (r#"{"m": "Project nimbus"}"#, r#"{"m": "[masked]"}"#),
    ] {
        let shown = shown(&rules, json, document).unwrap();
        assert_eq!(shown, wanted, "{document}");
        assert!(serde_json::from_str::<serde_json::Value>(&shown).is_ok(), "{shown}");
    }
}

#[test]
fn a_secret_whose_name_is_another_string_is_found_in_a_document() {
    let settings = Settings { detect: [Detector::AwsKey].into(), ..Settings::default() };
    let rules = Rules::new(&settings).unwrap();
    let json = Field { kind: Kind::Json, ..Field::TEXT };
    let key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    for (document, wanted) in [
        (format!(r#"{{"SecretAccessKey": "{key}", "n": 1}}"#), r#"{"SecretAccessKey": "[masked]", "n": 1}"#),
        (
            format!(r#"{{"k": "{{\"SecretAccessKey\": \"{key}\"}}"}}"#),
            r#"{"k": "{\"SecretAccessKey\": \"[masked]\"}"}"#,
        ),
    ] {
        assert_eq!(shown(&rules, json, &document).as_deref(), Some(wanted), "{document}");
    }
}

#[test]
fn own_expressions_see_each_string_of_a_document_by_itself() {
    let patterns = vec![(String::from("^EMP-[0-9]+$"), Tag::new("staff"))];
    let rules = Rules::new(&Settings { patterns, ..Settings::default() }).unwrap();
    let json = Field { kind: Kind::Json, ..Field::TEXT };
    let shown = shown(&rules, json, r#"["EMP-17", "no EMP-17", 17]"#);
    assert_eq!(shown.as_deref(), Some(r#"["[masked]", "no EMP-17", 17]"#));
}

#[test]
fn what_is_revealed_is_shown_and_the_rest_stays_hidden() {
    let rules = rules(Style::Redact);
    let card = rules.tags_of("public", "customers", "card");
    let view = View::new(&rules, card).unwrap();
    let mut counts = Counts::default();
    let text = b"ada@example.com paid with 4111111111111111";
    let masked = view.mask(&Field::TEXT, text, &mut counts);
    assert_eq!(masked.text(), "ada@example.com paid with [masked]");
    assert!(view.mask(&email(&rules, Kind::Text), b"ada@example.com", &mut counts).is_clear());
    assert!(view.tags_of("public", "customers", "email").is_empty() && !view.any_in("sales", "leads"));
    assert!(view.any_in("public", "customers"));
    assert_eq!(view.named(&counts).map(|(tag, count)| (tag.name(), count)).collect::<Vec<_>>(), [("card", 1)]);
    assert!(View::new(&rules, Tags::NONE).is_none());
}

#[test]
fn masked_values_are_counted_under_each_of_their_tags() {
    let rules = rules(Style::Redact);
    let view = view(&rules);
    let mut counts = Counts::default();
    view.mask(&email(&rules, Kind::Text), b"x", &mut counts);
    view.mask(&Field { tags: rules.all(), ..Field::CLEAN }, b"x", &mut counts);
    view.mask(&Field::TEXT, b"a@example.com b@example.com +14155552671", &mut counts);
    let named: Vec<_> = view.named(&counts).map(|(tag, count)| (tag.name(), count)).collect();
    assert_eq!(named, [("card", 1), ("email", 4), ("phone", 1)]);
    assert_eq!(rules.names(rules.all()).map(Tag::name).collect::<Vec<_>>(), ["card", "email"]);
}

#[test]
fn settings_that_make_no_sense_say_which_of_them() {
    let wrong = |change: fn(&mut Settings)| {
        let mut settings = settings(Style::Redact);
        change(&mut settings);
        Rules::new(&settings).unwrap_err()
    };
    let tag = || Tag::new("email");
    assert!(matches!(
        wrong(|all| all.columns.push(("email".into(), Tag::new("email")))),
        RulesError::Column { index: 3, .. }
    ));
    assert!(matches!(
        wrong(|all| all.patterns.push(("(".into(), Tag::new("x")))),
        RulesError::Pattern { index: 1, .. }
    ));
    assert!(matches!(wrong(|all| all.columns[0].1 = Tag::new("E Mail")), RulesError::Tag { .. }));
    assert!(matches!(wrong(|all| all.styles.extend([(Tag::new("nobody"), Style::Null)])), RulesError::Tag { .. }));
    let hashed = |key: Option<Secret<Vec<u8>>>| {
        Rules::new(&Settings { styles: [(tag(), Style::Hash)].into(), key, ..settings(Style::Redact) }).map(drop)
    };
    assert!(matches!(hashed(None), Err(RulesError::Key(_))));
    assert!(matches!(hashed(Some(Secret::new(b"short".to_vec()))), Err(RulesError::Key(_))));
    assert!(hashed(Some(Secret::new(KEY.to_vec()))).is_ok());
    assert!(Rules::new(&Settings::default()).unwrap().is_none());
    let many = (0..65).map(|n| (String::from("*"), Tag::new(format!("t{n}")))).collect();
    assert!(matches!(Rules::new(&Settings { columns: many, ..Settings::default() }), Err(RulesError::Whole(_))));
}

#[test]
fn rules_print_neither_their_key_nor_their_patterns() {
    let printed = format!("{:?} {:?}", rules(Style::Hash), settings(Style::Hash));
    assert!(!printed.contains("a key for tests") && !printed.contains("97, 32, 107"), "{printed}");
}

proptest! {
    #[test]
    fn masking_twice_is_masking_once(words in prop::collection::vec(prop_oneof![
        Just(String::from("ada@example.com")), Just(String::from("4111111111111111")), Just(String::from("+14155552671")),
        "[a-z]{1,8}", "[0-9]{1,18}", "\\PC{0,6}",
    ], 0..8)) {
        let rules = rules(Style::Redact);
        let text = words.join(" , ");
        let once = shown(&rules, Field::TEXT, &text).unwrap();
        prop_assert_eq!(&shown(&rules, Field::TEXT, &once).unwrap(), &once);
        prop_assert!(!once.contains("ada@example.com"));
        let json = serde_json::to_string(&words).unwrap();
        let shown = shown(&rules, Field { kind: Kind::Json, ..Field::TEXT }, &json).unwrap();
        prop_assert!(serde_json::from_str::<Vec<String>>(&shown).is_ok());
    }

    #[test]
    fn any_bytes_can_be_masked(bytes in prop::collection::vec(any::<u8>(), 0..64), whole in any::<bool>()) {
        let rules = rules(Style::Partial { keep: 3 });
        for kind in [Kind::Text, Kind::Json, Kind::Fixed] {
            let tags = if whole { rules.all() } else { Tags::NONE };
            let mut counts = Counts::default();
            let masked = view(&rules).mask(&Field { tags, kind, scan: true }, &bytes, &mut counts);
            if masked.is_clear() {
                prop_assert_eq!(masked.bytes(), Some(&bytes[..]));
            }
        }
    }
}
