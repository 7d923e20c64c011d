//! An ask and its way through the hands of humans. Pure: it knows no clock, no store and no client.
//!
//! ```text
//! pending ─┬─ approved ─┬─ used
//!          ├─ denied    ├─ expired
//!          ├─ expired   └─ revoked
//!          └─ withdrawn
//! ```

use portcullis_core::identity::{Identity, Kind};
use serde::{Deserialize, Serialize};

/// The longest reason that is taken, in bytes.
pub const MAX_REASON: usize = 2_000;

/// Where an ask stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Nobody has decided it yet.
    Pending,
    /// Enough humans have said yes, and nothing has come of it yet.
    Approved,
    /// A human has said no.
    Denied,
    /// Its time was over.
    Expired,
    /// Nobody waits for it any more.
    Withdrawn,
    /// The operation has gone on.
    Used,
    /// The approval was taken back.
    Revoked,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 7] =
        [Self::Pending, Self::Approved, Self::Denied, Self::Expired, Self::Withdrawn, Self::Used, Self::Revoked];

    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
            Self::Used => "used",
            Self::Revoked => "revoked",
        }
    }

    /// Whether something can still come of it.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Approved)
    }
}

/// Somebody who asks or answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Person {
    /// The issuer's URL.
    pub issuer: String,
    /// The issuer's name for them.
    pub subject: String,
    /// The verified e-mail address.
    pub email: Option<String>,
    /// Whether it is a program.
    pub workload: bool,
    /// Their groups.
    pub groups: Vec<String>,
    /// Who acts for them, outermost first.
    pub actors: Vec<String>,
}

impl From<&Identity> for Person {
    fn from(identity: &Identity) -> Self {
        Self {
            issuer: identity.issuer.clone(),
            subject: identity.subject.clone(),
            email: identity.email.clone(),
            workload: identity.kind == Kind::Workload,
            groups: identity.groups.clone(),
            actors: identity.actors.clone(),
        }
    }
}

impl Person {
    /// A name for people.
    pub fn name(&self) -> &str {
        self.email.as_deref().unwrap_or(&self.subject)
    }

    /// Whether both are the same human, as far as issuers can tell: one identity, or one verified
    /// e-mail address.
    pub fn is_same(&self, other: &Self) -> bool {
        let mail = self.email.as_ref().zip(other.email.as_ref());
        (self.issuer == other.issuer && self.subject == other.subject)
            || mail.is_some_and(|(one, other)| one.eq_ignore_ascii_case(other))
    }

    fn is_in(&self, groups: &[String]) -> bool {
        groups.iter().any(|group| self.groups.contains(group))
    }
}

/// What one human said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Answer {
    /// Who.
    pub by: Person,
    /// Yes or no.
    pub yes: bool,
    /// Why.
    pub reason: String,
    /// When, in microseconds since 1970.
    pub at: u64,
}

/// What an approval needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Terms {
    /// Each entry must be satisfied by members of its groups.
    pub groups: Vec<Vec<String>>,
    /// How many distinct humans must say yes for each entry.
    pub quorum: u32,
}

/// An operation that humans are asked about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Ask {
    /// Its id.
    pub id: String,
    /// What the approval is bound to, in hexadecimal digits.
    pub fingerprint: String,
    /// Who wants to do it.
    pub requester: Person,
    /// The session that asked first.
    pub session: String,
    /// The target's name.
    pub target: String,
    /// The account on the target.
    pub account: String,
    /// The client's address.
    pub client: String,
    /// What the client calls itself.
    pub application: String,
    /// The exact bytes that would go to the target.
    #[serde(with = "base64_bytes")]
    #[schema(value_type = String, format = Byte)]
    pub statement: Vec<u8>,
    /// The values that it runs with, for people.
    pub values: String,
    /// What it would do.
    pub effects: serde_json::Value,
    /// How many rows the target's planner estimates that it would write, where it could tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimated_rows: Option<u64>,
    /// A transaction is open, and what it has locked stays locked meanwhile.
    pub in_transaction: bool,
    /// The policies that ask.
    pub policies: Vec<String>,
    /// Why they do.
    pub reason: String,
    /// The policies' revision.
    pub revision: String,
    /// Who has to say yes.
    pub terms: Terms,
    /// When it was asked, in microseconds since 1970.
    pub asked: u64,
    /// When it is over, in microseconds since 1970.
    pub expires: u64,
    /// What was said to it.
    pub answers: Vec<Answer>,
    /// Where it stands.
    pub state: State,
}

