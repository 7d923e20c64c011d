//! What the target says, as the client of a session may see it whose policy hides something: rows
//! by the plan of their result, and texts that may quote values.

use std::sync::Arc;

use bytes::BytesMut;
use portcullis_core::masking::View;
use portcullis_sql::postgres::copy::copy_out;

use super::expected::Kind;
use super::plans::{LookedUp, Made};
use super::target::{TargetStep, misbehaved};
use super::{Conversation, Expected, Fault, recorded};
use crate::mask::{self, Copying, Plan};
use crate::relations::Wanted;
use crate::wire::WireError;
use crate::wire::frame::{HEADER, Header, MAX_WHOLE, peek};
use crate::wire::rows::{self, Column};
use crate::wire::write::Report;

/// Rows that are shown otherwise than they came are collected up to about so many bytes.
const RUN: usize = 64 << 10;

impl Conversation {
    /// What is hidden in the answer at the front of the queue.
    fn hidden(&self) -> Option<Arc<View>> {
        match self.expected.front().and_then(|front| front.permit.as_ref()) {
            Some(permit) => permit.view().cloned(),
            None => self.view.clone(),
        }
    }

    /// Keeps what columns a result has, and plans how they are shown.
    pub(super) fn columns(&mut self, body: &[u8]) -> Result<Option<Wanted>, Fault> {
        let Some(front) = self.expected.front_mut() else { return Ok(None) };
        let recorded = front.records_rows();
        let description = front.result.description.clone();
        if description.is_none() && !recorded && self.hidden().is_none() {
            return Ok(None);
        }
        let columns: Arc<[Column]> = rows::columns(body).map_err(|why| broken(&why))?.into();
        match description {
            Some(description) => {
                description.set(columns);
                Ok(None)
            }
            None => {
                self.rows_begin(&columns);
                self.plan(&columns)
            }
        }
    }

    /// Plans how the rows of the answer at the front are shown, or says what it takes to know.
    fn plan(&mut self, columns: &Arc<[Column]>) -> Result<Option<Wanted>, Fault> {
        let Some(view) = self.hidden() else { return Ok(None) };
        let Some(front) = self.expected.front_mut() else { return Ok(None) };
        let (prepared, statement) = match &front.kind {
            Kind::Query(prepared) => (Some(prepared), front.done),
            Kind::Execute(prepared) => (prepared.as_ref(), 0),
            _ => return Ok(None),
        };
        let text = prepared.map(|prepared| prepared.text.clone());
        let made = Made { columns: Arc::clone(columns), text, statement };
        if let Some(plan) = self.plans.get(&made, &view, self.resolver.epoch()) {
            front.result.plan = Some(plan);
            return Ok(None);
        }
        let writes = prepared.is_none_or(|prepared| self.resolver.writes(&prepared.analysis, statement));
        let asked = made.text.as_ref().map(|text| mask::Asked { text, settings: self.settings, statement, writes });
        let known = self.resolver.knowledge(&self.looked_up);
        match mask::treatments(columns, asked, &known, &view) {
            Ok(treatments) => {
                let plan = Arc::new(Plan::new(treatments));
                front.result.plan = Some(Arc::clone(&plan));
                self.plans.keep(made, plan, &view, self.resolver.epoch());
                self.looked_up = LookedUp::default();
                Ok(None)
            }
            Err(wanted) => match self.looked_up.again(wanted) {
                Some(wanted) => Ok(Some(wanted)),
                None => {
                    front.result.plan = Some(Arc::new(Plan::new(mask::worst(columns.len(), &view))));
                    Ok(None)
                }
            },
        }
    }

    /// Begins to mask what a COPY writes, as far as its client may not see it. `None` where it passes.
    pub(super) fn copying(&mut self, body: &[u8]) -> Result<Option<Wanted>, Fault> {
        let Some(view) = self.hidden() else { return Ok(None) };
        let count = rows::copied_columns(body).map_err(|why| broken(&why))?;
        let Some(front) = self.expected.front_mut() else { return Ok(None) };
        let (Kind::Query(prepared) | Kind::Execute(Some(prepared))) = &front.kind else {
            return Err(misbehaved("it began a COPY that nobody had asked for"));
        };
        let statement = if matches!(front.kind, Kind::Query(_)) { front.done } else { 0 };
        let asked = mask::Asked { text: &prepared.text, settings: self.settings, statement, writes: false };
        let Some(copy) = copy_out(&prepared.text, self.settings, statement) else {
            return Err(Fault::Client(unreadable()));
        };
        let known = self.resolver.knowledge(&self.looked_up);
        match mask::copied(&copy, count, asked, &known, &view) {
            Ok(treatments) => {
                let plan = Arc::new(Plan::new(treatments));
                front.result.copying = (!plan.passes()).then(|| Copying::new(plan, copy.layout));
                self.looked_up = LookedUp::default();
                Ok(None)
            }
            Err(wanted) => match self.looked_up.again(wanted) {
                Some(wanted) => Ok(Some(wanted)),
                None => {
                    let plan = Arc::new(Plan::new(mask::worst(count, &view)));
                    front.result.copying = Some(Copying::new(plan, copy.layout));
                    Ok(None)
                }
            },
        }
    }

