//! Names of object identifiers.

use const_oid::ObjectIdentifier;
use serde::Serialize;

use super::super::super::name;

/// An object identifier, and what it is called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Identified {
    /// Dotted.
    pub oid: String,
    /// Its name, where it has one here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'static str>,
}

impl Identified {
    pub(super) fn new(oid: ObjectIdentifier) -> Self {
        Self { oid: oid.to_string(), name: name_of(oid) }
    }

    /// The name, or the dotted form where there is none.
    pub fn label(&self) -> &str {
        self.name.unwrap_or(&self.oid)
    }
}

fn name_of(oid: ObjectIdentifier) -> Option<&'static str> {
    let own = NAMES.iter().find(|(known, _)| *known == oid).map(|(_, name)| *name);
    own.or_else(|| name::attribute_name(oid)).or_else(|| const_oid::db::DB.by_oid(&oid))
}

pub(super) const fn oid(dotted: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(dotted)
}

/// Names that const-oid does not have, or not as people know them.
const NAMES: &[(ObjectIdentifier, &str)] = &[
    // Extensions: RFC 5280, RFC 7633, RFC 6962, [MS-WCCE] section 2.2.2.7.7.
    (oid("2.5.29.14"), "subjectKeyIdentifier"),
    (oid("2.5.29.15"), "keyUsage"),
    (oid("2.5.29.16"), "privateKeyUsagePeriod"),
    (oid("2.5.29.17"), "subjectAltName"),
    (oid("2.5.29.18"), "issuerAltName"),
    (oid("2.5.29.19"), "basicConstraints"),
    (oid("2.5.29.30"), "nameConstraints"),
    (oid("2.5.29.31"), "cRLDistributionPoints"),
    (oid("2.5.29.32"), "certificatePolicies"),
    (oid("2.5.29.32.0"), "anyPolicy"),
    (oid("2.5.29.35"), "authorityKeyIdentifier"),
    (oid("2.5.29.36"), "policyConstraints"),
    (oid("2.5.29.37"), "extendedKeyUsage"),
    (oid("2.5.29.54"), "inhibitAnyPolicy"),
    (oid("1.3.6.1.5.5.7.1.1"), "authorityInfoAccess"),
    (oid("1.3.6.1.5.5.7.1.3"), "qcStatements"),
    (oid("1.3.6.1.5.5.7.1.24"), "tlsFeature"),
    (oid("1.3.6.1.5.5.7.48.1.5"), "ocspNoCheck"),
    (oid("1.3.6.1.4.1.11129.2.4.2"), "signedCertificateTimestampList"),
    (oid("1.2.840.113549.1.9.15"), "smimeCapabilities"),
    (oid("2.16.840.1.113730.1.1"), "netscapeCertType"),
    (oid("2.16.840.1.113730.1.13"), "netscapeComment"),
    (oid("1.3.6.1.4.1.311.20.2"), "szOID_ENROLL_CERTTYPE_EXTENSION"),
    (oid("1.3.6.1.4.1.311.21.7"), "szOID_CERTIFICATE_TEMPLATE"),
    (oid("1.3.6.1.4.1.311.21.10"), "szOID_APPLICATION_CERT_POLICIES"),
    (oid("1.3.6.1.4.1.311.25.2"), "szOID_NTDS_CA_SECURITY_EXT"),
    // Attributes: RFC 2985, [MS-WCCE] section 2.2.2.7.
    (oid("1.2.840.113549.1.9.2"), "unstructuredName"),
    (oid("1.2.840.113549.1.9.7"), "challengePassword"),
    (oid("1.2.840.113549.1.9.8"), "unstructuredAddress"),
    (oid("1.2.840.113549.1.9.14"), "extensionRequest"),
    (oid("1.2.840.113549.1.9.20"), "friendlyName"),
    (oid("1.2.840.113549.1.9.21"), "localKeyID"),
    (oid("1.3.6.1.4.1.311.2.1.14"), "szOID_CERT_EXTENSIONS"),
    (oid("1.3.6.1.4.1.311.13.1"), "szOID_RENEWAL_CERTIFICATE"),
    (oid("1.3.6.1.4.1.311.13.2.1"), "szOID_ENROLLMENT_NAME_VALUE_PAIR"),
    (oid("1.3.6.1.4.1.311.13.2.2"), "szOID_ENROLLMENT_CSP_PROVIDER"),
    (oid("1.3.6.1.4.1.311.13.2.3"), "szOID_OS_VERSION"),
    (oid("1.3.6.1.4.1.311.21.20"), "szOID_REQUEST_CLIENT_INFO"),
    // Purposes that RFC 5280 does not name.
    (oid("2.5.29.37.0"), "anyExtendedKeyUsage"),
    (oid("1.3.6.1.5.5.7.3.1"), "serverAuth"),
    (oid("1.3.6.1.5.5.7.3.2"), "clientAuth"),
    (oid("1.3.6.1.5.5.7.3.3"), "codeSigning"),
    (oid("1.3.6.1.5.5.7.3.4"), "emailProtection"),
    (oid("1.3.6.1.5.5.7.3.8"), "timeStamping"),
    (oid("1.3.6.1.5.5.7.3.9"), "OCSPSigning"),
    (oid("1.3.6.1.5.5.7.3.17"), "ipsecIKE"),
    (oid("1.3.6.1.5.2.3.4"), "pkinitClientAuth"),
    (oid("1.3.6.1.5.2.3.5"), "pkinitKDC"),
    (oid("1.3.6.1.4.1.311.10.3.4"), "encryptingFileSystem"),
    (oid("1.3.6.1.4.1.311.10.3.12"), "documentSigning"),
    (oid("1.3.6.1.4.1.311.20.2.2"), "smartcardLogon"),
    // Keys and curves: RFC 3279, RFC 5480, RFC 5639, RFC 8410.
    (oid("1.2.840.113549.1.1.1"), "rsaEncryption"),
    (oid("1.2.840.10040.4.1"), "dsa"),
    (oid("1.2.840.10045.2.1"), "ecPublicKey"),
    (oid("1.2.840.10045.3.1.1"), "P-192"),
    (oid("1.3.132.0.33"), "P-224"),
    (oid("1.2.840.10045.3.1.7"), "P-256"),
    (oid("1.3.132.0.34"), "P-384"),
    (oid("1.3.132.0.35"), "P-521"),
    (oid("1.3.132.0.10"), "secp256k1"),
    (oid("1.3.36.3.3.2.8.1.1.7"), "brainpoolP256r1"),
    (oid("1.3.36.3.3.2.8.1.1.11"), "brainpoolP384r1"),
    (oid("1.3.36.3.3.2.8.1.1.13"), "brainpoolP512r1"),
    (oid("1.2.156.10197.1.301"), "SM2"),
    (oid("1.3.101.110"), "X25519"),
    (oid("1.3.101.111"), "X448"),
    (oid("1.3.101.112"), "Ed25519"),
    (oid("1.3.101.113"), "Ed448"),
    (oid("1.2.643.7.1.1.1.1"), "GOST R 34.10-2012 (256)"),
    (oid("1.2.643.7.1.1.1.2"), "GOST R 34.10-2012 (512)"),
    // Signatures and digests: RFC 3279, RFC 4055, RFC 5758, FIPS 204 and 205 (RFC 9881, RFC 9909).
    (oid("1.2.840.113549.1.1.2"), "md2WithRSAEncryption"),
    (oid("1.2.840.113549.1.1.4"), "md5WithRSAEncryption"),
    (oid("1.2.840.113549.1.1.5"), "sha1WithRSAEncryption"),
    (oid("1.3.14.3.2.29"), "sha1WithRSASignature"),
    (oid("1.2.840.113549.1.1.10"), "RSASSA-PSS"),
    (oid("1.2.840.113549.1.1.11"), "sha256WithRSAEncryption"),
    (oid("1.2.840.113549.1.1.12"), "sha384WithRSAEncryption"),
    (oid("1.2.840.113549.1.1.13"), "sha512WithRSAEncryption"),
    (oid("1.2.840.113549.1.1.14"), "sha224WithRSAEncryption"),
    (oid("1.2.840.10040.4.3"), "dsa-with-SHA1"),
    (oid("2.16.840.1.101.3.4.3.2"), "dsa-with-SHA256"),
    (oid("1.2.840.10045.4.1"), "ecdsa-with-SHA1"),
    (oid("1.2.840.10045.4.3.1"), "ecdsa-with-SHA224"),
    (oid("1.2.840.10045.4.3.2"), "ecdsa-with-SHA256"),
    (oid("1.2.840.10045.4.3.3"), "ecdsa-with-SHA384"),
    (oid("1.2.840.10045.4.3.4"), "ecdsa-with-SHA512"),
    (oid("1.2.156.10197.1.501"), "SM2-with-SM3"),
    (oid("1.2.643.7.1.1.3.2"), "GOST R 34.10-2012 (256) with Streebog"),
    (oid("1.2.643.7.1.1.3.3"), "GOST R 34.10-2012 (512) with Streebog"),
    (oid("2.16.840.1.101.3.4.3.17"), "ML-DSA-44"),
    (oid("2.16.840.1.101.3.4.3.18"), "ML-DSA-65"),
    (oid("2.16.840.1.101.3.4.3.19"), "ML-DSA-87"),
    (oid("2.16.840.1.101.3.4.3.20"), "SLH-DSA-SHA2-128s"),
    (oid("2.16.840.1.101.3.4.3.21"), "SLH-DSA-SHA2-128f"),
    (oid("2.16.840.1.101.3.4.3.22"), "SLH-DSA-SHA2-192s"),
    (oid("2.16.840.1.101.3.4.3.23"), "SLH-DSA-SHA2-192f"),
    (oid("2.16.840.1.101.3.4.3.24"), "SLH-DSA-SHA2-256s"),
    (oid("2.16.840.1.101.3.4.3.25"), "SLH-DSA-SHA2-256f"),
    (oid("1.2.840.113549.2.5"), "MD5"),
    (oid("1.3.14.3.2.26"), "SHA-1"),
    (oid("2.16.840.1.101.3.4.2.1"), "SHA-256"),
    (oid("2.16.840.1.101.3.4.2.2"), "SHA-384"),
    (oid("2.16.840.1.101.3.4.2.3"), "SHA-512"),
    (oid("2.16.840.1.101.3.4.2.4"), "SHA-224"),
    (oid("1.2.840.113549.1.1.8"), "MGF1"),
];
