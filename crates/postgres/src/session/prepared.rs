//! What statements and portals stand for: texts with what they would do, values with how approvers
//! read them. What one session keeps of them is metered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use bytes::Bytes;
use portcullis_sql::Analysis;

use super::result::Description;
use crate::values::readable;
use crate::wire::{WireError, bind};

/// The most bytes of prepared statements and of values that one session may keep, on their way or
/// made.
const MAX_KEPT: usize = 64 << 20;

/// The largest Bind whose values an approver is shown, in bytes. One that needs an approval and is
/// larger is refused.
const MAX_SHOWN: usize = 1 << 20;

/// A text that was parsed, with what it would do.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) text: Bytes,
    pub(crate) analysis: Arc<Analysis>,
    pub(crate) types: Box<[u32]>,
    asks: AtomicBool,
    /// Its columns, where the client has asked for them, without the formats of its portals.
    pub(super) description: Description,
    /// Its part of what the session may keep; none for what passes by.
    _kept: Option<Kept>,
}

impl Prepared {
    /// A statement that was parsed under a name, with its parameters' types.
    pub(super) fn new(text: &[u8], analysis: Arc<Analysis>, types: Box<[u32]>, kept: Kept) -> Self {
        Self {
            text: Bytes::copy_from_slice(text),
            analysis,
            types,
            asks: AtomicBool::new(false),
            description: Description::default(),
            _kept: Some(kept),
        }
    }

    /// A text that is run once, or that SQL keeps.
    pub(super) fn passing(text: Bytes, analysis: Arc<Analysis>) -> Self {
        // Nobody has decided it when it was prepared, so it may have to be asked about.
        Self {
            text,
            analysis,
            types: Box::default(),
            asks: AtomicBool::new(true),
            description: Description::default(),
            _kept: None,
        }
    }

    /// Whether running it was last seen to need an approval: then the values that it is bound to
    /// are read, because they are part of what is approved.
    pub(super) fn asks(&self) -> bool {
        self.asks.load(Ordering::Relaxed)
    }

    /// Remembers whether running it needs an approval.
    pub(super) fn set_asks(&self, asks: bool) {
        self.asks.store(asks, Ordering::Relaxed);
    }
}

/// A portal: a prepared text with its values bound.
#[derive(Debug, Clone)]
pub(crate) struct Portal {
    pub(crate) prepared: Arc<Prepared>,
    pub(super) parameters: usize,
    pub(super) values: Values,
    /// Its columns, where the gate has to know them.
    pub(super) description: Description,
    /// The formats that its rows come in, as far as they are known.
    pub(super) formats: Box<[bool]>,
    approved: Option<Arc<AtomicU64>>,
}

impl Portal {
    pub(super) fn new(prepared: Arc<Prepared>, parameters: usize, values: Values, formats: Box<[bool]>) -> Self {
        let approved = prepared.asks().then(Arc::default);
        Self { prepared, parameters, values, description: Description::default(), formats, approved }
    }

    /// The approved operation that has begun to run this portal. PostgreSQL runs a portal once: what
    /// executes it again goes on where the row limit stopped, or finds it at its end.
    pub(super) fn approved(&self) -> Option<u64> {
        self.approved.as_ref().map(|number| number.load(Ordering::Relaxed)).filter(|number| *number > 0)
    }

    /// An approved operation runs it now.
    pub(super) fn set_approved(&self, number: u64) {
        if let Some(approved) = &self.approved {
            approved.store(number, Ordering::Relaxed);
        }
    }
}

/// The values of a portal, as approvers read them.
#[derive(Debug, Clone)]
pub(crate) enum Values {
    /// There are none.
    None,
    /// Nobody had to be asked when they were bound.
    Unread,
    /// They are kept as long as the portal is.
    Read(Arc<(String, Kept)>),
    /// They are too large for people to read.
    TooLarge,
}

impl Values {
    /// Whether the whole Bind is needed before anything is made of it.
    pub(super) fn are_read(prepared: &Prepared, parameters: usize, body: usize) -> bool {
        prepared.asks() && parameters > 0 && body <= MAX_SHOWN
    }

    /// The values of a Bind. `body` is whole where [`are_read`](Values::are_read). `Ok(None)` where
    /// the session keeps too much already.
    pub(super) fn of(
        prepared: &Prepared,
        parameters: usize,
        body: &[u8],
        length: usize,
        meter: &Meter,
    ) -> Result<Option<Self>, WireError> {
        if parameters == 0 {
            return Ok(Some(Self::None));
        }
        if !prepared.asks() {
            return Ok(Some(Self::Unread));
        }
        if !Self::are_read(prepared, parameters, length) {
            return Ok(Some(Self::TooLarge));
        }
        let text = readable(bind::values(body)?.into_iter(), &prepared.types);
        Ok(meter.keep(text.len()).map(|kept| Self::Read(Arc::new((text, kept)))))
    }

    /// What approvers are shown.
    pub(super) fn text(&self) -> &[u8] {
        match self {
            Self::Read(kept) => kept.0.as_bytes(),
            Self::None | Self::Unread | Self::TooLarge => b"",
        }
    }
}

/// What a session keeps, in bytes, about.
#[derive(Debug, Clone, Default)]
pub(crate) struct Meter(Arc<AtomicUsize>);

/// Bytes on a meter, until they are let go.
#[derive(Debug)]
pub(crate) struct Kept(Meter, usize);

impl Meter {
    /// Keeps this many more bytes; `None` where they are too many.
    pub(super) fn keep(&self, bytes: usize) -> Option<Kept> {
        let kept = Kept(self.clone(), bytes);
        let before = self.0.fetch_add(bytes, Ordering::Relaxed);
        (before.saturating_add(bytes) <= MAX_KEPT).then_some(kept)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.0.0.fetch_sub(self.1, Ordering::Relaxed);
    }
}
