"""Issues a throw-away certificate from every CSR and prints pkilint's findings of each, as JSON.

usage: lint_csrs.py {"name": ["OV_FINAL_CERTIFICATE" or "PKIX", "PEM of the CSR"], ...}
"""
import datetime, json, sys
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID
from pkilint import finding_filter, loader
from pkilint.cabf import serverauth
from pkilint.cabf.serverauth.serverauth_constants import CertificateType
from pkilint.pkix import certificate, extension, name

CA_KEY = ec.generate_private_key(ec.SECP256R1())
CA_NAME = x509.Name([
    x509.NameAttribute(NameOID.COUNTRY_NAME, "NL"),
    x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Scratch"),
    x509.NameAttribute(NameOID.COMMON_NAME, "Scratch CA"),
])
# CA/Browser Forum, reserved certificate policy identifiers.
POLICIES = {
    "DV_FINAL_CERTIFICATE": "2.23.140.1.2.1",
    "OV_FINAL_CERTIFICATE": "2.23.140.1.2.2",
    "EV_FINAL_CERTIFICATE": "2.23.140.1.1",
}


def issue(csr, kind):
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(csr.subject)
        .public_key(csr.public_key())
        .issuer_name(CA_NAME)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=40))
    )
    for asked in csr.extensions:
        builder = builder.add_extension(asked.value, asked.critical)
    for added in [
        x509.AuthorityKeyIdentifier.from_issuer_public_key(CA_KEY.public_key()),
        x509.CRLDistributionPoints([
            x509.DistributionPoint([x509.UniformResourceIdentifier("http://ca.example.com/ca.crl")], None, None, None)
        ]),
        x509.AuthorityInformationAccess([
            x509.AccessDescription(
                AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier("http://ca.example.com/ca.der")
            )
        ]),
    ]:
        builder = builder.add_extension(added, critical=False)
    if kind in POLICIES:
        policy = x509.PolicyInformation(x509.ObjectIdentifier(POLICIES[kind]), None)
        builder = builder.add_extension(x509.CertificatePolicies([policy]), critical=False)
    return builder.sign(CA_KEY, hashes.SHA256())


def validators(kind):
    if kind in POLICIES:
        return serverauth.create_decoding_validators(), serverauth.create_validators(CertificateType[kind])
    decoding = certificate.create_decoding_validators(name.ATTRIBUTE_TYPE_MAPPINGS, extension.EXTENSION_MAPPINGS)
    return decoding, [
        certificate.create_issuer_validator_container([]),
        certificate.create_validity_validator_container(),
        certificate.create_subject_validator_container([]),
        certificate.create_extensions_validator_container([]),
        certificate.create_spki_validator_container([]),
    ]


def lint(der, kind):
    document = loader.RFC5280CertificateDocumentLoader().load_der_document(der)
    results = certificate.create_pkix_certificate_validator_container(*validators(kind)).validate(document.root)
    if kind in POLICIES:
        filters = serverauth.create_serverauth_finding_filters(CertificateType[kind])
        results, _ = finding_filter.filter_results(filters, results)
    return [
        [found.finding.severity.name, f"{found.finding.code} at {result.node.path}: {found.message}"]
        for result in results
        for found in result.finding_descriptions
    ]


def findings(kind, pem):
    return lint(issue(x509.load_pem_x509_csr(pem.encode()), kind).public_bytes(Encoding.DER), kind)


print(json.dumps({name: findings(*wanted) for name, wanted in json.loads(sys.argv[1]).items()}))
