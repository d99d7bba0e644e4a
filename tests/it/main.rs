//! The integration tests: one binary, so that the crate is linked once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test, and a helper of a test, fails by panicking"
)]

#[cfg(feature = "failpoints")]
mod crash;
mod faults;
mod harness;
mod hsm;
mod ledger;
mod tidy;
