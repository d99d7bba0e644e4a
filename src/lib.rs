//! strongroom: a certificate-signing-request appliance.
//!
//! A key is made inside a PKCS#11 token and never leaves it; the CSR is signed by the token; an
//! index tracks each signing request by its handle until the certificate is married to the key.
//!
//! The code in rings, from the inside:
//!
//! - [`domain`]: names, key kinds, CSRs, the state machine. Pure.
//! - [`hsm`]: the token. One worker process per token loads the vendor's module.
//! - [`store`]: the index and the journal, over SQLite.
//! - [`app`]: the use cases, where the three meet.
//! - [`auth`]: from a credential to a principal.
//! - [`webhook`]: what happened is told to those whom the configuration names.
//! - [`api`]: the native wire types, shared by server and CLI.
//! - [`http`]: the router, errors as HTTP answers, the native API.
//! - [`cli`]: the command line.
//! - [`config`], [`telemetry`]: what they say.
//! - [`serve`]: puts it all together.
//!
//! Who may import whom is checked by `tests/it/tidy.rs`; docs/ARCHITECTURE.md has the walk-through.

pub mod api;
pub mod app;
pub mod auth;
pub mod cli;
pub mod config;
pub mod domain;
pub mod hsm;
pub mod http;
pub mod serve;
pub mod store;
pub mod telemetry;
pub mod webhook;
