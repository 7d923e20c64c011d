//! Lineage of texts of no sense, of absurd size, and of statements wrapped in others.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use portcullis_sql::postgres::lineage::{Catalogue, Lineage, Origin, Output};
use proptest::prelude::*;

use super::lineage::{entries, shop, trace};

/// How often the parser's thread has panicked. A panic there is an unknown lineage here, so that it
/// would not be seen otherwise.
static PANICS: AtomicUsize = AtomicUsize::new(0);

fn watch() {
    static WATCHING: std::sync::Once = std::sync::Once::new();
    WATCHING.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let in_parser = std::thread::current().name() == Some("sql parser");
            PANICS.fetch_add(usize::from(in_parser), Ordering::SeqCst);
            before(panic);
        }));
    });
}

fn only(text: &str, catalogue: &Arc<dyn Catalogue>) -> Lineage {
    trace(text, catalogue).statements.remove(0)
}

fn is_unknown(lineage: &Lineage) -> bool {
    matches!(lineage.probes, Origin::Unknown(_)) && matches!(lineage.columns.gap, Some(Origin::Unknown(_)))
}

fn origins(outputs: &[Output]) -> Vec<(&str, &Origin)> {
    outputs.iter().map(|output| (&*output.name, &output.origin)).collect()
}

#[test]
fn a_query_returns_the_same_inside_another_one() {
    let shop = shop();
    let mut checked = 0;
    for (query, _) in entries() {
        let begins = ["select", "with", "values", "table", "("].iter().any(|word| query.starts_with(word));
        let writes = ["into", "insert", "update", "delete", ";"].iter().any(|word| query.contains(word));
        if !begins || writes {
            continue;
        }
        checked += 1;
        let alone = only(&query, &shop).columns;
        for around in [
            format!("select * from ({query}) w"),
            format!("with w as ({query}) table w"),
            format!("with recursive w as ({query}) select w.* from w"),
            format!("with w as materialized ({query}) select v.* from w as v"),
            format!("select * from (select 1) skipped, lateral ({query}) w"),
            format!("({query}) union all ({query})"),
            format!("copy ({query}) to stdout"),
        ] {
            let wrapped = only(&around, &shop).columns;
            let skip = usize::from(around.contains("(select 1) skipped"));
            assert_eq!(origins(&wrapped.first[skip..]), origins(&alone.first), "{around}");
            assert_eq!(origins(&wrapped.last), origins(&alone.last), "{around}");
            // Rows of unknown width are united as a whole.
            if !around.contains("union all (") {
                assert_eq!(wrapped.gap, alone.gap, "{around}");
            }
        }
        let moved = only(&format!("create table x as {query}"), &shop);
        assert!(moved.columns.first.is_empty(), "{query}");
    }
    assert!(checked > 300, "{checked}");
}

#[test]
fn deep_and_wide_texts_have_an_answer_in_time() {
    watch();
    let shop = shop();
    let deep = |open: &str, inner: &str, close: &str| {
        [500, 2_900, 9_000].map(|times| format!("select {}{inner}{}", open.repeat(times), close.repeat(times)))
    };
    let mut texts: Vec<String> = Vec::new();
    for (open, inner, close) in [
        ("(", "1", ")"),
        ("1+", "1", ""),
        ("upper(", "ssn", ")"),
        ("(select ", "1", ")"),
        ("case when true then ", "1", " end"),
        ("1 union select ", "1", ""),
        ("1 from (select ", "1", ") x"),
        ("((", "c", ").c)"),
        ("* from (with x as (select ", "1", ") table x) y"),
    ] {
        texts.extend(deep(open, inner, close));
    }
    let nested = (0..12).fold("select ssn as a from customers".to_owned(), |inner, n| {
        format!("with recursive r{n} as ({inner} union all select a from r{n}) select a from r{n}")
    });
    texts.push(nested);
    texts.push(format!("select {} from customers c", vec!["c::text"; 9_000].join(" || ")));
    texts.push(format!("select {} from customers c", vec!["c.*"; 9_000].join(", ")));
    texts.push(format!("select * from {}", (0..900).map(|n| format!("customers c{n}")).collect::<Vec<_>>().join(", ")));
    texts.push(format!("select * from customers {}", "natural join customers ".repeat(300)));
    texts.push(format!("insert into notes values {}", vec!["(1, 'x')"; 9_000].join(", ")));
    for text in texts {
        let start: String = text.chars().take(60).collect();
        let begun = Instant::now();
        trace(&text, &shop);
        assert!(begun.elapsed() < Duration::from_secs(20), "{start}: {:?}", begun.elapsed());
    }
    assert_eq!(PANICS.load(Ordering::SeqCst), 0);
}

#[test]
fn what_is_too_large_is_unknown_throughout() {
    let shop = shop();
    let wide = format!("select {} from customers c", vec!["c::text"; 40_000].join(", "));
    assert!(is_unknown(&only(&wide, &shop)));
    let deep = format!("select {}1{} from customers", "upper(".repeat(3_500), ")".repeat(3_500));
    assert!(is_unknown(&only(&deep, &shop)));
}

#[test]
fn sizes_of_real_life_are_traced() {
    let shop = shop();
    for text in [
        format!("insert into notes values {} returning id", vec!["(1, 'a')"; 5_000].join(", ")),
        format!("select id from customers where id in ({})", vec!["1"; 20_000].join(", ")),
        format!("select id from customers where {}", vec!["id = 1"; 2_000].join(" or ")),
        vec!["select id from customers"; 500].join(" union all "),
    ] {
        let lineage = only(&text, &shop);
        let start: String = text.chars().take(60).collect();
        assert!(lineage.columns.first.iter().all(|output| matches!(output.origin, Origin::Columns(_))), "{start}");
        assert!(!is_unknown(&lineage), "{start}");
    }
}

/// A statement of the table with words of another one put in.
fn mutated() -> impl Strategy<Value = String> {
    let words: Vec<Vec<String>> = entries()
        .into_iter()
        .map(|(statement, _)| statement.split_inclusive([' ', '(', ',', '.']).map(str::to_owned).collect())
        .collect();
    let one = proptest::sample::select(words);
    (one.clone(), one, any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..6usize, 0..6usize).prop_map(
        |(mut to, from, at, of, drop, take)| {
            let (at, of) = (at.index(to.len()), of.index(from.len()));
            let end = to.len().min(at + drop);
            let taken: Vec<String> = from.iter().skip(of).take(take).cloned().collect();
            to.splice(at..end, taken);
            to.concat()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_mixture_of_statements_is_traced_without_a_panic(text in mutated()) {
        watch();
        let statements = trace(&text, &shop()).statements;
        prop_assert_eq!(PANICS.load(Ordering::SeqCst), 0);
        for lineage in statements {
            // A statement that says nothing of customers gives nothing of them.
            let text = text.to_lowercase();
            if !text.contains("cust") && !text.contains("view") && !text.contains("nested") && !text.contains("chosen") {
                let of_customers = |origin: &Origin| matches!(origin, Origin::Columns(columns)
                    if columns.iter().any(|column| &*column.relation == "customers"));
                prop_assert!(!lineage.columns.first.iter().any(|output| of_customers(&output.origin)));
            }
        }
    }
}