    /// COPY data that is shown otherwise than it came; `None` where it passes.
    pub(super) fn masked_copy(&mut self, header: Header, input: &[u8]) -> Result<Option<TargetStep>, Fault> {
        let Some(Expected { result, permit: Some(permit), .. }) = self.expected.front_mut() else { return Ok(None) };
        let Some(copying) = &mut result.copying else { return Ok(None) };
        if header.total > MAX_WHOLE {
            return Err(Fault::Client(too_long(header.total)));
        }
        let Some(frame) = input.get(..header.total) else { return Ok(Some(TargetStep::Wait)) };
        let mut out = BytesMut::new();
        let shown = copying.data(frame.get(HEADER..).unwrap_or_default(), permit, &mut out);
        shown.map_err(|why| misbehaved(why.to_string()))?;
        if let Some(front) = self.expected.front_mut() {
            front.count(1, header.total);
        }
        Ok(Some(TargetStep::Replace(header.total, out)))
    }

    /// A COPY has ended: what was masked of it must have come to an end as well.
    pub(super) fn copied(&mut self) -> Result<(), Fault> {
        let copying = self.expected.front_mut().and_then(|front| front.result.copying.take());
        match copying {
            Some(copying) => copying.end().map_err(|why| misbehaved(why.to_string())),
            None => Ok(()),
        }
    }

    /// Rows that are shown otherwise than they came; `None` where they pass.
    pub(super) fn masked_rows(&mut self, header: Header, input: &[u8]) -> Result<Option<TargetStep>, Fault> {
        if self.expected.front().and_then(|front| front.permit.as_ref()?.view()).is_none() {
            return Ok(None);
        }
        if let Some(wanted) = self.planned()? {
            return Ok(Some(TargetStep::Look(wanted)));
        }
        let Some(Expected { result, permit: Some(permit), .. }) = self.expected.front_mut() else { return Ok(None) };
        let plan = result.plan.clone().ok_or_else(|| misbehaved("it sent rows that it had not described"))?;
        if plan.passes() {
            return Ok(None);
        }
        if header.total > MAX_WHOLE {
            return Err(Fault::Client(too_long(header.total)));
        }
        let (mut out, mut consumed, mut count) = (BytesMut::new(), 0_usize, 0_u64);
        while let Some(rest) = input.get(consumed..).filter(|_| out.len() < RUN)
            && let Ok(Some(Header { tag: b'D', total })) = peek(rest, |_| MAX_WHOLE)
            && let Some(body) = rest.get(HEADER..total)
        {
            let from = out.len();
            let shown = plan.row(body, permit, &mut out);
            shown.map_err(|why| misbehaved(format!("it sent a row that is not as it described it: {why}")))?;
            if permit.recorded_room() > 0 {
                let row = out.get(from.saturating_add(HEADER)..).unwrap_or_default();
                recorded::row(permit, result, row)?;
            }
            consumed = consumed.saturating_add(total);
            count = count.saturating_add(1);
        }
        if consumed == 0 {
            return Ok(Some(TargetStep::Wait));
        }
        if let Some(front) = self.expected.front_mut() {
            front.count(count, consumed);
        }
        Ok(Some(TargetStep::Replace(consumed, out)))
    }

    /// Makes the plan of an Execute's rows, where it is not made.
    fn planned(&mut self) -> Result<Option<Wanted>, Fault> {
        let Some(front) = self.expected.front().filter(|front| front.result.plan.is_none()) else { return Ok(None) };
        match front.result.description.as_ref().and_then(super::result::Description::get) {
            Some(columns) => self.plan(&columns),
            None => Ok(None),
        }
    }

    /// A message that may carry values outside of rows, as its client may see it; `None` where it
    /// passes.
    pub(super) fn shown(&mut self, header: Header, body: &[u8]) -> Result<Option<TargetStep>, Fault> {
        let shown = match header.tag {
            b'N' | b'A' => self.shown_text(header.tag, body)?,
            b'S' if self.hidden().is_some() => free_setting(body).map(|name| {
                let mut out = BytesMut::new();
                mask::setting(name, &mut out);
                out
            }),
            _ => None,
        };
        Ok(shown.map(|out| TargetStep::Replace(header.total, out)))
    }

    /// An error, a notice or a notification without the values that it may quote; `None` where
    /// nothing is hidden.
    pub(super) fn shown_text(&mut self, tag: u8, body: &[u8]) -> Result<Option<BytesMut>, Fault> {
        let Some(view) = self.hidden() else { return Ok(None) };
        let mut out = BytesMut::new();
        let permit = self.expected.front_mut().and_then(|front| front.permit.as_mut());
        mask::text(tag, body, &view, permit, &mut out).map_err(|why| broken(&why))?;
        Ok(Some(out))
    }
}

/// The name of a setting that takes any text, where its new value is reported.
fn free_setting(body: &[u8]) -> Option<&'static [u8]> {
    const FREE: [&[u8]; 2] = [b"application_name", b"search_path"];
    FREE.into_iter().find(|name| body.strip_prefix(*name).is_some_and(|rest| rest.first() == Some(&0)))
}

fn broken(why: &WireError) -> Fault {
    misbehaved(why.to_string())
}

fn unreadable() -> Report {
    Report {
        // feature_not_supported
        code: "0A000",
        message: "what this COPY writes cannot be masked, because the gate cannot read its options".into(),
        detail: None,
        hint: Some("leave `encoding` out, or use SELECT".into()),
    }
}

fn too_long(total: usize) -> Report {
    Report {
        // program_limit_exceeded
        code: "54000",
        message: format!("a row of {total} bytes is too long to be masked"),
        detail: None,
        hint: Some("select less of it at once".into()),
    }
}
