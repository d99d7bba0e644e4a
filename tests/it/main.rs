//! The integration tests: one binary, so that the crate is linked once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test, and a helper of a test, fails by panicking and says on stderr why"
)]
#![cfg_attr(not(feature = "failpoints"), allow(dead_code, reason = "the crash tests need kill points"))]

mod api;
mod bad_input;
mod certificates;
mod cli;
mod connections;
#[cfg(feature = "failpoints")]
mod crash;
mod faults;
mod harness;
mod hsm;
mod idempotency;
mod kinds;
mod ledger;
mod names;
mod network_hsm;
mod openapi;
mod opencryptoki;
mod openssl;
mod pins;
mod redact;
mod regressions;
mod renewal;
mod security;
mod startup;
mod tidy;
