//! `strongroom slot`: opens the module in a worker of its own, or asks the service while that holds
//! the token's lock.

use std::io::IsTerminal;
use std::path::Path;

use hyper::Method;
use secrecy::SecretString;
use tokio::runtime::Runtime;

use super::key::confirm;
use super::proposal::undertake;
use crate::api;
use crate::cli::args::{ChangedPins, Pins, Slot, Target};
use crate::cli::client::{Call, Client, escape};
use crate::cli::pin;
use crate::cli::pin_file::NewPinFile;
use crate::cli::report::{Failure, Report, facts, say, table};
use crate::config::{Config, TokenConfig};
use crate::hsm::{self, InitToken, NewPin, PinHolder, SlotInfo, StartOptions, TokenSpec};
use crate::serve;

pub fn run(target: &Target, slot: Slot, report: &Report) -> Result<(), Failure> {
    if target.server.is_some() {
        return run_elsewhere(target, slot, report);
    }
    let config = super::config(&target.config)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::broken)?;
    match slot {
        Slot::List { token } => {
            let items = slots(target, &config, token.as_deref(), &runtime)?;
            report.print(&api::Slots { items }, |slots| rows(&slots.items))
        }
        Slot::Show { slot, token } => {
            let slots = slots(target, &config, token.as_deref(), &runtime)?;
            report.print(&one_of(slots, &slot)?, text)
        }
        Slot::Init { token, pins } => {
            let (name, token) = configured(&config, token.as_deref())?;
            let init = to_be_made(name, token, &pins)?;
            let made =
                runtime.block_on(hsm::init_token(&spec(&config, name, token)?, &options(&config), init));
            let slot = match made {
                Ok(slot) => wire(&slot),
                Err(error) if error.kind() == hsm::Kind::LockHeld => return Err(held(target, name)),
                Err(error) => return Err(failure(&error)),
            };
            report.print(&slot, |slot| rows(std::slice::from_ref(slot)))
        }
        Slot::Wipe { token, force, yes } => {
            let (name, _) = configured(&config, token.as_deref())?;
            wipe(target, name, force, yes, report)
        }
        Slot::SetPin { token, pins } => {
            let (name, token) = configured(&config, token.as_deref())?;
            let (new, so_pin) = both(token, &pins)?;
            let pin = NewPin { by: PinHolder::SecurityOfficer(so_pin), new };
            let spec = spec(&config, name, token)?;
            let slot =
                changed(target, name, runtime.block_on(hsm::change_pin(&spec, &options(&config), pin)))?;
            let file = token.pin_file.display();
            say(format_args!("the user PIN is set; the service reads it from {file}: see that it is there"));
            report.print(&slot, |slot| rows(std::slice::from_ref(slot)))
        }
        Slot::ChangePin { token, pins, write_pin_file } => {
            let (name, token) = configured(&config, token.as_deref())?;
            let new = pin::read(pins.new_pin_file.as_deref(), pins.new_pin_fd, "new user PIN")?;
            let mut spec = spec(&config, name, token)?;
            let by = PinHolder::User(present(&mut spec, &pins)?);
            let file = write_pin_file.then(|| NewPinFile::write(&token.pin_file, &new)).transpose()?;
            let pin = NewPin { by, new: SecretString::from(new.as_str()) };
            let result = runtime.block_on(hsm::change_pin(&spec, &options(&config), pin));
            settle(&result, file, &token.pin_file)?;
            let slot = changed(target, name, result)?;
            report.print(&slot, |slot| rows(std::slice::from_ref(slot)))
        }
    }
}

/// By a service on another machine, whose configuration and module are not here.
fn run_elsewhere(target: &Target, slot: Slot, report: &Report) -> Result<(), Failure> {
    match slot {
        Slot::List { token } => {
            let items = ask_service(target, &token_of_service(target, token)?)?;
            report.print(&api::Slots { items }, |slots| rows(&slots.items))
        }
        Slot::Show { slot, token } => {
            let slots = ask_service(target, &token_of_service(target, token)?)?;
            report.print(&one_of(slots, &slot)?, text)
        }
        Slot::Wipe { token, force, yes } => {
            wipe(target, &token_of_service(target, token)?, force, yes, report)
        }
        Slot::Init { .. } | Slot::SetPin { .. } | Slot::ChangePin { .. } => {
            let local = "this works on the token itself; run it on the service's machine, without --server";
            Err(Failure::Broken(local.to_owned()))
        }
    }
}

