"""Prints pkilint's findings of certificates and revocation lists, as JSON.

usage: lint_certificates.py {"name": ["certificate" or "crl", "PEM"], ...}
"""
import json, sys
from pkilint import loader, pkix
from pkilint.pkix import certificate, crl, extension, name

CERTIFICATE = certificate.create_pkix_certificate_validator_container(
    certificate.create_decoding_validators(name.ATTRIBUTE_TYPE_MAPPINGS, extension.EXTENSION_MAPPINGS),
    [
        certificate.create_issuer_validator_container([]),
        certificate.create_validity_validator_container(),
        certificate.create_subject_validator_container([]),
        certificate.create_extensions_validator_container([]),
        certificate.create_spki_validator_container([]),
    ],
)
CRL = crl.create_pkix_crl_validator_container(
    [
        pkix.create_attribute_decoder(name.ATTRIBUTE_TYPE_MAPPINGS),
        pkix.create_extension_decoder(extension.EXTENSION_MAPPINGS),
    ],
    [
        crl.create_issuer_validator_container([]),
        crl.create_validity_validator_container([]),
        crl.create_extensions_validator_container([]),
    ],
)


def findings(kind, pem):
    if kind == "crl":
        document, validator = loader.RFC5280CertificateListDocumentLoader().load_pem_document(pem), CRL
    else:
        document, validator = loader.RFC5280CertificateDocumentLoader().load_pem_document(pem), CERTIFICATE
    return [
        [found.finding.severity.name, f"{found.finding.code} at {result.node.path}: {found.message}"]
        for result in validator.validate(document.root)
        for found in result.finding_descriptions
    ]


print(json.dumps({name: findings(*wanted) for name, wanted in json.loads(sys.argv[1]).items()}))
