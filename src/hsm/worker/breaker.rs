//! The PIN breaker: never a second attempt with a PIN that was refused, across restarts and kills.
//!
//! One file per token keeps the record: per physical token, so that two entries of the configuration
//! share it. It names the PIN file by inode, size and time of change, never by a hash of the PIN,
//! which is short enough to be guessed.
//!
//! ```text
//!              +----------- answered: right ----------> good
//!   (none) --> attempting --- answered: wrong --------> bad ---- PIN file changed ---> (may try)
//!              |    \-------- answered: other error --> lost; tried again while the token counts no wrong PIN
//!              +-- killed: next start finds "attempting"; tries again if this PIN file was good
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::num::NonZeroU32;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use cryptoki::slot::TokenInfo;
use serde::{Deserialize, Serialize};

use super::pin::PinFile;
use crate::hsm::error::{Error, Kind};

/// Names one content of the PIN file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PinIdentity {
    pub(super) inode: u64,
    pub(super) size: u64,
    /// Seconds since 1970, and nanoseconds.
    pub(super) modified: (i64, i64),
}

/// What the token says of the user PIN (CK_TOKEN_INFO flags). Not every token says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PinFlags {
    /// CKF_USER_PIN_COUNT_LOW: a wrong PIN was tried since the last login.
    pub(super) count_low: bool,
    /// CKF_USER_PIN_FINAL_TRY: a wrong PIN locks it.
    pub(super) final_try: bool,
    /// CKF_USER_PIN_LOCKED
    pub(super) locked: bool,
}

impl PinFlags {
    /// The flags of a token.
    pub(super) fn of(token: &TokenInfo) -> Self {
        Self {
            count_low: token.user_pin_count_low(),
            final_try: token.user_pin_final_try(),
            locked: token.user_pin_locked(),
        }
    }
}

/// What is known of the last attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    state: State,
    /// The PIN file of that attempt.
    pin: PinIdentity,
    /// The PIN file that was last right.
    last_good: Option<PinIdentity>,
    /// Attempts that were refused since one was right.
    refused: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Attempting,
    Good,
    Bad,
    /// The answer was lost on its way: an error that says nothing about the PIN.
    Lost,
}

/// Why no attempt is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    /// The token has locked the PIN.
    Locked,
    /// One wrong attempt would lock it. That a PIN was right once is no proof: the token counted
    /// wrong ones since, and somebody may have changed it.
    FinalTry,
    /// This PIN was refused.
    Refused,
    /// An attempt with this PIN was never answered, and it may have been wrong.
    Unanswered,
    /// So many PIN files were refused one after the other that the next wrong one locks the token. A
    /// file that every start makes anew, as service managers make credentials, is a changed file
    /// each time; and a TPM does not say how many tries are left.
    TooMany,
}

/// Whether an attempt may be made with the PIN file `pin`.
fn decide(
    record: Option<&Record>,
    pin: PinIdentity,
    flags: PinFlags,
    lockout: Option<NonZeroU32>,
) -> Result<(), Open> {
    let known_good = record.is_some_and(|record| record.last_good == Some(pin));
    if flags.locked {
        return Err(Open::Locked);
    }
    if flags.final_try {
        return Err(Open::FinalTry);
    }
    match record {
        Some(record) if record.pin == pin => match record.state {
            State::Good => Ok(()),
            State::Bad => Err(Open::Refused),
            // A login that hangs with its HSM is killed, and must not need an operator.
            State::Attempting if known_good && !flags.count_low => Ok(()),
            // An HSM that is away must not need one either, even while the PIN was never proven.
            State::Lost if !flags.count_low => Ok(()),
            State::Attempting | State::Lost => Err(Open::Unanswered),
        },
        Some(record) if lockout.is_some_and(|tries| record.refused + 1 >= tries.get()) => Err(Open::TooMany),
        // An operator has changed the PIN file.
        Some(_) | None => Ok(()),
    }
}

/// The breaker of one token.
pub(super) struct Breaker {
    record: PathBuf,
    pin_file: PathBuf,
    /// Wrong PINs in a row with which the token locks; `None` where it never does.
    lockout: Option<NonZeroU32>,
}

