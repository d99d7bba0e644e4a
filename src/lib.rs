//! strongroom: a certificate-signing-request appliance. (skeleton)

pub mod domain;
pub mod hsm;
pub mod store;
