//! House rules that the compiler does not know: who may import whom, where a foreign crate may be
//! used, how long a file may be, what lies at the top of the repository.
//!
//! A rule is a function from source text to complaints. So each is run twice: on the repository,
//! and on a text that breaks it, which shows that it can fail.

mod source;

use std::collections::BTreeSet;
use std::iter;

use self::source::{Source, tracked_files};

/// Every module and what it may import besides itself and the modules inside it. The longest path
/// that fits a module is its row; `*` stands for any one name. An entry covers the modules inside
/// it, except those that have a row of their own.
const IMPORTS: &[(&str, &[&str])] = &[
    ("lib", &[]),
    ("main", EVERYTHING),
    ("serve", EVERYTHING),
    ("domain", &[]),
    ("hsm", &["domain"]),
    ("store", &["domain"]),
    ("auth", &["domain", "store"]),
    ("webhook", &["domain", "store"]),
    ("app", &["domain", "hsm", "store", "telemetry"]),
    // The vocabulary of the wire is strings and numbers; only identifiers are shared.
    ("api", &["domain::id"]),
    ("http", &["auth", "app", "domain", "telemetry"]),
    ("http::rest", &["app", "api", "auth", "domain", "http"]),
    // One facade never sees another: what two of them need belongs in `http` or in the core.
    ("http::facade", &["http"]),
    ("http::facade::*", &["app", "auth", "domain", "http"]),
    ("config", &["domain", "hsm::profile"]),
    ("telemetry", &[]),
    ("cli", &["api", "config"]),
    // Explains a file by itself: there may be no service, no configuration and no token.
    ("cli::command::inspect", &["cli", "domain::csr::inspect"]),
    // Slot commands work on the token itself while no service holds it; `serve` knows how a token
    // of the configuration is started.
    ("cli::command::slot", &["api", "cli", "config", "hsm", "serve"]),
    // Reads the files of the HTTPS listener as the start does, and the clock for their warning.
    ("cli::command::check_config", &["app", "cli", "config", "domain::clock", "serve"]),
    // Checks an export without the service, by the same function.
    ("cli::command::audit", &["api", "cli", "domain::audit", "domain::clock"]),
    // Offline: what a request would get is the domain's pure function, asked of no service.
    ("cli::command::template", &["api", "cli", "config", "domain"]),
    // Probes a token the same way, and shows what it found as the service does.
    (
        "cli::command::token",
        &["api", "cli", "cli::command::slot", "config", "domain", "hsm", "http::rest", "serve"],
    ),
    // What arrives of a backup is examined where it arrives.
    ("cli::command::backup", &["app", "cli", "domain", "store"]),
    // Works on the files of the data directory while no service holds its lock.
    ("cli::command::restore", &["app", "cli", "cli::command::backup", "config", "domain", "serve", "store"]),
    // Looks at everything, whether a service runs or not.
    ("cli::command::doctor", &["api", "app", "cli", "config", "domain", "hsm", "serve", "store"]),
    // Starts the service and, hidden, its workers.
    ("cli::command::serve", &["cli", "config", "hsm", "serve", "telemetry"]),
];

const EVERYTHING: &[&str] = &["*"];

/// Foreign crates with one home: the rest of the program sees them only through it.
const HOMES: &[(&str, &str)] = &[("cryptoki", "hsm"), ("cryptoki_sys", "hsm"), ("rusqlite", "store")];

/// What `domain` may not touch: it does no I/O and draws no random numbers.
const BARRED_IN_DOMAIN: &[&str] = &[
    "axum",
    "getrandom",
    "hyper",
    "hyper_util",
    "rustix",
    "tokio",
    "tower",
    "tower_http",
    "std::env",
    "std::fs",
    "std::net",
    "std::process",
];

/// Plain data in a barred module: the addresses of an IP SAN.
const ALLOWED_IN_DOMAIN: &[&str] = &["std::net::IpAddr", "std::net::Ipv4Addr", "std::net::Ipv6Addr"];

/// The last part of a path that reads the clock: `SystemTime::now`, `Uuid::now_v7`.
const CLOCK_READINGS: &[&str] = &["now", "now_utc", "now_v7"];

const UNFINISHED: &[&str] = &["todo", "unimplemented", "dbg"];

/// The one file that may say `unsafe`; docs/adr/0015.
const UNSAFE: &str = "src/hsm/worker/init_args.rs";

const MAX_LINES: usize = 600;