impl Breaker {
    pub(super) fn new(record: PathBuf, pin_file: PathBuf, lockout: Option<NonZeroU32>) -> Self {
        Self { record, pin_file, lockout }
    }

    /// Reads the PIN and writes down that an attempt is made with it.
    ///
    /// # Errors
    /// [`Kind::PinRefused`] when no attempt may be made; [`Kind::Misconfigured`] when a file cannot
    /// be read or written.
    pub(super) fn attempt(&self, flags: PinFlags) -> Result<(PinFile, Attempt<'_>), Error> {
        let pin = PinFile::read(&self.pin_file)?;
        let before = read(&self.record).map_err(|cause| self.unusable(cause))?;
        decide(before.as_ref(), pin.identity, flags, self.lockout).map_err(|open| self.explain(open))?;
        let last_good = before.and_then(|record| record.last_good);
        // One that is never answered counts as refused.
        let unproven = u32::from(last_good != Some(pin.identity));
        let refused = before.map_or(0, |record| record.refused) + unproven;
        let attempting = Record { state: State::Attempting, pin: pin.identity, last_good, refused };
        write(&self.record, &attempting).map_err(|cause| self.unusable(cause))?;
        Ok((pin, Attempt { breaker: self, before, attempting }))
    }

    /// Whether a PIN may be tried that an operator enters, and that comes from no file.
    ///
    /// # Errors
    /// [`Kind::PinRefused`]: it is locked, or a wrong one would lock it.
    pub(super) fn may_try_given(&self, flags: PinFlags) -> Result<(), Error> {
        match flags {
            PinFlags { locked: true, .. } => Err(self.explain(Open::Locked)),
            PinFlags { final_try: true, .. } => Err(self.explain(Open::FinalTry)),
            PinFlags { .. } => Ok(()),
        }
    }

    /// Forgets every attempt: the token has another PIN now.
    ///
    /// # Errors
    /// [`Kind::Misconfigured`]: the record cannot be removed.
    pub(super) fn forget(&self) -> Result<(), Error> {
        match fs::remove_file(&self.record) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.unusable(error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn explain(&self, open: Open) -> Error {
        let file = self.pin_file.display();
        let message = match open {
            Open::Locked => {
                "the token has locked the user PIN; set it anew with `strongroom slot set-pin`, or with the tools of \
                 the token's vendor".to_owned()
            }
            Open::FinalTry => format!(
                "one more wrong PIN would lock the token, so the PIN of {file} is not tried; \
                 log in once with the tools of the token's vendor, or set the PIN anew \
                 (`strongroom slot set-pin`)"
            ),
            Open::Refused => format!(
                "the token refused the PIN in {file}; it is not tried again until that file changes: \
                 write the right PIN to it"
            ),
            Open::Unanswered => format!(
                "a login with the PIN in {file} was cut off, and the PIN is not known to be right; it is \
                 not tried again until that file changes: check the PIN and write it anew"
            ),
            Open::TooMany => format!(
                "the token refused several PIN files in a row and may lock with the next, so the PIN in {file} is \
                 not tried; make sure that it is right, and remove {}",
                self.record.display()
            ),
        };
        Error::new(Kind::PinRefused, message)
    }

    fn unusable(&self, cause: io::Error) -> Error {
        let message = format!(
            "the record of PIN attempts {} cannot be read or written, so no PIN is tried; \
             check the PIN and remove that file",
            self.record.display()
        );
        Error::new(Kind::Misconfigured, message).because(cause)
    }
}

/// An attempt that is written down and not yet answered.
#[must_use = "an attempt without an answer opens the breaker"]
pub(super) struct Attempt<'a> {
    breaker: &'a Breaker,
    before: Option<Record>,
    attempting: Record,
}

impl Attempt<'_> {
    /// The PIN was right.
    pub(super) fn right(self) -> Result<(), Error> {
        let last_good = Some(self.attempting.pin);
        self.settle(&Record { state: State::Good, last_good, refused: 0, ..self.attempting })
    }

    /// The PIN was wrong or expired.
    pub(super) fn wrong(self) -> Error {
        self.refuse(Open::Refused)
    }

    /// The token has locked the PIN; whether this one is right, it does not say.
    pub(super) fn locked(self) -> Error {
        self.refuse(Open::Locked)
    }

