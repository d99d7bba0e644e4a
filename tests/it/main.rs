//! The integration tests: one binary, so that the crate is linked once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test, and a helper of a test, fails by panicking and says on stderr why"
)]
#![cfg_attr(not(feature = "failpoints"), allow(dead_code, reason = "the crash tests need kill points"))]

mod access;
mod api;
mod approvals;
mod audit;
mod authorities;
mod backup;
mod bad_input;
mod certificate_objects;
mod certificates;
mod cli;
mod cli_life;
mod cloudflare;
mod connections;
#[cfg(feature = "failpoints")]
mod crash;
mod differential;
mod doctor;
mod faults;
mod full;
mod harness;
mod hsm;
mod idempotency;
mod idna;
mod image;
mod infisical;
mod inspect;
mod key_life;
mod keyfactor;
mod kinds;
mod ledger;
mod lint;
mod metrics;
mod name_texts;
mod names;
mod network_hsm;
mod openapi;
mod opencryptoki;
mod openssl;
mod others;
mod pins;
mod probes;
mod python;
mod redact;
mod regressions;
mod remote;
mod renewal;
mod schemathesis;
mod security;
mod startup;
mod systemd;
mod templates;
mod tidy;
mod tls;
mod venafi;
mod webhooks;
