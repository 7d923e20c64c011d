//! Refusals as SSH users see them: lines on standard error, and an exit status.

use portcullis_core::approval::Notice;
use portcullis_core::refusal::Refusal;

/// What a shell says when it finds a command and may not run it.
pub(crate) const NOT_RUN: u32 = 126;
/// What `ssh` itself says when a connection fails.
pub(crate) const FAILED: u32 = 255;

/// The refusal as lines of standard error.
pub(crate) fn lines(refusal: &Refusal) -> String {
    let mut text = format!("portcullis: {} [{}]\r\n", refusal.message(), refusal.code());
    if let Some(detail) = refusal.detail() {
        text.push_str(&format!("portcullis: {}\r\n", printable(&detail)));
    }
    text.push_str(&format!("portcullis: {}\r\n", refusal.hint()));
    text
}

/// What a client reads while its command waits.
pub(crate) fn waiting(notice: &Notice, reason: &str) -> String {
    format!(
        "portcullis: this waits for an approval: {}\r\nportcullis: approve it at {}\r\n",
        printable(reason),
        printable(&notice.url)
    )
}

/// A text that moves no cursor: an approver's words end on a terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Whether the session can go on after this refusal.
pub(crate) const fn ends_session(refusal: &Refusal) -> bool {
    match refusal {
        Refusal::Unidentified(_) | Refusal::NotRecorded | Refusal::Ended(_) => true,
        Refusal::Denied(_)
        | Refusal::Rejected(_)
        | Refusal::NotApproved
        | Refusal::NobodyToAsk
        | Refusal::NotMaskable => false,
    }
}
