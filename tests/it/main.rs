//! The integration tests: one binary, so that the crate is linked once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test, and a helper of a test, fails by panicking"
)]

mod harness;
mod hsm;
mod network_hsm;
mod tidy;
