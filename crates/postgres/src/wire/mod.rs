//! The wire format: frames and their bodies, read strictly and within bounds. No IO.
//!
//! What strangers send is decoded here; what the gate itself says is encoded by `pgwire`.

pub mod bind;
pub mod body;
pub mod error;
pub mod frame;
pub mod rows;
pub mod startup;
pub mod write;

/// Bytes that are not what the protocol says they must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// A length field that is smaller than itself or larger than the message type allows.
    #[error("a message of type `{}` states the length {length}", char::from(*tag))]
    Length {
        /// The message type.
        tag: u8,
        /// The stated length.
        length: u32,
    },
    /// A body that ends too early, goes on too long, or is not what its type says.
    #[error("a message of type `{}` is malformed", char::from(*tag))]
    Malformed {
        /// The message type.
        tag: u8,
    },
    /// A first packet that is none of those that may come first.
    #[error("the connection does not begin as the protocol says")]
    Startup,
}
