//! Messages between service and worker: postcard in frames behind a length.
//!
//! Both ends are the same executable (the first message makes sure), so there are no versions.

use std::borrow::Cow;
use std::num::NonZeroU32;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use super::Selector;
use super::error::{Error, Kind};
use super::model::{
    CertificateChange, CertificateObject, Destroyed, GeneratedKey, SlotInfo, TokenInfo, TokenObject,
};
use super::probe::Probed;
use super::profile::{Deadlines, Profile};
use crate::domain::algorithm::{KeyKind, KeyMaterial, Scheme};
use crate::domain::id::KeyId;

/// An inventory of 100,000 key pairs takes about 14 MB. Anything longer than this is no frame.
const LONGEST_FRAME: usize = 64 << 20;

/// Bytes of the length before a frame, little endian.
const HEADER: usize = 4;

/// What one read may bring in: some dozens of calls.
pub(super) const ROOM: usize = 16 << 10;

/// From the service to its worker.
#[derive(Serialize, Deserialize)]
pub(super) enum ToWorker<'a> {
    /// The first message, and only that: what to do.
    Hello(Box<Hello>),
    /// A call to the token; `id` is unique in the worker's life.
    Call {
        /// Names the call in the answer.
        id: u64,
        /// What to do; borrowed where it is sent.
        call: Cow<'a, Call>,
    },
    /// Asks for a [`FromWorker::Pong`].
    Ping,
    /// Asks for an orderly end: finish the calls, close the sessions, C_Finalize.
    Shutdown,
}

/// From the worker to its service.
#[derive(Serialize, Deserialize)]
pub(super) enum FromWorker {
    /// Logged in and waiting for calls.
    Ready(Box<TokenInfo>),
    /// The module is about to be entered with a mutation. Written before the entry, so that a
    /// mutation without it, when the worker is dead, provably had no effect.
    Started {
        /// Of the call.
        id: u64,
    },
    /// The answer to a call. For a worker with another purpose than serving there is one, id 0.
    Answer {
        /// Of the call.
        id: u64,
        /// What came of it.
        result: Result<Answer, Error>,
    },
    /// The calls inside the module at this moment.
    Pong(Vec<Inside>),
    /// The last message: why the worker ends.
    Ended(Error),
}

/// What a worker is started for.
#[derive(Serialize, Deserialize)]
pub(super) struct Hello {
    /// The executable that the service means to talk to.
    pub(super) executable: FileIdentity,
    /// The token's configured name; names its lock and its breaker.
    pub(super) name: String,
    /// Where both are.
    pub(super) lock_dir: PathBuf,
    /// Modules, tried in order.
    pub(super) modules: Vec<PathBuf>,
    /// pReserved of C_Initialize.
    pub(super) init_args: Option<String>,
    /// What to do with the module.
    pub(super) purpose: Purpose,
}

/// What to do with the module.
#[derive(Serialize, Deserialize)]
pub(super) enum Purpose {
    /// Select the token, log in, take calls.
    Serve(Box<Serve>),
    /// List the slots, without a login.
    Slots,
    /// Initialise a token in an empty slot.
    InitToken {
        /// Its label.
        label: String,
        /// PIN of the user.
        pin: Pin,
        /// PIN of the security officer.
        so_pin: Pin,
    },
    /// Select the token, give it another user PIN.
    ChangePin(Box<ChangePin>),
}

/// What another user PIN takes.
#[derive(Serialize, Deserialize)]
pub(super) struct ChangePin {
    pub(super) selector: Selector,
    /// The file that the present PIN may come from.
    pub(super) pin_file: PathBuf,
    /// As in the profile.
    pub(super) lockout: Option<NonZeroU32>,
    pub(super) by: PinChangedBy,
    pub(super) new: Pin,
}

/// Who changes the user PIN.
#[derive(Serialize, Deserialize)]
pub(super) enum PinChangedBy {
    /// The security officer, with this PIN.
    SecurityOfficer(Pin),
    /// The user.
    User(PresentPin),
}

/// Where the PIN comes from that is to be changed.
#[derive(Serialize, Deserialize)]
pub(super) enum PresentPin {
    /// The PIN file: an attempt with it passes the breaker as a login does.
    File,
    /// An operator, for this once.
    Given(Pin),
}

