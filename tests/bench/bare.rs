//! The token without strongroom: the same templates and mechanisms in a plain loop, with no
//! read-back and no check. What is left of these rates through HTTP is what strongroom costs.
//!
//! Each runs in a process of its own, as the module does in the service: SoftHSM reads its
//! environment once.

use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use clap::{Subcommand, ValueEnum};
use const_oid::db::rfc5912::SECP_256_R_1;
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use der::Encode as _;
use strongroom::hsm::Profile;

use crate::process;
use crate::token::{LABEL, PIN, Token};

/// Work on the token that SOFTHSM2_CONF names.
#[derive(Clone, Copy, Subcommand)]
#[command(hide = true)]
pub enum Work {
    /// Make P-256 keys, one after the other, and sign with each.
    GenerateAndSign { keys: u64 },
    /// Sign in every session that the service would use.
    Sign { kind: Kind, seconds: f64 },
}

/// A kind of key.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    EcP256,
    Rsa2048,
}

/// What came of some work.
pub struct Done {
    /// How often it was done in a second.
    pub rate: f64,
    /// PSS of the process at its end, in KiB.
    pub pss: u64,
}

impl Work {
    /// Does the work in a process of its own.
    pub fn done(self) -> Done {
        let arguments = match self {
            Self::GenerateAndSign { keys } => vec!["generate-and-sign".to_owned(), keys.to_string()],
            Self::Sign { kind, seconds } => {
                let kind = kind.to_possible_value().unwrap().get_name().to_owned();
                vec!["sign".to_owned(), kind, seconds.to_string()]
            }
        };
        let output = Command::new(std::env::current_exe().unwrap())
            .args(arguments)
            .env("SOFTHSM2_CONF", Token::new().configuration())
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let (rate, pss) = text.trim().split_once(' ').unwrap();
        Done { rate: rate.parse().unwrap(), pss: pss.parse().unwrap() }
    }

    /// Does the work in this process and prints what came of it.
    pub fn run(self) {
        let (pkcs11, slot) = open();
        // The login is that of the token: it lasts as long as this session.
        let session = pkcs11.open_rw_session(slot).unwrap();
        session.login(UserType::User, Some(&PIN.into())).unwrap();
        let rate = match self {
            Self::GenerateAndSign { keys } => generate_and_sign(&session, keys),
            Self::Sign { kind, seconds } => {
                sign(&pkcs11, slot, &session, kind, Duration::from_secs_f64(seconds))
            }
        };
        println!("{rate} {}", process::pss(std::process::id()));
    }
}

/// Sessions that sign in parallel.
pub fn sessions() -> usize {
    Profile::shipped("softhsm2").unwrap().sessions
}

fn open() -> (Pkcs11, Slot) {
    let module = Profile::shipped("softhsm2").unwrap().module_paths.into_iter().find(|path| path.exists());
    let pkcs11 = Pkcs11::new(module.expect("the SoftHSM module: apt-get install softhsm2")).unwrap();
    pkcs11.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).unwrap();
    let slots = pkcs11.get_slots_with_initialized_token().unwrap();
    let slot = slots.into_iter().find(|slot| pkcs11.get_token_info(*slot).unwrap().label() == LABEL);
    (pkcs11, slot.unwrap())
}

fn generate_and_sign(session: &Session, keys: u64) -> f64 {
    let started = Instant::now();
    for number in 0..keys {
        let key = generate(session, Kind::EcP256, number);
        session.sign(&Mechanism::Ecdsa, key, &[7; 32]).unwrap();
    }
    per_second(keys, started)
}

fn sign(pkcs11: &Pkcs11, slot: Slot, session: &Session, kind: Kind, time: Duration) -> f64 {
    let key = generate(session, kind, 0);
    let started = Instant::now();
    let signatures = thread::scope(|scope| {
        let threads: Vec<_> = (0..sessions())
            .map(|_| pkcs11.open_ro_session(slot).unwrap())
            .map(|session| scope.spawn(move || sign_until(&session, kind, key, started + time)))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum::<u64>()
    });
    per_second(signatures, started)
}

fn sign_until(session: &Session, kind: Kind, key: ObjectHandle, end: Instant) -> u64 {
    // As the profile has it: the token hashes for RSA, the worker for EC. The part of a CSR that is
    // signed has about 300 bytes.
    let (mechanism, message) = match kind {
        Kind::EcP256 => (Mechanism::Ecdsa, vec![7; 32]),
        Kind::Rsa2048 => (Mechanism::Sha256RsaPkcs, vec![7; 300]),
    };
    let mut signatures = 0;
    while Instant::now() < end {
        session.sign(&mechanism, key, &message).unwrap();
        signatures += 1;
    }
    signatures
}

fn per_second(times: u64, started: Instant) -> f64 {
    times as f64 / started.elapsed().as_secs_f64()
}

/// With the templates of `src/hsm/worker/attributes.rs`.
fn generate(session: &Session, kind: Kind, number: u64) -> ObjectHandle {
    let id = u128::from(number).to_be_bytes().to_vec();
    let label = format!("{number:036}").into_bytes();
    let private = [
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Modifiable(false),
        Attribute::Copyable(false),
        Attribute::Sign(true),
        Attribute::SignRecover(false),
        Attribute::Decrypt(false),
        Attribute::Unwrap(false),
        Attribute::Derive(false),
        Attribute::Id(id.clone()),
        Attribute::Label(label.clone()),
    ];
    let mut public = vec![
        Attribute::Token(true),
        Attribute::Private(false),
        Attribute::Modifiable(false),
        Attribute::Copyable(false),
        Attribute::Verify(true),
        Attribute::VerifyRecover(false),
        Attribute::Encrypt(false),
        Attribute::Wrap(false),
        Attribute::Derive(false),
        Attribute::Id(id),
        Attribute::Label(label),
    ];
    let mechanism = match kind {
        Kind::EcP256 => {
            public.push(Attribute::EcParams(SECP_256_R_1.to_der().unwrap()));
            Mechanism::EccKeyPairGen
        }
        Kind::Rsa2048 => {
            public.push(Attribute::ModulusBits(2048.into()));
            public.push(Attribute::PublicExponent(vec![1, 0, 1]));
            Mechanism::RsaPkcsKeyPairGen
        }
    };
    session.generate_key_pair(&mechanism, &public, &private).unwrap().1
}
