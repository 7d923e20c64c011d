//! What tests of the gate are made of: fakes of every port, a mini OIDC issuer, real servers, and
//! the conformance suite that every protocol runs.

pub mod conformance;
pub mod fakes;
pub mod issuer;
pub mod servers;
