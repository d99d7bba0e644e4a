//! The PKCS#11 module: loading, slots, choosing the token, initialising one.

use std::path::PathBuf;

use aws_lc_rs::digest::{SHA256, digest};
use cryptoki::context::Pkcs11;
use cryptoki::session::UserType;
use cryptoki::slot::Slot;
use cryptoki::types::Version;
use secrecy::SecretString;

use super::fault::{Fault, Remedy};
use super::init_args::init_args;
use crate::domain::key::EvidenceLevel;
use crate::hsm::Selector;
use crate::hsm::error::{Error, Kind};
use crate::hsm::model::{SlotInfo, SlotToken, TokenInfo};

/// Length of CK_TOKEN_INFO label in bytes.
const LABEL_BYTES: usize = 32;

/// Manufacturers and models of software tokens, by prefix as the modules report them: their keys lie
/// in files, whatever anybody declares.
const SOFTWARE: &[(&str, &str)] = &[
    ("SoftHSM project", ""),
    ("Kryoptic", ""),
    ("Mozilla Foundation", ""),
    // openCryptoki's soft token, beside its hardware tokens: before release 3.12 (measured with 3.8.1),
    // and since.
    ("IBM", "IBM SoftTok"),
    ("IBM", "Soft"),
];

/// A module that is loaded and initialised, for the life of the process. It is never initialised
/// twice: session numbers are reused then, and dropping a stale session closes somebody's new one.
pub(super) struct Module {
    pub(super) pkcs11: Pkcs11,
    path: PathBuf,
    sha256: String,
    init_args_sha256: Option<String>,
}

impl Module {
    /// Loads the first of `paths` that exists and initialises it, with `reserved` as pReserved.
    ///
    /// # Errors
    /// None exists, or the module does not load or initialise.
    pub(super) fn load(paths: &[PathBuf], reserved: Option<&str>) -> Result<Self, Error> {
        let Some(path) = paths.iter().find(|path| path.exists()) else {
            let tried: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
            let message = format!("there is no PKCS#11 module at {}; install it", tried.join(" or "));
            return Err(Error::new(Kind::Misconfigured, message));
        };
        let failed = |what: &str, fault: Fault| {
            let message =
                format!("the PKCS#11 module {} cannot be {what}; check its configuration", path.display());
            let text = fault.text.clone();
            Error::new(fault.into_error().kind(), message).because(text)
        };
        // Before it is loaded: a file that is replaced meanwhile is probed once too often, never too seldom.
        let file = std::fs::read(path).map_err(|cause| {
            let message = format!("the PKCS#11 module {} cannot be read", path.display());
            Error::new(Kind::Misconfigured, message).because(cause)
        })?;
        let sha256 = sha256_hex(&file);
        let pkcs11 = Pkcs11::new(path).map_err(|error| failed("loaded", error.into()))?;
        match pkcs11.initialize(init_args(reserved)?).map_err(Fault::from) {
            Ok(()) => {}
            Err(fault) if fault.remedy == Remedy::Nothing => {}
            Err(fault) => return Err(failed("initialised", fault)),
        }
        let init_args_sha256 = reserved.map(|text| sha256_hex(text.as_bytes()));
        Ok(Self { pkcs11, path: path.clone(), sha256, init_args_sha256 })
    }

    /// Every slot, with the token in it if that answers.
    pub(super) fn slots(&self) -> Result<Vec<SlotInfo>, Fault> {
        let slots = self.pkcs11.get_all_slots()?;
        slots.into_iter().map(|slot| self.slot_info(slot)).collect()
    }

    /// The one token that the selector means.
    ///
    /// # Errors
    /// [`Kind::TokenNotFound`], listing the labels there are; [`Kind::Ambiguous`], listing the serial
    /// numbers of those that match.
    pub(super) fn select(&self, selector: &Selector) -> Result<Slot, Error> {
        if selector.label.is_none() && selector.serial.is_none() {
            let message = "the token is selected neither by label nor by serial number; give one of them";
            return Err(Error::new(Kind::Misconfigured, message));
        }
        let initialized: Vec<_> = self
            .slots()
            .map_err(Fault::into_error)?
            .into_iter()
            .filter_map(|slot| Some((slot.slot_id, slot.token.filter(|token| token.initialized)?)))
            .collect();
        let matching: Vec<_> = initialized.iter().filter(|(_, token)| selector.matches(token)).collect();
        match matching.as_slice() {
            [(slot_id, _)] => Slot::try_from(*slot_id).map_err(|error| Fault::from(error).into_error()),
            [] => Err(not_found(selector, initialized.iter().map(|(_, token)| token))),
            several => Err(ambiguous(selector, several.iter().map(|(_, token)| token))),
        }
    }

    /// What is known of the selected token, the module and this process.
    pub(super) fn describe(&self, slot: Slot, declared_hardware: bool) -> Result<TokenInfo, Fault> {
        let token = self.pkcs11.get_token_info(slot)?;
        let library = self.pkcs11.get_library_info()?;
        Ok(TokenInfo {
            label: text(token.label()),
            serial: text(token.serial_number()),
            manufacturer: text(token.manufacturer_id()),
            model: text(token.model()),
            firmware: version(token.firmware_version()),
            slot_id: slot.id(),
            library: text(library.library_description()),
            library_version: version(library.library_version()),
            module: self.path.clone(),
            module_sha256: self.sha256.clone(),
            init_args_sha256: self.init_args_sha256.clone(),
            algorithms: Vec::new(),
            evidence: evidence(declared_hardware, token.manufacturer_id(), token.model()),
            sessions: 0,
            worker_pid: std::process::id(),
        })
    }

