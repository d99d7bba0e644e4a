//! The pure core: what a name, a key kind, a CSR and a signing request are, and which change of
//! state is allowed.
//!
//! Nothing here does I/O, reads the clock or draws random numbers: time and randomness are
//! parameters. It may import any pure crate and nothing of ours; `tests/it/tidy.rs` checks it.

pub mod access;
pub mod algorithm;
pub mod approval;
pub mod audit;
pub mod authority;
pub mod certificate;
pub mod clock;
pub mod crl;
pub mod csr;
pub mod der_value;
pub mod extensions;
pub mod id;
pub mod invalid;
pub mod jwk;
pub mod key;
pub mod key_life;
pub mod key_quality;
pub mod name;
mod named;
mod pem;
pub mod policy;
pub mod probe;
pub mod proposal;
pub mod san;
pub mod signing_request;
pub mod template;
mod text;
pub mod webhook;
