//! The core of Portcullis: the words of an access gate, its ports, and the pipeline that joins them.
//!
//! It reads in the order in which things happen: [`identity`] → [`operation`] → [`policy`] →
//! [`approval`] → [`permit`] → [`masking`] → [`recording`], with [`gate`] as the pipeline and
//! [`refusal`] for every way out. It knows no socket, file, TLS, HTTP, policy engine or protocol.

pub mod approval;
pub mod clock;
pub mod gate;
pub mod guarded;
pub mod identity;
pub mod masking;
pub mod operation;
pub mod permit;
pub mod policy;
pub mod protocol;
pub mod recording;
pub mod refusal;
pub mod secret;
pub mod sessions;
pub mod sign_in;
pub mod stream;
pub mod visible;
pub mod vocabulary;

/// A boxed future, as the object-safe ports return it.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;
