//! What a certificate that we issue shall say.

use serde::{Deserialize, Serialize};

use super::super::clock::Timestamp;
use super::super::csr::CsrSpec;

/// A serial number: 20 octets, positive, with 158 random bits (RFC 5280 section 4.1.2.2 allows 20 octets,
/// the CA/Browser Forum's Baseline Requirements, section 7.1, ask for 64 bits at least).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Serial([u8; 20]);

impl Serial {
    /// From random octets, of which two bits are set: the number is positive, and never shorter.
    pub fn new(mut random: [u8; 20]) -> Self {
        random[0] = random[0] & 0x3f | 0x40;
        Self(random)
    }

    /// The octets, big endian.
    pub fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }

    /// As it was kept.
    pub fn from_bytes(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }
}

impl std::fmt::Display for Serial {
    /// Lower-case hexadecimal, two digits an octet.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl std::str::FromStr for Serial {
    type Err = &'static str;

    /// Hexadecimal in upper or lower case; colons are passed over.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = hex::decode(text.replace(':', "")).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or("a serial number is 40 hexadecimal digits")
    }
}

/// From when until when a certificate is valid, both ends included; whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// notBefore
    pub not_before: Timestamp,
    /// notAfter
    pub not_after: Timestamp,
}

/// Where a certificate sends those who verify it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuerUrls {
    /// CRLDistributionPoints (RFC 5280 section 4.2.1.13)
    pub crl: Option<String>,
    /// AuthorityInfoAccess, caIssuers (RFC 5280 section 4.2.2.1)
    pub certificate: Option<String>,
}

/// Everything that a certificate says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CertificateSpec {
    /// serialNumber
    pub serial: Serial,
    /// DER of the issuer's Name, exactly as it stands in its certificate.
    pub issuer: Vec<u8>,
    /// validity
    pub period: Period,
    /// Subject, alternative names and extensions; the attributes of a CSR are not looked at.
    pub content: CsrSpec,
    /// DER of the SubjectPublicKeyInfo.
    pub spki: Vec<u8>,
    /// AuthorityKeyIdentifier: what the issuer's certificate calls its key.
    pub authority_key_id: Vec<u8>,
    /// Where the issuer's CRL and certificate are.
    pub urls: IssuerUrls,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_number_is_positive_and_always_as_long() {
        for random in [[0; 20], [0xff; 20], [0x80; 20]] {
            let first = Serial::new(random).as_bytes()[0];
            assert!((0x40..0x80).contains(&first), "{first:x}");
        }
        let serial = Serial::new([0xab; 20]);
        assert_eq!(serial.to_string().parse::<Serial>(), Ok(serial));
        assert_eq!(serial.to_string().to_uppercase().parse::<Serial>(), Ok(serial));
        assert!("00".parse::<Serial>().is_err());
    }
}