    fn refuse(self, open: Open) -> Error {
        let told = self.breaker.explain(open);
        let refused_before = self.before.map_or(0, |record| record.refused);
        let bad = Record { state: State::Bad, refused: refused_before + 1, ..self.attempting };
        match self.settle(&bad) {
            Ok(()) => told,
            // "attempting" stays, which is no less careful.
            Err(error) => told.because_of(&error),
        }
    }

    /// The token failed in the attempt: it may have counted it.
    pub(super) fn lost(self) -> Result<(), Error> {
        let refused = self.before.map_or(0, |record| record.refused);
        self.settle(&Record { state: State::Lost, refused, ..self.attempting })
    }

    /// The token did not look at the PIN.
    pub(super) fn unjudged(self) -> Result<(), Error> {
        match self.before {
            Some(before) => self.settle(&before),
            None => fs::remove_file(&self.breaker.record).map_err(|cause| self.breaker.unusable(cause)),
        }
    }

    fn settle(&self, record: &Record) -> Result<(), Error> {
        write(&self.breaker.record, record).map_err(|cause| self.breaker.unusable(cause))
    }
}

fn read(path: &Path) -> io::Result<Option<Record>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Replaces the file as a whole and waits until it is on the disk.
fn write(path: &Path, record: &Record) -> io::Result<()> {
    let new = path.with_extension("pin.new");
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&new)?;
    file.write_all(&serde_json::to_vec(record)?)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    match path.parent() {
        Some(dir) => File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    const CLEAR: PinFlags = PinFlags { count_low: false, final_try: false, locked: false };
    const LOW: PinFlags = PinFlags { count_low: true, ..CLEAR };
    const FINAL: PinFlags = PinFlags { count_low: true, final_try: true, locked: false };

    fn pin(inode: u64) -> PinIdentity {
        PinIdentity { inode, size: 8, modified: (1, 2) }
    }

    fn record(state: State, last_good: Option<u64>) -> Record {
        Record { state, pin: pin(1), last_good: last_good.map(pin), refused: 0 }
    }

    #[test]
    fn decides_as_the_table_says() {
        use State::{Attempting, Bad, Good, Lost};
        for (before, flags, wanted) in [
            (None, CLEAR, Ok(())),
            (Some(record(Good, Some(1))), CLEAR, Ok(())),
            (Some(record(Bad, None)), CLEAR, Err(Open::Refused)),
            (Some(record(Bad, Some(1))), CLEAR, Err(Open::Refused)),
            (Some(record(Attempting, None)), CLEAR, Err(Open::Unanswered)),
            (Some(record(Attempting, Some(2))), CLEAR, Err(Open::Unanswered)),
            (Some(record(Attempting, Some(1))), CLEAR, Ok(())),
            (Some(record(Attempting, Some(1))), LOW, Err(Open::Unanswered)),
            (Some(record(Lost, None)), CLEAR, Ok(())),
            (Some(record(Lost, Some(1))), LOW, Err(Open::Unanswered)),
            (Some(record(Good, Some(1))), FINAL, Err(Open::FinalTry)),
            (None, FINAL, Err(Open::FinalTry)),
            (Some(record(Good, Some(1))), PinFlags { locked: true, ..CLEAR }, Err(Open::Locked)),
        ] {
            assert_eq!(decide(before.as_ref(), pin(1), flags, None), wanted, "{before:?} {flags:?}");
        }
    }

    #[test]
    fn a_changed_pin_file_may_be_tried() {
        for state in [State::Attempting, State::Bad] {
            let before = Record { state, pin: pin(1), last_good: None, refused: 1 };
            assert_eq!(decide(Some(&before), pin(2), CLEAR, None), Ok(()));
            assert_eq!(
                decide(Some(&before), PinIdentity { modified: (1, 3), ..pin(1) }, CLEAR, None),
                Ok(())
            );
        }
    }

    struct Files {
        _dir: tempfile::TempDir,
        breaker: Breaker,
    }

    fn files() -> Files {
        files_of(NonZeroU32::new(3))
    }

    fn files_of(lockout: Option<NonZeroU32>) -> Files {
        let dir = tempfile::tempdir().unwrap();
        let pin_file = dir.path().join("pin");
        fs::write(&pin_file, "1234\n").unwrap();
        fs::set_permissions(&pin_file, fs::Permissions::from_mode(0o600)).unwrap();
        let breaker = Breaker::new(dir.path().join("t.pin"), pin_file, lockout);
        Files { _dir: dir, breaker }
    }

    fn attempt_kind(files: &Files) -> Option<Kind> {
        files.breaker.attempt(CLEAR).err().map(|error| error.kind())
    }

    #[test]
    fn a_wrong_pin_is_tried_once_until_the_file_changes() {
        let files = files();
        let (_, attempt) = files.breaker.attempt(CLEAR).unwrap();
        assert_eq!(attempt.wrong().kind(), Kind::PinRefused);
        assert_eq!(attempt_kind(&files), Some(Kind::PinRefused));
        fs::write(&files.breaker.pin_file, "12345\n").unwrap();
        assert_eq!(attempt_kind(&files), None);
    }

    #[test]
    fn a_first_attempt_cut_off_is_not_repeated_but_a_good_pin_is() {
        let files = files();
        let (_, cut_off) = files.breaker.attempt(CLEAR).unwrap();
        drop(cut_off);
        assert_eq!(attempt_kind(&files), Some(Kind::PinRefused));

        fs::write(&files.breaker.pin_file, "12345\n").unwrap();
        let (_, attempt) = files.breaker.attempt(CLEAR).unwrap();
        attempt.right().unwrap();
        let (_, cut_off) = files.breaker.attempt(CLEAR).unwrap();
        drop(cut_off);
        assert_eq!(attempt_kind(&files), None);
    }

    #[test]
    fn a_file_made_anew_by_every_start_is_refused_twice_at_the_most() {
        let files = files();
        for refused in ["wrong", "wrong again"] {
            fs::write(&files.breaker.pin_file, refused).unwrap();
            let (_, attempt) = files.breaker.attempt(CLEAR).unwrap();
            attempt.wrong();
        }
        fs::write(&files.breaker.pin_file, "another\n").unwrap();
        assert_eq!(attempt_kind(&files), Some(Kind::PinRefused));
        files.breaker.forget().unwrap();
        let (_, attempt) = files.breaker.attempt(CLEAR).unwrap();
        attempt.right().unwrap();
        fs::write(&files.breaker.pin_file, "changed\n").unwrap();
        assert_eq!(attempt_kind(&files), None, "a right PIN starts the count anew");
    }

    #[test]
    fn a_token_that_never_locks_is_tried_with_every_new_file() {
        let files = files_of(None);
        for refused in ["wrong", "wrong again", "and again"] {
            fs::write(&files.breaker.pin_file, refused).unwrap();
            let (_, attempt) = files.breaker.attempt(CLEAR).unwrap();
            attempt.wrong();
            assert_eq!(attempt_kind(&files), Some(Kind::PinRefused));
        }
        fs::write(&files.breaker.pin_file, "the right one\n").unwrap();
        assert_eq!(attempt_kind(&files), None);
    }

    #[test]
    fn an_answer_that_is_not_about_the_pin_leaves_the_record_as_it_was() {
        let files = files();
        let (_, attempt) = files.breaker.attempt(CLEAR).unwrap();
        attempt.unjudged().unwrap();
        assert_eq!(attempt_kind(&files), None);
    }

    #[test]
    fn a_lost_answer_is_tried_again_unless_the_token_counted_it() {
        let files = files();
        let (_, attempt) = files.breaker.attempt(CLEAR).unwrap();
        attempt.lost().unwrap();
        assert_eq!(files.breaker.attempt(LOW).err().map(|error| error.kind()), Some(Kind::PinRefused));
        assert_eq!(attempt_kind(&files), None);
    }

    #[test]
    fn a_record_that_cannot_be_read_stops_all_attempts() {
        let files = files();
        fs::write(&files.breaker.record, "?").unwrap();
        assert_eq!(attempt_kind(&files), Some(Kind::Misconfigured));
    }

    #[test]
    fn the_record_holds_no_pin() {
        let files = files();
        let (_, attempt) = files.breaker.attempt(CLEAR).unwrap();
        attempt.right().unwrap();
        let text = fs::read_to_string(&files.breaker.record).unwrap();
        assert!(!text.contains("1234"), "{text}");
        let mode = fs::metadata(&files.breaker.record).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
