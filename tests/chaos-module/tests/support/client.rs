//! The client's side: runs steps with cryptoki and writes a line about each to the transcript.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, Result};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;

/// Environment variable: the steps, separated by blanks.
pub const STEPS: &str = "CLIENT_STEPS";
/// Environment variable: the directory of the test.
pub const DIRECTORY: &str = "CLIENT_DIRECTORY";
/// The file in it that the step `arm` makes the rule file.
pub const RULES_TO_ARM: &str = "rules.next";

const LABEL: &str = "chaos";
const PIN: &str = "1234";
/// DER of the object identifier of P-256.
const P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const DIGEST: [u8; 32] = [7; 32];

/// Runs the steps that the environment names; without it (somebody runs all ignored tests) there are none.
pub fn main() {
    let Some(directory) = std::env::var_os(DIRECTORY).map(PathBuf::from) else { return };
    let mut transcript = File::options().append(true).open(directory.join("transcript")).unwrap();
    let mut say = |step: &str, outcome: Result<String>| {
        let outcome = outcome.unwrap_or_else(|error| match error {
            Error::Pkcs11(code, function) => format!("{function:?} {code:?}"),
            other => other.to_string(),
        });
        writeln!(transcript, "{step}: {outcome}").unwrap();
    };
    match Pkcs11::new(module()) {
        Ok(pkcs11) => {
            let mut client = Client { directory, pkcs11, session: None };
            for step in std::env::var(STEPS).unwrap().split_whitespace() {
                say(step, client.step(step));
            }
        }
        Err(error) => say("load", Err(error)),
    }
}

/// Cargo puts the library beside the tests that could link to it.
fn module() -> PathBuf {
    std::env::current_exe().unwrap().with_file_name("libchaos_module.so")
}

struct Client {
    directory: PathBuf,
    pkcs11: Pkcs11,
    session: Option<Session>,
}

impl Client {
    fn step(&mut self, step: &str) -> Result<String> {
        match step {
            "initialize" => {
                self.pkcs11.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).map(ok)
            }
            "finalize" => {
                self.session = None;
                self.pkcs11.clone().finalize().map(ok)
            }
            "make-token" => self.make_token().map(ok),
            "login" => self.login().map(ok),
            "slots" => Ok(self.pkcs11.get_all_slots()?.len().to_string()),
            "rsa-generation" => {
                let mechanisms = self.pkcs11.get_mechanism_list(self.slot()?)?;
                Ok(mechanisms.contains(&MechanismType::RSA_PKCS_KEY_PAIR_GEN).to_string())
            }
            "generate" => self.generate().map(ok),
            "objects" => Ok(self.session().find_objects(&[Attribute::Token(true)])?.len().to_string()),
            "sign" => self.sign().map(str::to_owned),
            "timed-sign" => {
                let start = Instant::now();
                let verdict = self.sign()?;
                let late = start.elapsed() >= Duration::from_millis(300);
                Ok(format!("{verdict}, {}", if late { "late" } else { "at once" }))
            }
            "attributes" => self.attributes(),
            "set-label" => {
                let key = self.key(ObjectClass::PRIVATE_KEY)?;
                self.session().update_attributes(key, &[Attribute::Label(b"new".to_vec())]).map(ok)
            }
            "destroy" => self.session().destroy_object(self.key(ObjectClass::PRIVATE_KEY)?).map(ok),
            "arm" => {
                fs::rename(self.directory.join(RULES_TO_ARM), self.directory.join("rules")).unwrap();
                Ok("ok".to_owned())
            }
            unknown => panic!("no step `{unknown}`"),
        }
    }

    fn make_token(&self) -> Result<()> {
        let pin = AuthPin::from(PIN);
        self.pkcs11.init_token(self.pkcs11.get_all_slots()?[0], &pin, LABEL)?;
        let session = self.pkcs11.open_rw_session(self.slot()?)?;
        session.login(UserType::So, Some(&pin))?;
        session.init_pin(&pin)
    }

    fn login(&mut self) -> Result<()> {
        let session = self.pkcs11.open_rw_session(self.slot()?)?;
        session.login(UserType::User, Some(&AuthPin::from(PIN)))?;
        self.session = Some(session);
        Ok(())
    }

    fn slot(&self) -> Result<Slot> {
        for slot in self.pkcs11.get_all_slots()? {
            if self.pkcs11.get_token_info(slot)?.label() == LABEL {
                return Ok(slot);
            }
        }
        Err(Error::InvalidValue)
    }

    fn generate(&self) -> Result<()> {
        let public = [Attribute::Token(true), Attribute::Verify(true), Attribute::EcParams(P256.to_vec())];
        let private = [
            Attribute::Token(true),
            Attribute::Sign(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
        ];
        self.session().generate_key_pair(&Mechanism::EccKeyPairGen, &public, &private).map(|_| ())
    }

    /// Has the token verify what it signed: C_Verify is not covered by rules.
    fn sign(&self) -> Result<&'static str> {
        let private = self.key(ObjectClass::PRIVATE_KEY)?;
        let signature = self.session().sign(&Mechanism::Ecdsa, private, &DIGEST)?;
        let public = self.key(ObjectClass::PUBLIC_KEY)?;
        let verdict = self.session().verify(&Mechanism::Ecdsa, public, &DIGEST, &signature);
        Ok(if verdict.is_ok() { "good" } else { "bad" })
    }

    fn attributes(&self) -> Result<String> {
        let wanted = [AttributeType::Extractable, AttributeType::Local, AttributeType::Sensitive];
        let found = self.session().get_attributes(self.key(ObjectClass::PRIVATE_KEY)?, &wanted)?;
        Ok(found.iter().map(|attribute| format!("{attribute:?}")).collect::<Vec<_>>().join(" "))
    }

    fn key(&self, class: ObjectClass) -> Result<ObjectHandle> {
        let keys = self.session().find_objects(&[Attribute::Class(class)])?;
        keys.first().copied().ok_or(Error::InvalidValue)
    }

    fn session(&self) -> &Session {
        self.session.as_ref().expect("the step `login` comes first")
    }
}

fn ok((): ()) -> String {
    "ok".to_owned()
}
