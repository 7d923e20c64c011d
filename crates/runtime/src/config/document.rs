//! From the text of a configuration to its typed tree: every problem is found that can be found
//! at once, and each says where it is.
//!
//! It does not know what any key means.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::near_miss::reword;
use super::problem::{Problem, Problems, Source};
use super::target::{KEYS, Rest, Target, TargetEntry};

/// The name of the tables that hold targets.
const TARGET: &str = "target";

/// A configuration as its two halves: what belongs to the process, and the targets.
pub(super) struct Document<R> {
    pub(super) root: Option<R>,
    pub(super) targets: Vec<TargetEntry>,
    /// Where each key stands, targets left out.
    pub(super) places: BTreeMap<String, Range<usize>>,
    pub(super) problems: Problems,
}

/// Reads the text of `source`. `R` is everything but the targets.
pub(super) fn read<R: for<'de> Deserialize<'de>>(source: &Source) -> Document<R> {
    let mut document =
        Document { root: None, targets: Vec::new(), places: BTreeMap::new(), problems: Problems::default() };
    let (span, mut table) = match parse(source) {
        Ok(parsed) => parsed,
        Err(problem) => {
            document.problems.0.push(problem);
            return document;
        }
    };
    let targets = table.remove(TARGET);
    places(&table, "", &mut document.places);
    match R::deserialize(toml::Deserializer::from(Spanned::new(span, table))) {
        Ok(root) => document.root = Some(root),
        Err(why) => document.problems.0.push(problem_of(source, &why, &[TARGET])),
    }
    let list = match targets.map(Spanned::into_inner) {
        Some(DeValue::Array(list)) => list,
        Some(_) => {
            document.problems.0.push(source.problem(None, "targets are written `[[target]]`, with two brackets"));
            return document;
        }
        None => return document,
    };
    for (index, one) in list.into_iter().enumerate() {
        match entry(source, index, one) {
            Ok(entry) => document.targets.push(entry),
            Err(problem) => document.problems.0.push(problem),
        }
    }
    document
}

/// The protocol's own part of the target with this index.
pub(super) fn own_part(source: &Source, index: usize) -> Result<(Range<usize>, DeTable<'_>), Problem> {
    let (_, mut table) = parse(source)?;
    let Some(DeValue::Array(list)) = table.remove(TARGET).map(Spanned::into_inner) else {
        return Err(source.problem(None, "there are no targets"));
    };
    let one = list.into_iter().nth(index).ok_or_else(|| source.problem(None, "there is no such target"))?;
    let span = one.span();
    split(source, one).map(|(_, own)| (span, own))
}

fn parse(source: &Source) -> Result<(Range<usize>, DeTable<'_>), Problem> {
    let table = DeTable::parse(source.text()).map_err(|why| problem_of(source, &why, &[]))?;
    let span = table.span();
    let mut table = table.into_inner();
    anchor(&mut table, source);
    Ok((span, table))
}

/// What toml or serde say, in our words and with its place.
pub(super) fn problem_of(source: &Source, why: &toml::de::Error, also: &[&str]) -> Problem {
    source.problem(why.span(), reword(why.message(), also))
}

/// Reads the common keys of a target's table, and notes where the others stand.
fn entry(source: &Source, index: usize, target: Spanned<DeValue<'_>>) -> Result<TargetEntry, Problem> {
    let span = target.span();
    let mut rest = Rest { index, span: span.clone(), places: BTreeMap::new() };
    if let Some(table) = target.get_ref().as_table() {
        places(table, "", &mut rest.places);
    }
    let (common, own) = split(source, target)?;
    let common = Target::deserialize(toml::Deserializer::from(Spanned::new(span, common)))
        .map_err(|why| near_missing(source, &why, &own))?;
    Ok(TargetEntry { common, rest })
}

/// Splits a target's table into the common keys and the protocol's.
fn split<'s>(source: &Source, target: Spanned<DeValue<'s>>) -> Result<(DeTable<'s>, DeTable<'s>), Problem> {
    let span = target.span();
    let DeValue::Table(table) = target.into_inner() else {
        return Err(source.problem(Some(span), "a target is a table"));
    };
    let mut common = DeTable::new();
    let mut own = DeTable::new();
    for (key, value) in table {
        let half = if KEYS.contains(&key.get_ref().as_ref()) { &mut common } else { &mut own };
        half.insert(key, value);
    }
    Ok((common, own))
}

/// Notes where each key stands, by its dotted name.
fn places(table: &DeTable<'_>, within: &str, noted: &mut BTreeMap<String, Range<usize>>) {
    for (key, value) in table {
        let name = format!("{within}{}", key.get_ref());
        if let Some(table) = value.get_ref().as_table() {
            places(table, &format!("{name}."), noted);
        }
        noted.insert(name, key.span());
    }
}

/// A missing common key that stands there misspelt is told as such.
fn near_missing(source: &Source, why: &toml::de::Error, own: &DeTable<'_>) -> Problem {
    let missing = why.message().strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
    let slip = missing.and_then(|missing| {
        own.keys().find(|key| super::nearest(key.get_ref(), [missing]).is_some()).map(|key| (key, missing))
    });
    match slip {
        Some((key, meant)) => {
            source.problem(Some(key.span()), format!("unknown key `{}`; did you mean `{meant}`?", key.get_ref()))
        }
        None => problem_of(source, why, &[]),
    }
}

/// Makes the paths of secret files (tables with the one key `file`) start from the folder of the
/// configuration file, as all other paths in it do.
fn anchor(table: &mut DeTable<'_>, source: &Source) {
    let only = table.len() == 1;
    for (key, value) in table.iter_mut() {
        let is_place = only && key.get_ref() == "file";
        anchor_value(value.get_mut(), source, is_place);
    }
}

fn anchor_value(value: &mut DeValue<'_>, source: &Source, is_place: bool) {
    match value {
        DeValue::String(path) if is_place => {
            let path = PathBuf::from(path.as_ref());
            if let Ok(anchored) = source.folder().join(path).into_os_string().into_string() {
                *value = DeValue::String(anchored.into());
            }
        }
        DeValue::Array(list) => list.iter_mut().for_each(|one| anchor_value(one.get_mut(), source, false)),
        DeValue::Table(table) => anchor(table, source),
        DeValue::String(_) | DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => {}
    }
}