/// What serving a token takes.
#[derive(Serialize, Deserialize)]
pub(super) struct Serve {
    pub(super) selector: Selector,
    pub(super) pin_file: PathBuf,
    pub(super) profile: Profile,
    pub(super) sessions: usize,
    pub(super) declared_hardware: bool,
    /// An operator wants the PIN tried once more, whatever became of it before.
    pub(super) forget_pin_attempts: bool,
}

/// A call to the token. Not to be printed: a message may hold a challengePassword.
#[derive(Clone, Serialize, Deserialize)]
pub(super) enum Call {
    /// Make a key pair and read it back.
    Generate { id: KeyId, label: String, kind: KeyKind },
    /// Read a key pair.
    ReadBack { id: KeyId },
    /// Sign a message.
    Sign { id: KeyId, scheme: Scheme, message: Vec<u8> },
    /// Destroy every object with the id.
    Destroy { id: KeyId },
    /// Write a certificate unless it is there, and remove those that it replaces.
    SetCertificate { id: KeyId, wanted: Option<CertificateObject>, obsolete: Vec<[u8; 32]> },
    /// Make, use, attack and destroy a throw-away key.
    Probe { kind: KeyKind, message: Vec<u8> },
    /// List every object.
    Inventory,
    /// List every slot.
    Slots,
}

impl Call {
    /// Whether it changes the token: such a call is never made twice.
    pub(super) fn is_mutation(&self) -> bool {
        match self {
            Self::Generate { .. }
            | Self::Destroy { .. }
            | Self::SetCertificate { .. }
            | Self::Probe { .. } => true,
            Self::ReadBack { .. } | Self::Sign { .. } | Self::Inventory | Self::Slots => false,
        }
    }
}

/// The answer to a [`Call`].
#[derive(Serialize, Deserialize)]
pub(super) enum Answer {
    Key(GeneratedKey),
    Signature(Vec<u8>),
    Destroyed(Destroyed),
    CertificateChange(CertificateChange),
    Probed(Box<Probed>),
    /// Why the token cannot make a key to probe.
    NotMade(String),
    Objects(Vec<TokenObject>),
    Slot(SlotInfo),
    Slots(Vec<SlotInfo>),
}

/// A call inside the module.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Inside {
    /// The call.
    pub(super) id: u64,
    /// What it does there, which decides how long it may.
    pub(super) class: Class,
    /// Time since the entry.
    pub(super) elapsed: Duration,
}

/// Classes of calls into the module, by deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Class {
    Sign,
    GenerateEc,
    GenerateRsa,
    Other,
}

impl Class {
    /// The class of generating a key of that kind.
    pub(super) fn of_generation(kind: KeyKind) -> Self {
        match kind.material() {
            KeyMaterial::Rsa { .. } => Self::GenerateRsa,
            KeyMaterial::Ec { .. } | KeyMaterial::Edwards { .. } => Self::GenerateEc,
        }
    }

    /// How long such a call may take.
    pub(super) fn deadline(self, deadlines: &Deadlines) -> Duration {
        match self {
            Self::Sign => deadlines.sign,
            Self::GenerateEc => deadlines.generate_ec,
            Self::GenerateRsa => deadlines.generate_rsa,
            Self::Other => deadlines.other,
        }
    }
}

/// Tells one version of a file from the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileIdentity {
    pub(super) device: u64,
    pub(super) inode: u64,
    pub(super) size: u64,
    /// Seconds since 1970, and nanoseconds.
    pub(super) modified: (i64, i64),
}

impl FileIdentity {
    /// Of the file at a path, behind symbolic links.
    pub(super) fn at(path: &Path) -> std::io::Result<Self> {
        let metadata = std::fs::metadata(path)?;
        Ok(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        })
    }
}

/// A PIN on its way to the worker. It is serialised on purpose: the socket pair has no name and no
/// other reader.
pub(super) struct Pin(pub(super) SecretString);

impl Serialize for Pin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose_secret())
    }
}

