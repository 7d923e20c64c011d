//! What verified claims say: whether they are for this gate, for now, and for whom.
//!
//! Pure: it takes claims whose signature was checked, the configuration and the time.

use std::time::{Duration, SystemTime};

use portcullis_core::identity::Identity;
use serde_json::{Map, Value};

use super::config::OidcConfig;
use super::groups;
use super::rejection::Rejection;

/// How far clocks may differ.
const LEEWAY: Duration = Duration::from_secs(30);
/// SPIFFE allows 2048 bytes, all others less.
const MAX_SUBJECT: usize = 2048;
/// RFC 5321 §4.5.3.1 allows less.
const MAX_EMAIL: usize = 320;
const MAX_TOKEN_ID: usize = 512;
const MAX_AUDIENCES: usize = 64;
const MAX_ACTORS: usize = 8;

/// Reads the identity. The caller has checked the signature and that `iss` is the configured one.
pub(super) fn identity(
    claims: &Map<String, Value>,
    config: &OidcConfig,
    now: SystemTime,
) -> Result<Identity, Rejection> {
    let expires = time(claims, "exp")?.ok_or(Rejection::MissingClaim("exp"))?;
    if is_expired(expires, now) {
        return Err(Rejection::Expired);
    }
    if time(claims, "nbf")?.is_some_and(|begins| begins > now + LEEWAY) {
        return Err(Rejection::NotYetValid);
    }
    check_audience(claims, config)?;
    Ok(Identity {
        issuer: config.issuer.clone(),
        subject: text(claims, "sub", MAX_SUBJECT)?.ok_or(Rejection::MissingClaim("sub"))?,
        kind: config.kind.into(),
        groups: groups::read(claims, &config.groups_claim, &config.name)?,
        email: email(claims)?,
        actors: actors(claims, &config.issuer)?,
        token: text(claims, "jti", MAX_TOKEN_ID)?,
        authenticated: time(claims, "auth_time")?.or(time(claims, "iat")?),
        expires,
    })
}

/// Whether a token that ends at `expires` has ended (RFC 7519 §4.1.4), with leeway.
pub(super) fn is_expired(expires: SystemTime, now: SystemTime) -> bool {
    now.duration_since(expires).is_ok_and(|over| over >= LEEWAY)
}

fn check_audience(claims: &Map<String, Value>, config: &OidcConfig) -> Result<(), Rejection> {
    let audiences = audiences(claims.get("aud"))?;
    let accepted = config.audience.accepted();
    if !audiences.iter().any(|audience| accepted.iter().any(|known| known == audience)) {
        return Err(Rejection::Audience);
    }
    check_party(claims, config, audiences.len() > 1)
}

/// A token for several audiences must say to whom it was issued (OIDC Core §3.1.3.7).
fn check_party(claims: &Map<String, Value>, config: &OidcConfig, several: bool) -> Result<(), Rejection> {
    let party = match claims.get("azp") {
        None => None,
        Some(Value::String(party)) => Some(party),
        Some(_) => return Err(Rejection::MalformedClaim("azp")),
    };
    let parties = &config.authorized_parties;
    if !several && parties.is_empty() {
        return Ok(());
    }
    let party = party.ok_or(Rejection::MissingClaim("azp"))?;
    let listed = parties.contains(party);
    // The gate's own audience is an application that may use the token, unless others are listed.
    let own = parties.is_empty() && config.audience.accepted().contains(party);
    if listed || own { Ok(()) } else { Err(Rejection::AuthorizedParty) }
}

fn audiences(claim: Option<&Value>) -> Result<Vec<&str>, Rejection> {
    const MALFORMED: Rejection = Rejection::MalformedClaim("aud");
    match claim {
        None => Err(Rejection::MissingClaim("aud")),
        Some(Value::String(one)) => Ok(vec![one]),
        Some(Value::Array(all)) if !all.is_empty() && all.len() <= MAX_AUDIENCES => {
            all.iter().map(|each| each.as_str().ok_or(MALFORMED)).collect()
        }
        Some(_) => Err(MALFORMED),
    }
}

/// An e-mail address counts only if the issuer says that it verified it.
fn email(claims: &Map<String, Value>) -> Result<Option<String>, Rejection> {
    if claims.get("email_verified") == Some(&Value::Bool(true)) { text(claims, "email", MAX_EMAIL) } else { Ok(None) }
}

/// Who acts for the subject, outermost first (RFC 8693 §4.1). An actor of another issuer is named
/// with it, as `ISSUER#SUBJECT`.
fn actors(claims: &Map<String, Value>, issuer: &str) -> Result<Vec<String>, Rejection> {
    let mut actors = Vec::new();
    let mut next = claims.get("act");
    while let Some(act) = next {
        if actors.len() == MAX_ACTORS {
            return Err(Rejection::TooManyActors);
        }
        let act = act.as_object().ok_or(Rejection::MalformedClaim("act"))?;
        let malformed = |_| Rejection::MalformedClaim("act");
        let subject = text(act, "sub", MAX_SUBJECT).map_err(malformed)?.ok_or(Rejection::MalformedClaim("act"))?;
        actors.push(match text(act, "iss", MAX_SUBJECT).map_err(malformed)? {
            Some(other) if other != issuer => format!("{other}#{subject}"),
            Some(_) | None => subject,
        });
        next = act.get("act");
    }
    Ok(actors)
}

/// A text claim; `None` where it is missing. Empty, long or unprintable ones are malformed.
fn text(claims: &Map<String, Value>, claim: &'static str, longest: usize) -> Result<Option<String>, Rejection> {
    match claims.get(claim) {
        None => Ok(None),
        Some(Value::String(text)) if is_name(text, longest) => Ok(Some(text.clone())),
        Some(_) => Err(Rejection::MalformedClaim(claim)),
    }
}

/// Whether a text can stand as a name in policies, records and logs.
pub(super) fn is_name(text: &str, longest: usize) -> bool {
    !text.is_empty() && text.len() <= longest && !text.chars().any(char::is_control)
}

/// A point in time (RFC 7519 `NumericDate`): seconds, possibly with a fraction.
fn time(claims: &Map<String, Value>, claim: &'static str) -> Result<Option<SystemTime>, Rejection> {
    let Some(value) = claims.get(claim) else { return Ok(None) };
    let malformed = Rejection::MalformedClaim(claim);
    let since = match (value.as_u64(), value.as_f64()) {
        (Some(seconds), _) => Some(Duration::from_secs(seconds)),
        (None, Some(seconds)) => Duration::try_from_secs_f64(seconds).ok(),
        (None, None) => None,
    };
    since.and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since)).map(Some).ok_or(malformed)
}