/// Why an answer does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unanswerable {
    /// It is no longer open.
    #[error("the ask is {} and takes no answer any more", .0.word())]
    Over(State),
    /// It is too late.
    #[error("the ask has expired")]
    Expired,
    /// Whoever asks does not answer.
    #[error("you asked for this yourself, and somebody else has to answer")]
    OwnAsk,
    /// Programs do not answer.
    #[error("only a human may answer, without anybody acting for them")]
    NotHuman,
    /// They are in none of the groups.
    #[error("only a member of {} may answer", list(.0))]
    NotAsked(Vec<String>),
    /// They have said yes before.
    #[error("you have approved this already; another human has to as well")]
    Twice,
    /// The login is too old.
    #[error("your login is too old to answer with; log in again")]
    StaleLogin,
    /// There is no reason, or too long a one.
    #[error("give a reason of 1 to {MAX_REASON} bytes")]
    Reason,
}

impl Unanswerable {
    /// A stable word for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Over(_) => "ask-over",
            Self::Expired => "ask-expired",
            Self::OwnAsk => "own-ask",
            Self::NotHuman => "not-human",
            Self::NotAsked(_) => "not-asked",
            Self::Twice => "answered-already",
            Self::StaleLogin => "stale-login",
            Self::Reason => "reason-missing",
        }
    }
}

fn list(groups: &[String]) -> String {
    groups.iter().map(|group| format!("`{group}`")).collect::<Vec<_>>().join(" or ")
}

impl Ask {
    /// Takes a human's answer. One no is enough; a yes counts with the others.
    pub fn answer(&mut self, answer: Answer) -> Result<(), Unanswerable> {
        if self.state != State::Pending {
            return Err(Unanswerable::Over(self.state));
        }
        if self.expires <= answer.at {
            return Err(Unanswerable::Expired);
        }
        let by = &answer.by;
        if by.workload || !by.actors.is_empty() {
            return Err(Unanswerable::NotHuman);
        }
        if by.is_same(&self.requester) || self.requester.actors.contains(&by.subject) {
            return Err(Unanswerable::OwnAsk);
        }
        if !self.terms.groups.iter().any(|groups| by.is_in(groups)) {
            return Err(Unanswerable::NotAsked(self.approvers()));
        }
        let reason = answer.reason.trim();
        if reason.is_empty() || reason.len() > MAX_REASON {
            return Err(Unanswerable::Reason);
        }
        if self.answers.iter().any(|earlier| earlier.by.is_same(by)) && answer.yes {
            return Err(Unanswerable::Twice);
        }
        let yes = answer.yes;
        self.answers.push(answer);
        if !yes {
            self.state = State::Denied;
        } else if self.is_satisfied() {
            self.state = State::Approved;
        }
        Ok(())
    }

    /// Whether enough humans have said yes for every policy that asks: each gets its whole quorum from
    /// its own groups.
    fn is_satisfied(&self) -> bool {
        let quorum = usize::try_from(self.terms.quorum).unwrap_or(usize::MAX);
        let of = |groups: &[String]| self.answers.iter().filter(|said| said.yes && said.by.is_in(groups)).count();
        !self.terms.groups.is_empty() && self.terms.groups.iter().all(|groups| of(groups) >= quorum)
    }

    /// Every group whose members may answer, each once.
    pub fn approvers(&self) -> Vec<String> {
        let mut groups = self.terms.groups.concat();
        groups.sort();
        groups.dedup();
        groups
    }

    /// Whether somebody may see it: who asks, and who may answer.
    pub fn is_for(&self, person: &Person) -> bool {
        person.is_same(&self.requester) || self.terms.groups.iter().any(|groups| person.is_in(groups))
    }

    /// What the record of the operation says of its approval: who, when and why.
    pub fn said(&self) -> Vec<String> {
        let yes = self.answers.iter().filter(|answer| answer.yes);
        yes.map(|answer| format!("{} at {}: {}", answer.by.name(), rfc3339(answer.at), answer.reason.trim())).collect()
    }
}

/// A moment as people and programs read it (RFC 3339), with its microseconds.
pub fn rfc3339(micros: u64) -> String {
    let moment = i64::try_from(micros).ok().and_then(|micros| jiff::Timestamp::from_microsecond(micros).ok());
    moment.map_or_else(|| String::from("?"), |moment| format!("{moment:.6}"))
}

mod base64_bytes {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(String::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
pub(crate) mod tests;
