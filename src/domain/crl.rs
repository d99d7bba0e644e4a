//! Certificate revocation lists (RFC 5280 section 5): why a certificate is revoked, how a list is made, and
//! how it is checked before it leaves. As with CSRs, builder and checker share no code.

use const_oid::db::rfc5280::{ID_CE_CRL_NUMBER, ID_CE_CRL_REASONS};
use der::asn1::{OctetString, Uint};
use der::{Decode, Encode};
use serde::{Deserialize, Serialize};
use x509_cert::Version;
use x509_cert::certificate::Rfc5280;
use x509_cert::crl::{RevokedCert, TbsCertList};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::CrlNumber;
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

use super::algorithm::Scheme;
use super::certificate::Serial;
use super::certificate::build::{algorithm, authority_key_identifier, time};
use super::certificate::check::authority_key_identifier as encoded_key_identifier;
use super::clock::Timestamp;
use super::csr::check::der::{
    self as encoded, ENUMERATED, INTEGER, SEQUENCE, context_constructed, integer, sequence, tlv,
};
use super::csr::check::{encoded_algorithm, encoded_signed, require};
use super::csr::{Error, Part, verify_signature};
use super::named::named;
use super::pem;

/// Why a certificate is revoked (RFC 5280 section 5.3.1). removeFromCRL is of delta CRLs, which are not made;
/// certificateHold is not offered: what is revoked stays so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reason {
    /// No reason is given; the list says nothing then.
    Unspecified,
    /// Somebody else may have the key.
    KeyCompromise,
    /// Somebody else may have the key of a CA.
    #[serde(rename = "cACompromise")]
    CaCompromise,
    /// The names are no longer right.
    AffiliationChanged,
    /// There is another one in its place.
    Superseded,
    /// It is no longer needed.
    CessationOfOperation,
    /// It should not have been issued, or no longer be trusted.
    PrivilegeWithdrawn,
    /// Somebody else may have the key of an attribute authority.
    #[serde(rename = "aACompromise")]
    AaCompromise,
}

named!(Reason {
    Unspecified = "unspecified",
    KeyCompromise = "keyCompromise",
    CaCompromise = "cACompromise",
    AffiliationChanged = "affiliationChanged",
    Superseded = "superseded",
    CessationOfOperation = "cessationOfOperation",
    PrivilegeWithdrawn = "privilegeWithdrawn",
    AaCompromise = "aACompromise",
});

impl Reason {
    /// Every reason, in the order of their codes.
    pub const ALL: [Self; 8] = [
        Self::Unspecified,
        Self::KeyCompromise,
        Self::CaCompromise,
        Self::AffiliationChanged,
        Self::Superseded,
        Self::CessationOfOperation,
        Self::PrivilegeWithdrawn,
        Self::AaCompromise,
    ];

    /// The value of CRLReason.
    pub fn code(self) -> u8 {
        match self {
            Self::Unspecified => 0,
            Self::KeyCompromise => 1,
            Self::CaCompromise => 2,
            Self::AffiliationChanged => 3,
            Self::Superseded => 4,
            Self::CessationOfOperation => 5,
            Self::PrivilegeWithdrawn => 9,
            Self::AaCompromise => 10,
        }
    }
}

/// A certificate on the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// Its serial number.
    pub serial: Serial,
    /// Since when.
    pub at: Timestamp,
    /// Why.
    pub reason: Reason,
}

/// What a list says.
#[derive(Clone, Debug, PartialEq)]
pub struct CrlSpec {
    /// DER of the issuer's Name, exactly as it stands in its certificate.
    pub issuer: Vec<u8>,
    /// AuthorityKeyIdentifier
    pub authority_key_id: Vec<u8>,
    /// CRLNumber: each list has a higher one than those before.
    pub number: u64,
    /// thisUpdate
    pub this_update: Timestamp,
    /// nextUpdate: there is a newer list by then.
    pub next_update: Timestamp,
    /// In the order in which they stand on the list.
    pub revoked: Vec<Revoked>,
}

/// A list as PEM (RFC 7468 section 6).
pub fn pem(crl_der: &[u8]) -> String {
    pem::encode("X509 CRL", crl_der)
}

