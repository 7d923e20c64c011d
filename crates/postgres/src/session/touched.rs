//! Which tags a statement's conditions look at, and which it would store where nothing hides them:
//! facts for policy, found by tracing the statement before it is decided. Targets without tagged
//! columns pay nothing for it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use portcullis_core::masking::{Rules, Tag, Tags, View};
use portcullis_core::operation::{Effect, Effects, Fact};
use portcullis_sql::Analysis;
use portcullis_sql::vocabulary::{CARRIES, PROBES};

use super::Conversation;
use super::decide::Message;
use super::plans::{Epoch, LookedUp};
use crate::catalogue::FRESH;
use crate::mask::{self, Touched};
use crate::relations::Wanted;

/// The most statements whose facts are kept in one session.
const MAX_KEPT: usize = 256;

/// Facts of longer texts are not kept.
const MAX_TEXT: usize = 16 << 10;

/// What is known of the statements of one session.
#[derive(Debug, Default)]
pub(super) struct Touching {
    /// The view of one from whom everything is hidden; none where no column is tagged.
    all: Option<Arc<View>>,
    pub(super) looked_up: LookedUp,
    kept: HashMap<Bytes, Kept>,
}

#[derive(Debug)]
struct Kept {
    analysis: Arc<Analysis>,
    plain: Effects,
    told: Told,
    epoch: Epoch,
    at: Instant,
}

/// What an operation is decided on.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) effects: Effects,
    /// The tags that it is proven to carry where nothing hides them.
    pub(super) carries: Tags,
}

impl Told {
    const fn nothing_more(effects: Effects) -> Self {
        Self { effects, carries: Tags::NONE }
    }

    fn new(plain: &Effects, touched: &Touched, rules: &Rules) -> Self {
        let facts = [(PROBES, touched.probes), (CARRIES, touched.carries | touched.may_carry)];
        let facts = facts.map(|(name, tags)| (name, names(rules, tags)));
        let add = |effect: &Effect| {
            let mut effect = effect.clone();
            let stated = facts.iter().filter(|(_, tags)| !tags.is_empty());
            effect.facts.extend(stated.map(|(name, tags)| (*name, Fact::Texts(tags.clone()))));
            effect
        };
        let effects =
            if touched.is_nothing() { plain.clone() } else { Effects::new(plain.list().iter().map(add).collect()) };
        Self { effects, carries: touched.carries }
    }
}

fn names(rules: &Rules, tags: Tags) -> Vec<Box<str>> {
    let mut names: Vec<Box<str>> = rules.names(tags).map(|tag: &Tag| tag.name().into()).collect();
    names.sort_unstable();
    names
}

impl Touching {
    pub(super) fn new(rules: &Rules) -> Self {
        Self { all: rules.hiding_everything().filter(|view| !view.all().is_empty()), ..Self::default() }
    }

    fn get(&self, message: &Message<'_>, plain: &Effects, epoch: Epoch) -> Option<Told> {
        let kept = self.kept.get(message.text)?;
        let same = Arc::ptr_eq(&kept.analysis, &message.prepared.analysis) && kept.plain.digest() == plain.digest();
        (same && kept.epoch == epoch && kept.at.elapsed() < FRESH).then(|| kept.told.clone())
    }

    fn keep(&mut self, message: &Message<'_>, plain: Effects, told: Told, epoch: Epoch) {
        if message.text.len() > MAX_TEXT {
            return;
        }
        if self.kept.len() >= MAX_KEPT {
            self.kept.clear();
        }
        let analysis = Arc::clone(&message.prepared.analysis);
        let kept = Kept { analysis, plain, told, epoch, at: Instant::now() };
        self.kept.insert(Bytes::copy_from_slice(message.text), kept);
    }
}

impl Conversation {
    /// What a message would do, with the tags that it touches; or what has to be looked up first.
    pub(super) fn told(&mut self, message: &Message<'_>) -> Result<Told, Wanted> {
        let plain = self
            .resolver
            .effects(&message.prepared.analysis)
            .map_err(|names| Wanted { names: names.into_iter().collect(), ..Wanted::default() })?;
        let Some(all) = self.touching.all.clone() else { return Ok(Told::nothing_more(plain)) };
        let epoch = self.resolver.epoch();
        if let Some(told) = self.touching.get(message, &plain, epoch) {
            return Ok(told);
        }
        let known = self.resolver.knowledge(&self.touching.looked_up);
        let touched = match mask::touched(message.text, self.settings, &known, &all) {
            Ok(touched) => touched,
            Err(wanted) => match self.touching.looked_up.again(wanted) {
                Some(wanted) => return Err(wanted),
                None => Touched::unproven(&all),
            },
        };
        self.touching.looked_up = LookedUp::default();
        let told = Told::new(&plain, &touched, all.rules());
        self.touching.keep(message, plain, told.clone(), epoch);
        Ok(told)
    }
}
