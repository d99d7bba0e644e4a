//! The PKCS#11 ring: tokens, and the worker processes that talk to them.
//!
//! ```text
//!   Token (cheap clone, async) --> supervisor (one task per token)
//!                                        |  socket pair, protocol.rs
//!                                  worker process: vendor module, PIN, sessions
//! ```
//!
//! Only the worker loads vendor code and sees the PIN. A call that hangs or crashes in the module
//! costs one worker; the supervisor starts the next and makes again what had no effect.

mod error;
mod model;
mod probe;
pub mod profile;
mod protocol;
mod supervisor;
pub mod worker;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, mpsc, watch};

pub use self::error::{Error, Kind};
pub use self::model::{
    CertificateChange, CertificateObject, Destroyed, GeneratedKey, ObjectClass, SlotInfo, SlotToken,
    TokenInfo, TokenObject, TokenStatus, key_uri,
};
pub use self::probe::{Attack, KindProbe, Outcome, PROBE_ID, SignatureProbe, cheapest_first_by_type};
pub use self::profile::Profile;
use self::protocol::{Answer, Call, ChangePin, Pin, PinChangedBy, PresentPin, Purpose};
pub use self::supervisor::WORKER;
use self::supervisor::{Control, Request, Supervisor};
use crate::domain::algorithm::{KeyKind, Scheme};
use crate::domain::id::KeyId;

/// Signatures and reads of one token that may wait at once. At 10,000 signatures a second the last
/// waits a tenth of a second.
const MOST_READS: usize = 1024;

/// Generations and destructions of one token that may wait at once. At a second per RSA key the
/// last waits some minutes: longer than any client.
const MOST_MUTATIONS: usize = 256;

/// All configured tokens. A clone is the same tokens.
#[derive(Clone)]
pub struct Hsm {
    tokens: Arc<[Token]>,
}

/// One configured token. A clone is the same token.
///
/// While the token is down, every call fails at once with what keeps it down
/// ([`TokenStatus::Down`]) and a hint when to try again; while it is starting, calls wait a few
/// seconds. Calls that had no effect when a worker died are made again, once, on the next.
#[derive(Clone)]
pub struct Token {
    name: Arc<str>,
    kinds: Arc<[KeyKind]>,
    calls: mpsc::UnboundedSender<Request>,
    control: mpsc::UnboundedSender<Control>,
    status: watch::Receiver<TokenStatus>,
    reads: Arc<Semaphore>,
    mutations: Arc<Semaphore>,
}

/// A token as configured.
#[derive(Clone, Debug)]
pub struct TokenSpec {
    /// Names the token in the configuration, its lock and its breaker file: letters, digits, `-`, `_`.
    pub name: String,
    /// What its module needs.
    pub profile: Profile,
    /// The module, if not where the profile says.
    pub module: Option<PathBuf>,
    /// String for C_Initialize, if not the profile's.
    pub init_args: Option<String>,
    /// Which token of the module.
    pub selector: Selector,
    /// File with the user PIN, readable by its owner only; only the worker reads it.
    pub pin_file: PathBuf,
    /// Set in the worker's environment, which is empty otherwise but for a few names.
    pub env: BTreeMap<String, String>,
    /// The operator declares that the token is hardware.
    pub declared_hardware: bool,
    /// Sessions that sign and read in parallel, if not as many as the profile says.
    pub sessions: Option<usize>,
}

/// Which token of a module: by label, serial number or both, never by slot number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selector {
    /// CK_TOKEN_INFO label.
    pub label: Option<String>,
    /// CK_TOKEN_INFO serialNumber.
    pub serial: Option<String>,
}

/// How workers are started.
#[derive(Clone, Debug)]
pub struct StartOptions {
    /// The executable; must call [`worker::run`] when its first argument is `worker`.
    pub worker_exe: PathBuf,
    /// Directory of the tokens' lock and breaker files. It must exist.
    pub lock_dir: PathBuf,
}

