//! The conversation of one session, without IO: what each side has said, what is expected, what
//! statements and portals stand for, and what the target's settings are.
//!
//! [`client`](client) takes what the client sends and says what to forward; [`target`](target)
//! takes what the target sends and says what to relay. Neither knows how bytes travel.

mod client;
mod decide;
mod expected;
mod held;
mod masking;
mod path;
mod plans;
mod prepared;
mod recorded;
mod resolve;
mod result;
mod slots;
mod target;
mod touched;

use std::collections::VecDeque;
use std::sync::Arc;

use portcullis_core::masking::{Rules, View};
use portcullis_sql::Analysis;
use portcullis_sql::postgres::{Analyzer, Settings};

pub(crate) use client::{ClientStep, Forward, Under};
pub(crate) use decide::Deciding;
pub(crate) use expected::Expected;
pub(crate) use held::Estimable;
pub(crate) use target::TargetStep;

use self::held::Held;
use self::plans::{LookedUp, Plans};
use self::prepared::{Meter, Portal, Prepared};
use self::resolve::Resolver;
use self::slots::Slots;
use self::touched::Touching;
use crate::catalogue::Catalogue;
use crate::names::{Answers, SearchPath};
use crate::relations::Found;
use crate::wire::write::Report;

/// The most messages that may be forwarded and not answered yet. A client that pipelines more is
/// read again when answers have come.
const MAX_EXPECTED: usize = 8_192;

/// The part of a statement's or portal's name that PostgreSQL looks at (`NAMEDATALEN` without its
/// closing zero): names that differ behind it are the same to the target.
pub(crate) fn significant(name: &[u8]) -> &[u8] {
    const LENGTH: usize = 63;
    name.get(..LENGTH).unwrap_or(name)
}

/// Why a conversation cannot go on.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The client did what the protocol or the gate does not allow. It is told so.
    Client(Report),
    /// The target did what the protocol does not allow. The operator is told what.
    Target(String),
    /// The pipeline refuses to go on.
    Ended(portcullis_core::refusal::Refusal),
}

/// Where a COPY stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Copy {
    No,
    /// The client sends data.
    In,
    /// The target sends data.
    Out,
}

/// One session's conversation.
pub(crate) struct Conversation {
    expected: VecDeque<Expected>,
    /// Number of the entry at the front of `expected`.
    answered: u64,
    /// No message of the client is looked at before this entry is answered.
    barrier: Option<u64>,
    /// The target discards the client's messages until Sync.
    skipping: bool,
    copy: Copy,
    /// Bytes of a long client message that still have to pass, or to be dropped.
    client_rest: usize,
    drop_rest: bool,
    /// Bytes of a long target message that still have to pass.
    target_rest: usize,
    /// Transaction status of the last `ReadyForQuery`: `I`, `T` or `E`.
    status: u8,
    /// An error was reported since the last `ReadyForQuery`.
    failed: bool,
    statements: Slots<Arc<Prepared>>,
    portals: Slots<Portal>,
    texts: Meter,
    /// The account on the target.
    account: String,
    resolver: Resolver,
    held: Option<Held>,
    /// What was hidden from the client when something was permitted last.
    view: Option<Arc<View>>,
    looked_up: LookedUp,
    plans: Plans,
    touching: Touching,
    settings: Settings,
    /// Whether the target's own encoding, and the client's, are UTF8.
    encodings: (bool, bool),
    fatal: bool,
}

impl Conversation {
    /// A conversation that begins after login, with the target's settings of then. `rules` say what is
    /// tagged there.
    pub(crate) fn new(
        database: &str,
        account: String,
        path: SearchPath,
        catalogue: Arc<Catalogue>,
        rules: &Rules,
    ) -> Self {
        Self {
            expected: VecDeque::new(),
            answered: 0,
            barrier: None,
            skipping: false,
            copy: Copy::No,
            client_rest: 0,
            drop_rest: false,
            target_rest: 0,
            status: b'I',
            failed: false,
            statements: Slots::default(),
            portals: Slots::default(),
            texts: Meter::default(),
            account,
            resolver: Resolver::new(database, path, catalogue),
            held: None,
            view: None,
            looked_up: LookedUp::default(),
            plans: Plans::default(),
            touching: Touching::new(rules),
            settings: Settings::default(),
            encodings: (true, true),
            fatal: false,
        }
    }

    /// Follows a setting that the target reports.
    pub(crate) fn reported(&mut self, name: &str, value: &str) -> Result<(), Fault> {
        match name {
            "standard_conforming_strings" => self.settings.standard_conforming_strings = value == "on",
            "server_encoding" => self.encodings.0 = value == "UTF8",
            "client_encoding" if !crate::classify::encoding_is_safe(value) => {
                return Err(Fault::Client(Report {
                    code: "0A000",
                    message: format!("the client encoding `{value}` is not supported by this gate"),
                    detail: None,
                    hint: Some("use UTF8".into()),
                }));
            }
            "client_encoding" => self.encodings.1 = value == "UTF8",
            "search_path" => self.resolver.path_reported(value),
            _ => {}
        }
        self.settings.utf8 = self.encodings.0 && self.encodings.1;
        Ok(())
    }

    /// The target reports its search path at login, where it does.
    pub(crate) fn began_with_path(&mut self, setting: &str) {
        self.resolver.began_with_path(setting);
    }

    /// The account on the target.
    pub(crate) fn account(&self) -> &str {
        &self.account
    }

    /// Whether everything that was forwarded has been answered.
    pub(crate) fn is_answered(&self) -> bool {
        self.expected.is_empty()
    }

    /// Whether a message of the target's has been relayed in part only.
    pub(crate) const fn is_inside_message(&self) -> bool {
        self.target_rest > 0
    }

    /// Whether everything that was forwarded has been answered, and no transaction is open.
    pub(crate) fn is_idle(&self) -> bool {
        self.expected.is_empty() && self.status == b'I' && self.copy == Copy::No
    }

    /// Whether the target said that the connection ends.
    pub(crate) const fn is_over(&self) -> bool {
        self.fatal
    }

    /// What a lookup found of what [`ClientStep::Resolve`] asked for.
    pub(crate) fn resolved(&mut self, answers: Answers, found: &Found) {
        self.resolver.learn(answers);
        self.touching.looked_up.learn(found);
    }

    /// What a lookup found of what [`TargetStep::Look`] asked for.
    pub(crate) fn looked(&mut self, answers: Answers, found: &Found) {
        self.resolver.learn(answers);
        self.looked_up.learn(found);
    }

    fn analyse(analyzer: &Analyzer, settings: Settings, text: &[u8]) -> Arc<Analysis> {
        analyzer.analyse(text, settings)
    }

    fn next_entry(&self) -> u64 {
        self.answered.saturating_add(self.expected.len() as u64)
    }
}