impl<'de> Deserialize<'de> for Pin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(SecretString::from(String::deserialize(deserializer)?)))
    }
}

/// Appends a message to `out` as a frame: its length in bytes (4, little endian), then postcard.
///
/// # Errors
/// Longer than a frame may be, or not serialisable (a path that is not UTF-8).
pub(super) fn encode<T: Serialize>(message: &T, out: &mut Vec<u8>) -> Result<(), Error> {
    // It may hold a PIN.
    let payload = Zeroizing::new(postcard::to_stdvec(message).map_err(broken)?);
    let length = u32::try_from(payload.len()).ok().filter(|length| *length as usize <= LONGEST_FRAME);
    let Some(length) = length else {
        return Err(broken(format!("a message of {} bytes", payload.len())));
    };
    out.reserve(HEADER + payload.len());
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&payload);
    Ok(())
}

/// Bytes as they come in, and the messages in them.
#[derive(Default)]
pub(super) struct Frames {
    bytes: Vec<u8>,
    /// Bytes of messages already taken.
    taken: usize,
}

impl Frames {
    /// Where incoming bytes are appended; has room for some.
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        self.bytes.reserve(ROOM);
        &mut self.bytes
    }

    /// The next whole message, if it has come in.
    ///
    /// # Errors
    /// A length no frame has, or bytes that are no message: the connection is of no use any more.
    pub(super) fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, Error> {
        let Some((header, rest)) = self.bytes.get(self.taken..).and_then(|bytes| bytes.split_first_chunk())
        else {
            return Ok(None);
        };
        let length = u32::from_le_bytes(*header) as usize;
        if length > LONGEST_FRAME {
            return Err(broken(format!("a frame of {length} bytes")));
        }
        let Some(frame) = rest.get(..length) else {
            return Ok(None);
        };
        let message = postcard::from_bytes(frame).map_err(broken)?;
        self.taken += HEADER + length;
        Ok(Some(message))
    }
}

fn broken(cause: impl std::fmt::Display) -> Error {
    Error::new(Kind::Bug, "service and worker do not understand each other; please report it").because(cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pong(ids: std::ops::Range<u64>) -> FromWorker {
        let inside = |id| Inside { id, class: Class::Sign, elapsed: Duration::from_millis(id) };
        FromWorker::Pong(ids.map(inside).collect())
    }

    fn ids(message: FromWorker) -> Vec<u64> {
        match message {
            FromWorker::Pong(inside) => inside.into_iter().map(|inside| inside.id).collect(),
            _ => panic!("not a pong"),
        }
    }

    #[test]
    fn messages_come_out_whole_however_the_bytes_are_cut() {
        let mut bytes = Vec::new();
        encode(&pong(0..3), &mut bytes).unwrap();
        encode(&pong(3..5), &mut bytes).unwrap();
        for cut in 0..=bytes.len() {
            let mut frames = Frames::default();
            let mut seen = Vec::new();
            for part in [&bytes[..cut], &bytes[cut..]] {
                frames.buffer().extend_from_slice(part);
                while let Some(message) = frames.next().unwrap() {
                    seen.push(ids(message));
                }
            }
            assert_eq!(seen, [vec![0, 1, 2], vec![3, 4]], "cut at {cut}");
        }
    }

    #[test]
    fn a_truncated_frame_is_no_message() {
        let mut bytes = Vec::new();
        encode(&pong(0..3), &mut bytes).unwrap();
        bytes.pop();
        let mut frames = Frames::default();
        frames.buffer().extend_from_slice(&bytes);
        assert!(frames.next::<FromWorker>().unwrap().is_none());
    }

    #[test]
    fn an_oversized_frame_is_refused_before_it_comes_in() {
        let mut frames = Frames::default();
        frames.buffer().extend_from_slice(&u32::MAX.to_le_bytes());
        let error = frames.next::<FromWorker>().err().unwrap();
        assert_eq!(error.kind(), Kind::Bug);
    }

    #[test]
    fn bytes_that_are_no_message_are_refused() {
        let mut frames = Frames::default();
        frames.buffer().extend_from_slice(&[1, 0, 0, 0, 0xff]);
        assert!(frames.next::<FromWorker>().is_err());
    }
}
