//! The integration tests: one binary, so that the crate is linked once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test, and a helper of a test, fails by panicking and says on stderr why"
)]

mod api;
mod bad_input;
mod certificates;
mod cli;
mod harness;
mod hsm;
mod idempotency;
mod openapi;
mod openssl;
mod redact;
mod renewal;
mod security;
mod startup;
mod tidy;
