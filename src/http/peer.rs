//! Who is at the other end of a connection, as far as the connection itself tells. A request carries
//! it as an extension, so that a permit can be made of it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// The other end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Plain TCP.
    Tcp {
        /// Where it comes from.
        address: SocketAddr,
    },
    /// The Unix socket; what the kernel said when the client connected (SO_PEERCRED, unix(7)).
    Unix {
        /// Effective user id.
        uid: u32,
        /// Effective group id.
        gid: u32,
        /// Process id, where the client is in sight of our PID namespace.
        pid: Option<u32>,
    },
}

impl Peer {
    /// The network address; the Unix socket has none.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Tcp { address } => Some(address.ip()),
            Self::Unix { .. } => None,
        }
    }

    /// SHA-256 of the verified client certificate, if there is one.
    pub fn certificate_sha256(&self) -> Option<&[u8; 32]> {
        match self {
            Self::Tcp { .. } | Self::Unix { .. } => None,
        }
    }
}

/// As the audit writes it: `tcp 127.0.0.1:5000`, `unix uid 1000`.
impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { address } => write!(f, "tcp {address}"),
            Self::Unix { uid, .. } => write!(f, "unix uid {uid}"),
        }
    }
}
