//! Certificates that come back. (skeleton)