/// The DER of TBSCertList (RFC 5280 section 5.1): the bytes that the token signs. They are put into a list
/// by [`csr::assemble`](super::csr::assemble).
///
/// # Errors
/// [`Error::Encoding`] when the issuer is not DER.
pub fn to_be_signed(spec: &CrlSpec, scheme: Scheme) -> Result<Vec<u8>, Error> {
    let revoked = spec.revoked.iter().map(entry).collect::<der::Result<Vec<_>>>()?;
    let number = Extension {
        extn_id: ID_CE_CRL_NUMBER,
        critical: false,
        extn_value: OctetString::new(CrlNumber(Uint::new(&spec.number.to_be_bytes())?).to_der()?)?,
    };
    let tbs = TbsCertList::<Rfc5280> {
        version: Version::V2,
        signature: algorithm(scheme)?,
        issuer: Name::from_der(&spec.issuer)?,
        this_update: time(spec.this_update)?,
        next_update: Some(time(spec.next_update)?),
        // RFC 5280 section 5.1.2.6: absent, not empty.
        revoked_certificates: (!revoked.is_empty()).then_some(revoked),
        crl_extensions: Some(vec![authority_key_identifier(&spec.authority_key_id)?, number]),
    };
    Ok(tbs.to_der()?)
}

fn entry(revoked: &Revoked) -> der::Result<RevokedCert> {
    let reason = match revoked.reason {
        // RFC 5280 section 5.3.1: rather no extension than this.
        Reason::Unspecified => None,
        reason => Some(vec![Extension {
            extn_id: ID_CE_CRL_REASONS,
            critical: false,
            extn_value: OctetString::new([ENUMERATED, 1, reason.code()])?,
        }]),
    };
    Ok(RevokedCert {
        serial_number: SerialNumber::new(revoked.serial.as_bytes())?,
        revocation_date: time(revoked.at)?,
        crl_entry_extensions: reason,
    })
}

/// 2.5.29.20
const CRL_NUMBER: &[u8] = &[0x55, 0x1d, 20];
/// 2.5.29.21
const REASON_CODE: &[u8] = &[0x55, 0x1d, 21];
/// 2.5.29.35
const AUTHORITY_KEY_IDENTIFIER: &[u8] = &[0x55, 0x1d, 35];

/// Checks that the list says what `spec` says, all of it and nothing else, and that its signature is by the
/// key `issuer_spki` under `scheme`.
///
/// # Errors
/// The first part that differs. Such a list must not leave.
pub fn check(crl_der: &[u8], spec: &CrlSpec, scheme: Scheme, issuer_spki: &[u8]) -> Result<(), Error> {
    let (rest, crl) =
        CertificateRevocationList::from_der(crl_der).map_err(|_| Error::Unreadable { part: Part::Crl })?;
    if !rest.is_empty() {
        return Err(Error::TrailingBytes { part: Part::Crl });
    }
    let found = crl.iter_revoked_certificates().map(|entry| entry.raw_serial());
    require(
        found.eq(spec.revoked.iter().map(|revoked| revoked.serial.as_bytes().as_slice())),
        Part::TbsCertList,
    )?;
    let signed = crl.tbs_cert_list.as_ref();
    require(signed == encoded_tbs(spec, scheme), Part::TbsCertList)?;
    let signature = &crl.signature_value.data;
    require(crl_der == encoded_signed(signed, scheme, signature), Part::Crl)?;
    verify_signature(issuer_spki, scheme, signed, signature)
}

/// TBSCertList, written here once more.
fn encoded_tbs(spec: &CrlSpec, scheme: Scheme) -> Vec<u8> {
    let entries: Vec<u8> = spec.revoked.iter().flat_map(encoded_entry).collect();
    let number = unsigned(spec.number);
    let extensions = sequence(&[
        encoded::extension(AUTHORITY_KEY_IDENTIFIER, false, &encoded_key_identifier(&spec.authority_key_id)),
        encoded::extension(CRL_NUMBER, false, &number),
    ]);
    sequence(&[
        integer(1),
        encoded_algorithm(scheme),
        spec.issuer.clone(),
        encoded::time(spec.this_update),
        encoded::time(spec.next_update),
        if entries.is_empty() { Vec::new() } else { tlv(SEQUENCE, &entries) },
        tlv(context_constructed(0), &extensions),
    ])
}

fn encoded_entry(revoked: &Revoked) -> Vec<u8> {
    let extensions = match revoked.reason {
        Reason::Unspecified => Vec::new(),
        reason => {
            let code = tlv(ENUMERATED, &[reason.code()]);
            sequence(&[encoded::extension(REASON_CODE, false, &code)])
        }
    };
    sequence(&[tlv(INTEGER, revoked.serial.as_bytes()), encoded::time(revoked.at), extensions])
}

/// An INTEGER that is not negative: in the fewest bytes, the first bit 0.
fn unsigned(number: u64) -> Vec<u8> {
    let bytes: Vec<u8> = number.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
    let sign: &[u8] = if bytes.first().is_none_or(|byte| *byte >= 0x80) { &[0] } else { &[] };
    tlv(INTEGER, &[sign, &bytes].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_has_one_name_and_the_code_of_rfc_5280() {
        let codes: Vec<u8> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 9, 10]);
        for reason in Reason::ALL {
            assert_eq!(reason.as_str().parse(), Ok(reason));
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
        }
    }
}
