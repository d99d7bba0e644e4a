//! The PIN file.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use cryptoki::types::RawAuthPin;
use zeroize::Zeroizing;

use super::breaker::PinIdentity;
use crate::hsm::error::{Error, Kind};

/// The longest PIN file read: longer than any PIN, so that a wrong path is told as such.
const LONGEST: u64 = 4096;

/// The PIN and which file it came from.
pub(super) struct PinFile {
    pub(super) identity: PinIdentity,
    pub(super) pin: RawAuthPin,
}

impl PinFile {
    /// Reads the file. One line end after the PIN is not part of it.
    ///
    /// # Errors
    /// [`Kind::Misconfigured`]: the file cannot be read, others than its owner may read it, or it
    /// is empty or too long for a PIN.
    pub(super) fn read(path: &Path) -> Result<Self, Error> {
        let wrong =
            |what: &str| Error::new(Kind::Misconfigured, format!("the PIN file {} {what}", path.display()));
        let unreadable = |cause| wrong("cannot be read").because(cause);
        let mut file = File::open(path).map_err(unreadable)?;
        // Of the open file: the path may name another by now.
        let metadata = file.metadata().map_err(unreadable)?;
        if is_open(metadata.mode(), metadata.uid(), metadata.gid()) {
            return Err(wrong("may be read by others than its owner; run chmod 600 on it"));
        }
        if metadata.size() > LONGEST {
            return Err(wrong("is too long for a PIN; check the path"));
        }
        // Large enough from the start: growing would leave copies behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST as usize + 1));
        file.by_ref().take(LONGEST).read_to_end(&mut bytes).map_err(unreadable)?;
        let pin = without_line_end(&bytes);
        if pin.is_empty() {
            return Err(wrong("is empty"));
        }
        let identity = PinIdentity {
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        };
        Ok(Self { identity, pin: RawAuthPin::new(Box::new(pin.to_vec())) })
    }
}

/// systemd from 254 on shows a credential (LoadCredential=) as root's with mode 0440 and an access
/// control list for the service's user alone: the bits of the group are that list's mask
/// (<https://github.com/systemd/systemd/issues/29435>).
fn is_open(mode: u32, uid: u32, gid: u32) -> bool {
    let credential = (uid, gid) == (0, 0) && mode & 0o777 == 0o440;
    mode & 0o077 != 0 && !credential
}

fn without_line_end(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret as _;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    fn read(content: &[u8], mode: u32) -> Result<PinFile, Error> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), content).unwrap();
        fs::set_permissions(file.path(), Permissions::from_mode(mode)).unwrap();
        PinFile::read(file.path())
    }

    #[test]
    fn one_line_end_is_not_part_of_the_pin() {
        for (content, pin) in [
            (&b"1234"[..], &b"1234"[..]),
            (b"1234\n", b"1234"),
            (b"1234\r\n", b"1234"),
            (b"12 34 \n\n", b"12 34 \n"),
        ] {
            assert_eq!(read(content, 0o600).unwrap().pin.expose_secret(), pin);
        }
    }

    #[test]
    fn a_credential_of_systemd_is_not_open_to_others() {
        assert!(!is_open(0o100_440, 0, 0));
        for (mode, uid, gid) in
            [(0o100_440, 1000, 0), (0o100_440, 0, 1000), (0o100_444, 0, 0), (0o100_640, 0, 0)]
        {
            assert!(is_open(mode, uid, gid), "{mode:o} {uid} {gid}");
        }
    }

    #[test]
    fn a_file_that_others_may_read_or_without_a_pin_is_refused() {
        for (content, mode, what) in [
            (&b"1234"[..], 0o640, "chmod 600"),
            (b"1234", 0o604, "chmod 600"),
            (b"\n", 0o600, "is empty"),
            (&[b'1'; 5000], 0o600, "too long"),
        ] {
            let error = read(content, mode).err().unwrap();
            assert_eq!(error.kind(), Kind::Misconfigured);
            assert!(error.to_string().contains(what), "{error}");
        }
    }
}