/// By a worker of our own, or by the service while that holds the token's lock.
fn slots(
    target: &Target,
    config: &Config,
    token: Option<&str>,
    runtime: &Runtime,
) -> Result<Vec<api::Slot>, Failure> {
    let (name, token) = configured(config, token)?;
    match runtime.block_on(hsm::slots(&spec(config, name, token)?, &options(config))) {
        Ok(slots) => Ok(slots.iter().map(wire).collect()),
        Err(error) if error.kind() == hsm::Kind::LockHeld => ask_service(target, name),
        Err(error) => Err(failure(&error)),
    }
}

/// The slot with that number, label or serial number.
fn one_of(slots: Vec<api::Slot>, wanted: &str) -> Result<api::Slot, Failure> {
    let is_it = |slot: &api::Slot| {
        slot.number.to_string() == wanted
            || slot.label.as_deref() == Some(wanted)
            || slot.serial.as_deref() == Some(wanted)
    };
    let mut found: Vec<_> = slots.into_iter().filter(is_it).collect();
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(Failure::Refused(format!("no slot is or has `{wanted}`; see `strongroom slot list`"))),
        n => Err(Failure::Refused(format!("`{wanted}` could be {n} slots; say which by its number"))),
    }
}

/// Only the service knows which keys are ours and which of them are needed.
fn wipe(target: &Target, token: &str, force: bool, yes: bool, report: &Report) -> Result<(), Failure> {
    if !yes {
        if !std::io::stdin().is_terminal() {
            let hint = "hint: nobody can be asked here; say --yes to destroy its keys";
            return Err(Failure::Refused(format!("token {token} is not wiped\n{hint}")));
        }
        confirm(&format!("Destroy every key of ours on token {token}? They cannot be brought back. [y/N] "))?;
    }
    let body = serde_json::to_vec(&api::Wipe { force }).map_err(Failure::broken)?;
    let path = format!("/tokens/{}/wipe", escape(token));
    let call = Call { body: Some(("application/json", body)), ..Call::new(Method::POST, path) };
    undertake(&Client::new(target)?, call, report, |wiped: &api::Wiped| {
        format!("destroyed {} key(s) on token {token}\n", wiped.keys)
    })
}

pub(super) fn configured<'a>(
    config: &'a Config,
    name: Option<&str>,
) -> Result<(&'a str, &'a TokenConfig), Failure> {
    let known = || config.tokens.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    let Some(name) = name.or(config.default_token.as_deref()) else {
        return Err(Failure::Refused(format!("say which with --token; there are {}", known())));
    };
    let found = config.tokens.get_key_value(name);
    found
        .map(|(name, token)| (name.as_str(), token))
        .ok_or_else(|| Failure::Refused(format!("there is no token `{name}`; there are {}", known())))
}

/// The token that is meant of those of a service on another machine, whose configuration is not here.
pub(super) fn token_of_service(target: &Target, named: Option<String>) -> Result<String, Failure> {
    if let Some(named) = named {
        return Ok(named);
    }
    let (_, tokens): (_, api::Tokens) = Client::new(target)?.json(Call::new(Method::GET, "/tokens"))?;
    let known: Vec<_> = tokens.items.into_iter().map(|token| token.name).collect();
    match &known[..] {
        [only] => Ok(only.clone()),
        _ => Err(Failure::Refused(format!("say which with --token; there are {}", known.join(", ")))),
    }
}

fn to_be_made(name: &str, token: &TokenConfig, pins: &Pins) -> Result<InitToken, Failure> {
    let Some(label) = token.label.clone() else {
        return Err(Failure::Refused(format!("[tokens.{name}] has no `label` for the new token; add one")));
    };
    let (pin, so_pin) = both(token, pins)?;
    Ok(InitToken { label, pin, so_pin })
}

/// The user PIN, from the configured file unless said otherwise, and that of the security officer.
fn both(token: &TokenConfig, pins: &Pins) -> Result<(SecretString, SecretString), Failure> {
    let configured = Some(token.pin_file.as_path()).filter(|path| pins.pin_fd.is_none() && path.exists());
    let pin = pin::read(pins.pin_file.as_deref().or(configured), pins.pin_fd, "user PIN")?;
    let so_pin = pin::read(pins.so_pin_file.as_deref(), pins.so_pin_fd, "security officer PIN")?;
    Ok((SecretString::from(pin.as_str()), SecretString::from(so_pin.as_str())))
}

/// The present PIN, unless it is in a file: the worker reads that one, and its breaker knows it.
fn present(spec: &mut TokenSpec, pins: &ChangedPins) -> Result<Option<SecretString>, Failure> {
    if let Some(path) = &pins.pin_file {
        spec.pin_file = std::path::absolute(path).map_err(Failure::broken)?;
    } else if pins.pin_fd.is_some() || !spec.pin_file.exists() {
        let pin = pin::read(None, pins.pin_fd, "present user PIN")?;
        return Ok(Some(SecretString::from(pin.as_str())));
    }
    Ok(None)
}