impl StartOptions {
    /// Workers are this very executable, even if its file has been replaced since.
    pub fn new(lock_dir: PathBuf) -> Self {
        Self { worker_exe: PathBuf::from("/proc/self/exe"), lock_dir }
    }
}

impl Hsm {
    /// Starts a supervisor for each token and returns at once; the tokens come up on their own.
    /// Must be called in a tokio runtime.
    pub fn start(tokens: Vec<TokenSpec>, options: StartOptions) -> Self {
        let options = Arc::new(options);
        Self { tokens: tokens.into_iter().map(|spec| Token::start(spec, options.clone())).collect() }
    }

    /// The token with that configured name.
    pub fn token(&self, name: &str) -> Option<Token> {
        self.tokens().find(|token| token.name() == name).cloned()
    }

    /// Every token, in the order of the configuration.
    pub fn tokens(&self) -> impl Iterator<Item = &Token> {
        self.tokens.iter()
    }

    /// Ends all workers in good order, and waits for that: a few seconds at the most.
    pub async fn shutdown(&self) {
        for token in self.tokens() {
            // It fails only when the supervisor has ended already.
            let _ = token.control.send(Control::Shutdown);
        }
        for token in self.tokens() {
            // So does this.
            let _ = token.status.clone().wait_for(|status| matches!(status, TokenStatus::Stopped)).await;
        }
    }
}

impl Token {
    fn start(spec: TokenSpec, options: Arc<StartOptions>) -> Self {
        let (calls, incoming) = mpsc::unbounded_channel();
        let (control, controlled) = mpsc::unbounded_channel();
        let (status, watched) = watch::channel(TokenStatus::Starting);
        let name = Arc::from(spec.name.as_str());
        let kinds = Arc::from(spec.profile.keys.as_slice());
        tokio::spawn(Supervisor::new(spec, options, incoming, controlled, status).run());
        Self {
            name,
            kinds,
            calls,
            control,
            status: watched,
            reads: Arc::new(Semaphore::new(MOST_READS)),
            mutations: Arc::new(Semaphore::new(MOST_MUTATIONS)),
        }
    }

    /// The configured name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many calls were made and not answered: signatures and reads, and generations and
    /// destructions.
    pub fn open_calls(&self) -> (usize, usize) {
        (MOST_READS - self.reads.available_permits(), MOST_MUTATIONS - self.mutations.available_permits())
    }

    /// The key kinds that its profile offers; the token may lack some ([`TokenInfo::algorithms`]).
    pub fn kinds(&self) -> &[KeyKind] {
        &self.kinds
    }

    /// Where the token is now.
    pub fn status(&self) -> TokenStatus {
        self.status.borrow().clone()
    }

    /// Waits until the token is up.
    ///
    /// # Errors
    /// What keeps it down.
    pub async fn until_up(&self) -> Result<TokenInfo, Error> {
        let mut status = self.status.clone();
        let settled = status.wait_for(|status| !matches!(status, TokenStatus::Starting)).await;
        match settled.as_deref() {
            Ok(TokenStatus::Up { info, .. }) => Ok((**info).clone()),
            Ok(TokenStatus::Down { error, .. }) => Err(error.clone()),
            Ok(TokenStatus::Starting | TokenStatus::Stopped) | Err(_) => {
                Err(Error::new(Kind::Unavailable, "strongroom is shutting down"))
            }
        }
    }

    /// A receiver of every change of [`Token::status`].
    pub fn watch_status(&self) -> watch::Receiver<TokenStatus> {
        self.status.clone()
    }

    /// Makes a key pair with that CKA_ID and CKA_LABEL and reads it back. Judging the attributes
    /// is the caller's work.
    ///
    /// # Errors
    /// [`Kind::OutcomeUnknown`]: there may be a key. [`Kind::Interrupted`]: there is none, try
    /// again under another id. Every other kind: the module says that there is none.
    pub async fn generate(&self, id: KeyId, label: String, kind: KeyKind) -> Result<GeneratedKey, Error> {
        let Answer::Key(key) = self.call(Call::Generate { id, label, kind }).await? else {
            return Err(mismatched());
        };
        Ok(key)
    }

