//! `strongroom slot`: opens the module in a worker of its own, or asks the service while that holds
//! the token's lock.

use std::path::Path;

use hyper::Method;
use secrecy::SecretString;

use crate::api;
use crate::cli::args::{Pins, Slot};
use crate::cli::client::{Call, Client, escape};
use crate::cli::pin;
use crate::cli::report::{Failure, Report, table};
use crate::config::{Config, TokenConfig};
use crate::hsm::{self, InitToken, SlotInfo, StartOptions, TokenSpec};
use crate::serve;

pub fn run(config: &Path, slot: Slot, report: &Report) -> Result<(), Failure> {
    let config = super::config(config)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::broken)?;
    match slot {
        Slot::List { token } => {
            let (name, token) = configured(&config, token.as_deref())?;
            let slots = match runtime.block_on(hsm::slots(&spec(&config, name, token)?, &options(&config))) {
                Ok(slots) => slots.iter().map(wire).collect(),
                Err(error) if error.kind() == hsm::Kind::LockHeld => ask_service(&config, name)?,
                Err(error) => return Err(failure(&error)),
            };
            report.print(&api::Slots { items: slots }, |slots| rows(&slots.items))
        }
        Slot::Init { token, pins } => {
            let (name, token) = configured(&config, token.as_deref())?;
            let init = to_be_made(name, token, &pins)?;
            let made =
                runtime.block_on(hsm::init_token(&spec(&config, name, token)?, &options(&config), init));
            let slot = match made {
                Ok(slot) => wire(&slot),
                Err(error) if error.kind() == hsm::Kind::LockHeld => return Err(held(&config, name)),
                Err(error) => return Err(failure(&error)),
            };
            report.print(&slot, |slot| rows(std::slice::from_ref(slot)))
        }
    }
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

fn to_be_made(name: &str, token: &TokenConfig, pins: &Pins) -> Result<InitToken, Failure> {
    let Some(label) = token.label.clone() else {
        return Err(Failure::Refused(format!("[tokens.{name}] has no `label` for the new token; add one")));
    };
    let configured = Some(token.pin_file.as_path()).filter(|path| pins.pin_fd.is_none() && path.exists());
    let pin = pin::read(pins.pin_file.as_deref().or(configured), pins.pin_fd, "user PIN")?;
    let so_pin = pin::read(pins.so_pin_file.as_deref(), pins.so_pin_fd, "security officer PIN")?;
    Ok(InitToken {
        label,
        pin: SecretString::from(pin.as_str()),
        so_pin: SecretString::from(so_pin.as_str()),
    })
}

/// The service holds the token's lock: because it works with the token, or for the moment in which it
/// looks for one that is not there.
fn held(config: &Config, name: &str) -> Failure {
    match ask_service(config, name) {
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

fn ask_service(config: &Config, token: &str) -> Result<Vec<api::Slot>, Failure> {
    let call = Call::new(Method::GET, format!("/tokens/{}/slots", escape(token)));
    let (_, slots): (_, api::Slots) = Client::new(config)?.json(call)?;
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