fn changed(target: &Target, name: &str, result: Result<SlotInfo, hsm::Error>) -> Result<api::Slot, Failure> {
    match result {
        Ok(slot) => Ok(wire(&slot)),
        Err(error) if error.kind() == hsm::Kind::LockHeld => match ask_service(target, name) {
            Ok(_) => Err(Failure::Refused(format!(
                "the service works with token `{name}`; stop it, run this again, and start it"
            ))),
            Err(_) => Err(failure(&error)),
        },
        Err(error) => Err(failure(&error)),
    }
}

/// Puts the new PIN file in place, or says what to do about it.
fn settle(
    result: &Result<SlotInfo, hsm::Error>,
    file: Option<NewPinFile>,
    pin_file: &Path,
) -> Result<(), Failure> {
    let uncertain =
        |error: &hsm::Error| matches!(error.kind(), hsm::Kind::Unavailable | hsm::Kind::OutcomeUnknown);
    let pin_file = pin_file.display();
    match (result, file) {
        (Ok(_), Some(file)) => {
            file.put_in_place()?;
            say(format_args!("the user PIN is changed, and is in {pin_file}"));
        }
        (Ok(_), None) => {
            say(format_args!("the user PIN is changed; write it to {pin_file} before the service starts"));
        }
        // The worker may have died in the act.
        (Err(error), Some(file)) if uncertain(error) => say(format_args!(
            "the token may have the new PIN all the same; it is kept in {}",
            file.path().display()
        )),
        (Err(_), Some(file)) => file.remove(),
        (Err(_), None) => {}
    }
    Ok(())
}

/// The service holds the token's lock: because it works with the token, or for the moment in which it
/// looks for one that is not there.
fn held(target: &Target, name: &str) -> Failure {
    match ask_service(target, name) {
        Ok(_) => Failure::Refused(format!(
            "the service works with token `{name}`, so it exists already; see `strongroom slot list`"
        )),
        Err(_) => {
            Failure::Unavailable(format!("the service is looking for token `{name}` just now; try again"))
        }
    }
}

pub(super) fn spec(config: &Config, name: &str, token: &TokenConfig) -> Result<TokenSpec, Failure> {
    serve::make_private_dir(&config.data_dir).map_err(Failure::broken)?;
    serve::make_private_dir(&config.tokens_dir()).map_err(Failure::broken)?;
    Ok(serve::token_spec(name, token))
}

pub(super) fn options(config: &Config) -> StartOptions {
    StartOptions::new(config.tokens_dir())
}

fn ask_service(target: &Target, token: &str) -> Result<Vec<api::Slot>, Failure> {
    let call = Call::new(Method::GET, format!("/tokens/{}/slots", escape(token)));
    let (_, slots): (_, api::Slots) = Client::new(target)?.json(call)?;
    Ok(slots.items)
}

pub(super) fn failure(error: &hsm::Error) -> Failure {
    match error.kind() {
        hsm::Kind::Unavailable
        | hsm::Kind::Busy
        | hsm::Kind::LockHeld
        | hsm::Kind::Interrupted
        | hsm::Kind::OutcomeUnknown => Failure::Unavailable(error.to_string()),
        hsm::Kind::Capacity | hsm::Kind::Ambiguous | hsm::Kind::TokenNotFound | hsm::Kind::KeyMissing => {
            Failure::Refused(error.to_string())
        }
        hsm::Kind::Refused
        | hsm::Kind::PinRefused
        | hsm::Kind::Unsupported
        | hsm::Kind::Misconfigured
        | hsm::Kind::Bug => Failure::Broken(error.to_string()),
    }
}

fn wire(info: &SlotInfo) -> api::Slot {
    api::Slot {
        number: info.slot_id,
        description: info.description.clone(),
        label: info.label().map(str::to_owned),
        serial: info.serial().map(str::to_owned),
        initialized: info.is_initialized(),
    }
}

fn text(slot: &api::Slot) -> String {
    facts([
        ("slot", Some(slot.number.to_string())),
        ("description", Some(slot.description.clone())),
        ("initialized", Some(if slot.initialized { "yes" } else { "no" }.to_owned())),
        ("label", slot.label.clone()),
        ("serial", slot.serial.clone()),
    ])
}

fn rows(slots: &[api::Slot]) -> String {
    table(
        ["SLOT", "LABEL", "SERIAL", "INITIALIZED", "DESCRIPTION"],
        slots.iter().map(|slot| {
            [
                slot.number.to_string(),
                slot.label.clone().unwrap_or_default(),
                slot.serial.clone().unwrap_or_default(),
                if slot.initialized { "yes" } else { "no" }.to_owned(),
                slot.description.clone(),
            ]
        }),
    )
}