const TOP_LEVEL: &[&str] =
    &["Cargo.lock", "Cargo.toml", "LICENSE", "README.md", "docs", "hsm-profiles", "scripts", "src", "tests"];

#[test]
fn modules_import_what_the_table_allows() {
    assert_clean("src", forbidden_imports);
}

#[test]
fn foreign_crates_stay_in_their_ring() {
    assert_clean("src", strayed_crates);
}

#[test]
fn files_are_short() {
    assert_clean("src", too_long);
    assert_clean("tests", too_long);
}

#[test]
fn modules_say_what_they_are_for() {
    assert_clean("src", missing_module_doc);
}

#[test]
fn nothing_is_left_unfinished() {
    assert_clean("src", unfinished);
}

#[test]
fn unsafe_code_is_in_one_place() {
    assert_clean("src", unsafe_code);
}

#[test]
fn the_top_level_holds_only_what_was_agreed() {
    let complaints = strangers(&tracked_files());
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// Applies a rule to every Rust file below `directory`.
fn assert_clean(directory: &str, rule: impl Fn(&Source) -> Vec<String>) {
    let sources = Source::below(directory);
    assert!(!sources.is_empty(), "no Rust file below {directory}: the rule has checked nothing");
    let complaints: Vec<String> = sources.iter().flat_map(rule).collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

// --- the rules -----------------------------------------------------------------------------------

fn forbidden_imports(source: &Source) -> Vec<String> {
    let Some((own_row, may_import)) = row_of(&source.module) else {
        return vec![format!(
            "{}: module {} is not in IMPORTS of tests/it/tidy.rs; add it there and in the architecture page",
            source.file,
            source.module.join("::"),
        )];
    };
    let allowed = |target: &[String]| {
        let Some((target_row, _)) = row_of(target) else { return false };
        target_row.starts_with(own_row)
            || may_import == EVERYTHING
            || may_import
                .iter()
                .map(|entry| segments(entry))
                .any(|entry| target.starts_with(&entry) && target_row.len() <= entry.len())
    };
    source
        .paths()
        .iter()
        .filter_map(|path| Some((path, path.target.as_deref()?)))
        .filter(|(_, target)| !allowed(target))
        .map(|(path, target)| {
            format!(
                "{}:{}: {} may not import crate::{}; it may import {may_import:?}",
                source.file,
                path.line,
                own_row.join("::"),
                target.join("::"),
            )
        })
        .collect()
}

fn strayed_crates(source: &Source) -> Vec<String> {
    let ring = source.module[0].as_str();
    let reason = |path: &[String]| {
        let from = |barred: &&str| reaches(path, &segments(barred));
        if let Some((name, home)) = HOMES.iter().find(|(name, home)| ring != *home && from(name)) {
            return Some(format!("{name} is used only in {home}"));
        }
        if ring != "domain" || ALLOWED_IN_DOMAIN.iter().any(|data| path.starts_with(&segments(data))) {
            return None;
        }
        if let Some(barred) = BARRED_IN_DOMAIN.iter().find(|barred| from(barred)) {
            return Some(format!("{barred} is barred in domain, which does no I/O"));
        }
        let reads_clock = path.len() > 1 && CLOCK_READINGS.iter().any(|last| path.ends_with(&segments(last)));
        reads_clock
            .then(|| format!("{} reads the clock; domain takes the time as a parameter", path.join("::")))
    };
    source
        .paths()
        .iter()
        .filter(|path| path.target.is_none())
        .filter_map(|path| Some(format!("{}:{}: {}", source.file, path.line, reason(&path.written)?)))
        .collect()
}

fn too_long(source: &Source) -> Vec<String> {
    let lines = source.text.lines().count();
    let complaint = format!("{}: {lines} lines, at most {MAX_LINES}: split it by purpose", source.file);
    Vec::from_iter((lines > MAX_LINES).then_some(complaint))
}

fn missing_module_doc(source: &Source) -> Vec<String> {
    let complaint = format!("{}: the first line is not a //! doc comment", source.file);
    let missing = !source.is_unit_test() && !source.text.starts_with("//!");
    Vec::from_iter(missing.then_some(complaint))
}

fn unfinished(source: &Source) -> Vec<String> {
    source
        .macro_calls()
        .into_iter()
        .filter(|(name, _)| UNFINISHED.contains(&name.as_str()))
        .map(|(name, line)| format!("{}:{line}: {name}! is left over", source.file))
        .collect()
}

fn unsafe_code(source: &Source) -> Vec<String> {
    let lines = if source.file == UNSAFE { Vec::new() } else { source.uses_of("unsafe") };
    lines.into_iter().map(|line| format!("{}:{line}: only {UNSAFE} may be unsafe", source.file)).collect()
}

/// The entries at the top of the repository that nobody agreed on; dot files are free.
fn strangers(files: &[String]) -> Vec<String> {
    let top: BTreeSet<&str> = files.iter().filter_map(|file| file.split('/').next()).collect();
    top.into_iter()
        .filter(|entry| !entry.starts_with('.') && !TOP_LEVEL.contains(entry))
        .map(|entry| format!("{entry}: the top level holds only {TOP_LEVEL:?} and dot files"))
        .collect()
}

// --- modules and rows ----------------------------------------------------------------------------

/// The row of a module or of an item in it: as much of its path as the row names, and the row's list.
fn row_of(path: &[String]) -> Option<(&[String], &'static [&'static str])> {
    IMPORTS
        .iter()
        .filter_map(|(row, may_import)| {
            let row = segments(row);
            let own = path.get(..row.len())?;
            let fits = iter::zip(&row, own).all(|(pattern, name)| pattern == "*" || pattern == name);
            fits.then_some((own, *may_import))
        })
        .max_by_key(|(own, _)| own.len())
}

fn segments(path: &str) -> Vec<String> {
    path.split("::").map(str::to_owned).collect()
}

/// Whether a path names `item` or something in it, by itself or through a glob.
fn reaches(path: &[String], item: &[String]) -> bool {
    match path {
        [outer @ .., last] if last == "*" => item.starts_with(outer) || outer.starts_with(item),
        _ => path.starts_with(item),
    }
}

// --- each rule can fail --------------------------------------------------------------------------

/// The complaints of a rule about one file; lines are counted from 1.
fn complaints(rule: impl Fn(&Source) -> Vec<String>, file: &str, text: &str) -> Vec<String> {
    rule(&Source::new(file, text))
}

#[test]
fn an_import_against_the_table_is_found() {
    for (file, text) in [
        ("src/domain/name.rs", "use crate::store::Store;"),
        ("src/domain/mod.rs", "use super::app;"),
        ("src/domain/name.rs", "mod inner { fn f() { super::super::super::app::f() } }"),
        ("src/store/mod.rs", "use crate::{domain::id, hsm};"),
        ("src/api/mod.rs", "use crate::domain;"),
        ("src/api/csr.rs", "use crate::domain::{id::Handle, key::Key};"),
        ("src/app/produce.rs", "fn f() { g(crate::http::error::status()) }"),
        ("src/app/produce.rs", "use crate::*;"),
        ("src/config/mod.rs", "use crate::hsm::Hsm;"),
        ("src/http/router.rs", "use crate::store::Store;"),
        ("src/http/facade/venafi/convert.rs", "use super::super::keyfactor::wire;"),
        ("src/http/facade/venafi.rs", "use crate::api::Csr;"),
        ("src/http/rest/mod.rs", "use crate::http::facade::venafi;"),
        ("src/cli/command/csr.rs", "use crate::hsm::Hsm;"),
        ("src/lib.rs", "pub use crate::domain::id;"),
    ] {
        let found = complaints(forbidden_imports, file, text);
        assert_eq!(found.len(), 1, "{file}: {text}: {found:?}");
        assert!(found[0].starts_with(&format!("{file}:1: ")), "{found:?}");
    }
}

#[test]
fn an_import_within_the_table_is_not() {
    for (file, text) in [
        ("src/domain/name.rs", "use super::invalid::Invalid; pub(super) fn f() {} pub(crate) fn g() {}"),
        ("src/app/produce.rs", "use crate::{domain::{id::Handle, *}, hsm::{self, Hsm}, store};"),
        ("src/config/mod.rs", "use crate::hsm::profile::Profile;"),
        ("src/http/router.rs", "use crate::http::{facade::venafi, rest};"),
        ("src/http/facade/venafi/mod.rs", "use crate::http::permit::Permit; use self::wire::Id;"),
        ("src/cli/mod.rs", "use crate::cli::command::slot;"),
        ("src/cli/command/slot.rs", "use crate::{cli::report, hsm::Hsm};"),
        ("src/serve.rs", "use crate::{app, http::facade::venafi, store};"),
        ("src/domain/name.rs", "/// Unlike [`crate::app`].\nconst A: &str = \"crate::app\"; // crate::app"),
        ("src/domain/name.rs", "#[cfg(test)]\nmod tests { use crate::store::Store; }"),
        ("src/domain/name/tests.rs", "use crate::store::Store;"),
    ] {
        assert_eq!(complaints(forbidden_imports, file, text), Vec::<String>::new(), "{file}: {text}");
    }
}

#[test]
fn a_module_outside_the_table_is_found() {
    let found = complaints(forbidden_imports, "src/utils/mod.rs", "//! Odds and ends.");
    assert!(found[0].starts_with("src/utils/mod.rs: module utils is not in IMPORTS"), "{found:?}");
}

#[test]
fn a_strayed_crate_is_found() {
    for (file, text) in [
        ("src/app/keys.rs", "use cryptoki::object::Attribute;"),
        ("src/hsm/mod.rs", "fn f() -> rusqlite::Result<()> {}"),
        ("src/domain/id.rs", "fn f() { ::tokio::spawn(g()) }"),
        ("src/domain/id.rs", "use std::{fmt, fs};"),
        ("src/domain/id.rs", "use std::*;"),
        ("src/domain/san.rs", "use std::net;"),
        ("src/domain/san.rs", "use std::net::*;"),
        ("src/domain/san.rs", "use std::net::{IpAddr, TcpStream};"),
        ("src/domain/id.rs", "const HOME: Option<String> = std::env::var_os(\"HOME\");"),
        ("src/domain/id.rs", "fn f() { g(std::time::SystemTime::now()) }"),
        ("src/domain/id.rs", "fn f() { jiff::Timestamp::now() }"),
        ("src/domain/id.rs", "fn f() { Uuid::now_v7() }"),
    ] {
        assert!(!complaints(strayed_crates, file, text).is_empty(), "{file}: {text}");
    }
}

#[test]
fn a_crate_at_home_is_not_strayed() {
    for (file, text) in [
        ("src/hsm/worker/module.rs", "use cryptoki::context::Pkcs11;"),
        ("src/store/mod.rs", "use rusqlite::Connection; use std::fs;"),
        ("src/domain/id.rs", "use std::fmt; fn f(clock: &dyn Clock) { clock.now() }"),
        ("src/domain/san.rs", "use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};"),
        ("src/domain/id.rs", "// std::fs\n#[cfg(test)]\nmod tests { use std::fs; }"),
    ] {
        assert_eq!(complaints(strayed_crates, file, text), Vec::<String>::new(), "{file}: {text}");
    }
}

#[test]
fn a_long_file_is_found() {
    assert_eq!(complaints(too_long, "src/a.rs", &"\n".repeat(MAX_LINES)), Vec::<String>::new());
    assert_eq!(complaints(too_long, "src/a.rs", &"\n".repeat(MAX_LINES + 1)).len(), 1);
}

#[test]
fn a_missing_module_doc_is_found() {
    assert_eq!(complaints(missing_module_doc, "src/a.rs", "//! Names.\n"), Vec::<String>::new());
    assert_eq!(complaints(missing_module_doc, "src/a/tests.rs", "use super::*;\n"), Vec::<String>::new());
    assert_eq!(complaints(missing_module_doc, "src/a.rs", "use std::fs;\n//! Names.\n").len(), 1);
}

#[test]
fn unfinished_code_is_found() {
    for name in UNFINISHED {
        let text = format!("fn f() {{\n    g({name}!());\n}}");
        assert_eq!(complaints(unfinished, "src/a.rs", &text), [format!("src/a.rs:2: {name}! is left over")]);
    }
    let harmless = "// todo!()\nfn todo() { assert!(\"dbg!\" != \"\") }";
    assert_eq!(complaints(unfinished, "src/a.rs", harmless), Vec::<String>::new());
}

#[test]
fn unsafe_code_elsewhere_is_found() {
    let text = "//! Not unsafe.\nfn f() {\n    unsafe { g() }\n}";
    let complaint = format!("src/a.rs:3: only {UNSAFE} may be unsafe");
    assert_eq!(complaints(unsafe_code, "src/a.rs", text), [complaint]);
    assert_eq!(complaints(unsafe_code, UNSAFE, text), Vec::<String>::new());
}

#[test]
fn a_stranger_at_the_top_level_is_found() {
    let files = ["Cargo.toml", "src/lib.rs", ".ci/run", "xtask/src/main.rs", "xtask/Cargo.toml"];
    let found = strangers(&files.map(str::to_owned));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("xtask: "), "{found:?}");
}
