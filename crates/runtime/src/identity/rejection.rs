//! Every reason for which a token is not accepted, as a sentence for the operator.
//!
//! No sentence holds the token or its signature. What a stranger wrote into it is quoted only
//! where an operator cannot do without, and only if it is short and printable.

use super::algorithm::Algorithm;

/// The longest text of a token that is quoted.
const MAX_QUOTE: usize = 200;

/// Why a token was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// It is longer than the gate reads.
    #[error("the token is longer than 64 KiB")]
    TooLarge,
    /// It has not the form of a signed token.
    #[error("this is not a signed token: it has not three parts in base64url")]
    Shape,
    /// It is an encrypted token.
    #[error("the token is encrypted, and the gate reads signed tokens only")]
    Encrypted,
    /// Its header is not a JSON object, or has a member twice or of the wrong type.
    #[error("the token's header is not a well-formed JSON object")]
    Header,
    /// Its payload is not a JSON object, or has a member twice.
    #[error("the token's payload is not a well-formed JSON object")]
    Payload,
    /// It is another kind of token, by its `typ`.
    #[error("the token's `typ` names a kind of token that is no proof of identity")]
    Type,
    /// It has a `crit` header: nothing that may be critical is understood here (RFC 7515 §4.1.11).
    #[error("the token has a `crit` header, of which the gate understands nothing")]
    Critical,
    /// Its algorithm is `none`, symmetric or unknown.
    #[error("the token's algorithm is none of the asymmetric ones that the gate accepts")]
    AlgorithmRefused,
    /// Its algorithm is not one that the issuer lists or the configuration allows.
    #[error("the token is signed with `{}`, which is not among the issuer's algorithms", .0.name())]
    AlgorithmNotListed(Algorithm),
    /// The key that it names signs with other algorithms.
    #[error("the token is signed with `{}`, which does not fit the key that it names", .0.name())]
    AlgorithmNotOfKey(Algorithm),
    /// No configured issuer has this URL.
    #[error("the token's issuer {0} is not configured (the URL must be equal to the last character)")]
    UnknownIssuer(String),
    /// The key that it names is not among the issuer's.
    #[error("the token names a key that the issuer does not publish")]
    UnknownKey,
    /// It names no key, and not exactly one of the issuer's would fit.
    #[error("the token names no key, and there is not exactly one that fits")]
    NoKeyNamed,
    /// The signature is not the key's.
    #[error("the token's signature is wrong")]
    Signature,
    /// A claim that it must have is missing.
    #[error("the token has no `{0}`")]
    MissingClaim(&'static str),
    /// A claim has not the type or the size that it must have.
    #[error("the token's `{0}` is malformed")]
    MalformedClaim(&'static str),
    /// It is for somebody else.
    #[error("the token is for another audience than this gate")]
    Audience,
    /// It was issued to an application that may not use it here.
    #[error("the token was issued to an application (`azp`) that is not among the accepted ones")]
    AuthorizedParty,
    /// It is not valid yet.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// It is not valid any more.
    #[error("the token has expired")]
    Expired,
    /// The groups are not in it: the issuer left them out and points elsewhere.
    #[error(
        "the token does not hold the subject's groups: there are too many, and the issuer points elsewhere for \
         them; let the issuer send only the groups that are assigned to this application"
    )]
    GroupsElsewhere,
    /// There are more groups than the gate takes.
    #[error("the token names more groups than the gate takes; let the issuer send fewer")]
    TooManyGroups,
    /// The chain of actors is longer than the gate follows.
    #[error("the token's chain of actors (`act`) is longer than the gate follows")]
    TooManyActors,
}

impl Rejection {
    /// Quotes the issuer that a token names, for a slip in the URL is the commonest mistake.
    pub(super) fn unknown_issuer(named: &str) -> Self {
        let printable = named.len() <= MAX_QUOTE && named.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'`');
        Self::UnknownIssuer(if printable { format!("`{named}`") } else { String::from("(too long or not printable)") })
    }
}
