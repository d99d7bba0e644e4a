"""Prints what cryptography reads in every CSR of a directory, as JSON by the name of the file."""
import json, pathlib, sys
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

KINDS = {
    x509.DNSName: "DNS",
    x509.IPAddress: "IP",
    x509.RFC822Name: "email",
    x509.UniformResourceIdentifier: "URI",
    x509.RegisteredID: "RID",
}

def general_name(name):
    value = name.value
    if isinstance(name, x509.OtherName):
        return ["otherName", f"{name.type_id.dotted_string};{value.hex()}"]
    if isinstance(name, x509.DirectoryName):
        return ["dirName", value.public_bytes().hex()]
    if isinstance(name, x509.RegisteredID):
        value = value.dotted_string
    return [KINDS[type(name)], str(value)]

def alternative_names(csr):
    try:
        return csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []

def read(csr):
    return {
        "subject": csr.subject.public_bytes().hex(),
        "sans": [general_name(name) for name in alternative_names(csr)],
        "spki": csr.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo).hex(),
        "signature_is_good": csr.is_signature_valid,
    }

files = pathlib.Path(sys.argv[1]).glob("*.der")
print(json.dumps({file.stem: read(x509.load_der_x509_csr(file.read_bytes())) for file in files}))