    /// Reads the one key pair with that CKA_ID.
    ///
    /// # Errors
    /// [`Kind::KeyMissing`] or [`Kind::Ambiguous`] unless there is exactly one; the message says
    /// how many there are of each.
    pub async fn read_back(&self, id: KeyId) -> Result<GeneratedKey, Error> {
        let Answer::Key(key) = self.call(Call::ReadBack { id }).await? else { return Err(mismatched()) };
        Ok(key)
    }

    /// Signs a message, which is hashed as the scheme says. The signature has the form that X.509
    /// wants: ECDSA as DER `SEQUENCE { r INTEGER, s INTEGER }` (RFC 5480 appendix A). It is not
    /// verified here.
    ///
    /// # Errors
    /// [`Kind::KeyMissing`], [`Kind::Ambiguous`], or that the token cannot or will not sign.
    pub async fn sign(&self, id: KeyId, scheme: Scheme, message: Vec<u8>) -> Result<Vec<u8>, Error> {
        let Answer::Signature(signature) = self.call(Call::Sign { id, scheme, message }).await? else {
            return Err(mismatched());
        };
        Ok(signature)
    }

    /// Destroys every object with that CKA_ID, the private keys first. None is no error.
    ///
    /// # Errors
    /// [`Kind::OutcomeUnknown`]: some may be gone. It may be called again until it succeeds.
    pub async fn destroy(&self, id: KeyId) -> Result<Destroyed, Error> {
        let Answer::Destroyed(destroyed) = self.call(Call::Destroy { id }).await? else {
            return Err(mismatched());
        };
        Ok(destroyed)
    }

    /// Sees to it that of the certificates with that CKA_ID, `wanted` is on the token once and those
    /// with an `obsolete` SHA-256 are not. Others are left. What is wanted is written before the rest
    /// is removed, so that a key with a certificate is never without one.
    ///
    /// # Errors
    /// [`Kind::OutcomeUnknown`]: some of it may be done. It may be called again until it succeeds.
    pub async fn set_certificate(
        &self,
        id: KeyId,
        wanted: Option<CertificateObject>,
        obsolete: Vec<[u8; 32]>,
    ) -> Result<CertificateChange, Error> {
        let call = Call::SetCertificate { id, wanted, obsolete };
        let Answer::CertificateChange(change) = self.call(call).await? else { return Err(mismatched()) };
        Ok(change)
    }

    /// Lists every object of the token, whole or not, ours or not. Signing with a key that was
    /// listed needs no search.
    ///
    /// # Errors
    /// The token cannot be read; a malformed object is listed as such.
    pub async fn inventory(&self) -> Result<Vec<TokenObject>, Error> {
        let Answer::Objects(objects) = self.call(Call::Inventory).await? else { return Err(mismatched()) };
        Ok(objects)
    }

    /// Lists the slots of the token's module.
    ///
    /// # Errors
    /// The module cannot list them.
    pub async fn slots(&self) -> Result<Vec<SlotInfo>, Error> {
        let Answer::Slots(slots) = self.call(Call::Slots).await? else { return Err(mismatched()) };
        Ok(slots)
    }

    /// Ends the worker and starts another: the caller found the token not to work although its
    /// calls succeed. Without effect while the token is not up.
    pub fn restart(&self, reason: &str) {
        // It fails only when the supervisor has ended.
        let _ = self.control.send(Control::Restart(reason.to_owned()));
    }

    /// Forgets the attempts with the PIN that were refused or not answered, and tries it once more.
    /// Without effect while the token is up.
    pub fn reset_pin_breaker(&self) {
        // It fails only when the supervisor has ended.
        let _ = self.control.send(Control::ResetPinBreaker);
    }

