import json
import sys
from concurrent.futures import ThreadPoolExecutor

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

import vcert

given = json.loads(sys.argv[1])
host = "gw.lab.example"


def connect(key=None):
    return vcert.CloudConnection(
        token=key or given["requester"], url=given["url"], http_request_kwargs={"verify": given["ca"], "timeout": 60}
    )


def asked(name=host, **more):
    return vcert.CertificateRequest(
        common_name=name, san_dns=[name], organization="Lab B.V.", country="NL", **more
    )


def public(pem):
    return x509.load_pem_x509_certificate(pem.encode()).public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def thumbprint(pem):
    return x509.load_pem_x509_certificate(pem.encode()).fingerprint(hashes.SHA1()).hex()


def raised(what):
    """The name of the exception's class, and its text."""
    try:
        what()
    except Exception as error:
        return [type(error).__name__, str(error)]
    return ["nothing", ""]


def done(result):
    print(json.dumps(result))