    /// Initialises a token in the first slot that has an uninitialised one, and sets its user PIN.
    ///
    /// # Errors
    /// [`Kind::Ambiguous`] when a token with the label exists, [`Kind::Capacity`] when no slot is
    /// free; nothing is changed then.
    pub(super) fn init_token(
        &self,
        label: &str,
        pin: &SecretString,
        so_pin: &SecretString,
    ) -> Result<SlotInfo, Error> {
        if label.is_empty() || label.len() > LABEL_BYTES {
            let message = format!("the label must have 1 to {LABEL_BYTES} bytes");
            return Err(Error::new(Kind::Misconfigured, message));
        }
        let slots = self.slots().map_err(Fault::into_error)?;
        if slots.iter().any(|slot| slot.token.as_ref().is_some_and(|token| token.label == label)) {
            let message = format!("there is a token with the label `{label}` already; choose another label");
            return Err(Error::new(Kind::Ambiguous, message));
        }
        let empty = slots.iter().find(|slot| slot.token.as_ref().is_some_and(|token| !token.initialized));
        let Some(empty) = empty else {
            let message = "every slot has an initialised token; add a slot with the tools of the vendor";
            return Err(Error::new(Kind::Capacity, message));
        };
        let slot = Slot::try_from(empty.slot_id).map_err(|error| Fault::from(error).into_error())?;
        self.init_slot(slot, label, pin, so_pin).map_err(Fault::into_error)
    }

    fn init_slot(
        &self,
        slot: Slot,
        label: &str,
        pin: &SecretString,
        so_pin: &SecretString,
    ) -> Result<SlotInfo, Fault> {
        self.pkcs11.init_token(slot, so_pin, label)?;
        let session = self.pkcs11.open_rw_session(slot)?;
        session.login(UserType::So, Some(so_pin))?;
        session.init_pin(pin)?;
        session.close()?;
        self.slot_info(slot)
    }

    pub(super) fn slot_info(&self, slot: Slot) -> Result<SlotInfo, Fault> {
        let info = self.pkcs11.get_slot_info(slot)?;
        // An empty slot is normal (Luna lists them), as is a token that this module cannot read.
        let token = self.pkcs11.get_token_info(slot).ok().map(|token| SlotToken {
            label: text(token.label()),
            serial: text(token.serial_number()),
            manufacturer: text(token.manufacturer_id()),
            model: text(token.model()),
            initialized: token.token_initialized(),
            user_pin_initialized: token.user_pin_initialized(),
        });
        Ok(SlotInfo { slot_id: slot.id(), description: text(info.slot_description()), token })
    }
}

impl Selector {
    fn matches(&self, token: &SlotToken) -> bool {
        self.label.as_ref().is_none_or(|label| *label == token.label)
            && self.serial.as_ref().is_none_or(|serial| *serial == token.serial)
    }

    fn describe(&self) -> String {
        let label = self.label.as_ref().map(|label| format!("the label `{label}`"));
        let serial = self.serial.as_ref().map(|serial| format!("the serial number `{serial}`"));
        label.into_iter().chain(serial).collect::<Vec<_>>().join(" and ")
    }
}

fn not_found<'a>(selector: &Selector, tokens: impl Iterator<Item = &'a SlotToken>) -> Error {
    let labels: Vec<_> = tokens.map(|token| format!("`{}` ({})", token.label, token.serial)).collect();
    let wanted = selector.describe();
    let message = if labels.is_empty() {
        // A network HSM that is down looks like this: C_Initialize answers OK, with zero slots.
        format!("the module has no token at all, so none with {wanted}; is the HSM reachable?")
    } else {
        format!("no token has {wanted}; there are: {}", labels.join(", "))
    };
    Error::new(Kind::TokenNotFound, message)
}

fn ambiguous<'a>(selector: &Selector, tokens: impl Iterator<Item = &'a SlotToken>) -> Error {
    let serials: Vec<_> = tokens.map(|token| token.serial.as_str()).collect();
    let message = format!(
        "{} tokens have {}; select one by its serial number: {}",
        serials.len(),
        selector.describe(),
        serials.join(", ")
    );
    Error::new(Kind::Ambiguous, message)
}

fn evidence(declared_hardware: bool, manufacturer: &str, model: &str) -> EvidenceLevel {
    let software = SOFTWARE.iter().any(|(by, of)| manufacturer.starts_with(by) && model.starts_with(of));
    if declared_hardware && !software { EvidenceLevel::E1 } else { EvidenceLevel::E0 }
}

fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(digest(&SHA256, bytes))
}

/// cryptoki cuts the padding with blanks that the standard asks for; some modules pad with zeros.
fn text(padded: &str) -> String {
    padded.trim_end_matches(['\0', ' ']).to_owned()
}

fn version(version: Version) -> String {
    format!("{}.{}", version.major(), version.minor())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_software_token_is_e0_even_if_declared() {
        assert_eq!(evidence(true, "SoftHSM project", "SoftHSM v2"), EvidenceLevel::E0);
        assert_eq!(evidence(true, "IBM", "Soft"), EvidenceLevel::E0);
        assert_eq!(evidence(true, "IBM Corp.", "IBM SoftTok"), EvidenceLevel::E0);
        assert_eq!(evidence(true, "IBM", "CCA"), EvidenceLevel::E1);
        assert_eq!(evidence(true, "SafeNet", "Luna"), EvidenceLevel::E1);
        assert_eq!(evidence(false, "SafeNet", "Luna"), EvidenceLevel::E0);
    }

    #[test]
    fn without_a_module_the_paths_tried_are_told() {
        let error = Module::load(&["/nowhere/a.so".into(), "/nowhere/b.so".into()], None).err().unwrap();
        assert_eq!(error.kind(), Kind::Misconfigured);
        assert!(error.to_string().contains("/nowhere/a.so or /nowhere/b.so"), "{error}");
    }
}