    async fn call(&self, call: Call) -> Result<Answer, Error> {
        let queue = if call.is_mutation() { &self.mutations } else { &self.reads };
        let place = queue.clone().try_acquire_owned().map_err(|_| {
            Error::new(Kind::Busy, "too many calls wait for the token; try again later")
                .retry_in(Duration::from_secs(1))
        })?;
        let stopped = || Error::new(Kind::Unavailable, "strongroom is shutting down");
        let (request, answer) = Request::new(call, place);
        self.calls.send(request).map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

/// Lists the slots of a module without a service: nothing is selected, nobody logs in.
///
/// # Errors
/// [`Kind::LockHeld`] when a service works with the token: ask that one. Otherwise why the module
/// cannot be used.
pub async fn slots(spec: &TokenSpec, options: &StartOptions) -> Result<Vec<SlotInfo>, Error> {
    let Answer::Slots(slots) = supervisor::run_once(spec, options, Purpose::Slots).await? else {
        return Err(mismatched());
    };
    Ok(slots)
}

/// A token to be made.
pub struct InitToken {
    /// Its label: 1 to 32 bytes.
    pub label: String,
    /// PIN of the user.
    pub pin: SecretString,
    /// PIN of the security officer.
    pub so_pin: SecretString,
}

/// Initialises a token in a slot that has none, and never another.
///
/// # Errors
/// [`Kind::Ambiguous`] when a token with that label exists, [`Kind::Capacity`] when no slot is
/// free, [`Kind::LockHeld`] when a service works with the token.
pub async fn init_token(
    spec: &TokenSpec,
    options: &StartOptions,
    token: InitToken,
) -> Result<SlotInfo, Error> {
    let InitToken { label, pin, so_pin } = token;
    let purpose = Purpose::InitToken { label, pin: Pin(pin), so_pin: Pin(so_pin) };
    let Answer::Slot(slot) = supervisor::run_once(spec, options, purpose).await? else {
        return Err(mismatched());
    };
    Ok(slot)
}

/// Another user PIN for a token.
pub struct NewPin {
    /// Who sets it.
    pub by: PinHolder,
    /// The PIN.
    pub new: SecretString,
}

/// Who sets a user PIN, and proves it with what.
pub enum PinHolder {
    /// The security officer, with the own PIN: C_InitPIN.
    SecurityOfficer(SecretString),
    /// The user, with the present PIN: C_SetPIN. `None`: that in the PIN file of the token.
    User(Option<SecretString>),
}

/// Gives a token another user PIN. A PIN that is refused was tried once; none is tried where a wrong
/// one would lock the token. The PIN file is left as it is.
///
/// # Errors
/// [`Kind::PinRefused`]: a PIN is refused or not tried, [`Kind::LockHeld`] when a service works with
/// the token. [`Kind::Unavailable`] also when the worker died in the act: either PIN may be valid.
pub async fn change_pin(spec: &TokenSpec, options: &StartOptions, pin: NewPin) -> Result<SlotInfo, Error> {
    let by = match pin.by {
        PinHolder::SecurityOfficer(so_pin) => PinChangedBy::SecurityOfficer(Pin(so_pin)),
        PinHolder::User(None) => PinChangedBy::User(PresentPin::File),
        PinHolder::User(Some(present)) => PinChangedBy::User(PresentPin::Given(Pin(present))),
    };
    let wanted = ChangePin {
        selector: spec.selector.clone(),
        pin_file: spec.pin_file.clone(),
        lockout: spec.profile.lockout,
        by,
        new: Pin(pin.new),
    };
    let purpose = Purpose::ChangePin(Box::new(wanted));
    let Answer::Slot(slot) = supervisor::run_once(spec, options, purpose).await? else {
        return Err(mismatched());
    };
    Ok(slot)
}

fn mismatched() -> Error {
    Error::new(Kind::Bug, "the worker answered another question; please report it")
}
