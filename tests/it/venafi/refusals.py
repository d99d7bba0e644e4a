connection = connect()
zone = given["zone"]
results = {}


def refused(name, what):
    results[name] = raised(what)


def request(where=zone, **more):
    return lambda: connection.request_cert(asked(**more), where)


service = {"csr_origin": vcert.CSR_ORIGIN_SERVICE}
refused("no key", lambda: connect("srk_wrong").auth())
refused("an application that is not there", request("Nowhere\\Auto"))
refused("a template that is not there", request("Shop\\Nothing"))
refused("an application of another tenant", lambda: connect(given["stranger"]).read_zone_conf(zone))
refused("a reader who asks", lambda: connect(given["reader"]).request_cert(asked(), zone))
refused("a name that is not allowed", request(name="gw.elsewhere.example"))
refused("an own key that is not allowed", request(key_type=vcert.KeyType("ec", "p521")))
refused("a service key that is not allowed", request(key_type=vcert.KeyType("ec", "p521"), **service))
refused("an organisation that is not allowed", lambda: connection.request_cert(
    vcert.CertificateRequest(common_name=host, san_dns=[host], organization="Other Inc", country="NL"), zone))
refused("too long", request(validity_hours=24 * 300))
tampered = asked()
tampered.build_csr()
csr = x509.load_pem_x509_csr(tampered.csr.encode()).public_bytes(serialization.Encoding.DER)
csr = csr[:-1] + bytes([csr[-1] ^ 1])
import base64
tampered.csr = "-----BEGIN CERTIFICATE REQUEST-----\n" + base64.encodebytes(csr).decode() + "-----END CERTIFICATE REQUEST-----\n"
refused("no proof of possession", lambda: connection.request_cert(tampered, zone))
first = asked()
connection.request_cert(first, zone)
connection.retrieve_cert(first)
once = vcert.CertificateRequest(common_name=host, san_dns=[host], organization="Lab B.V.", country="NL")
connection.request_cert(once, given["once"])
connection.retrieve_cert(once)
refused("a key that may not be used again", lambda: connection.renew_cert(
    vcert.CertificateRequest(cert_id=once.id), reuse_key=True))
refused("a request that is not there", lambda: connection.retrieve_cert(
    vcert.CertificateRequest(cert_id="019aa5b2-5c3e-7c61-9d3f-0a4a6f2f8e11")))
refused("another tenant's request", lambda: connect(given["stranger"]).retrieve_cert(
    vcert.CertificateRequest(cert_id=first.id)))
refused("another tenant's renewal", lambda: connect(given["stranger"]).renew_cert(
    vcert.CertificateRequest(cert_id=first.id), reuse_key=True))
refused("another tenant's retirement", lambda: connect(given["stranger"]).retire_cert(
    vcert.CertificateRequest(cert_id=first.id)))
refused("a revocation without the permission", lambda: connection.revoke_cert(
    vcert.RevocationRequest(thumbprint="ab" * 20)))
refused("a revocation of nothing", lambda: connect(given["operator"]).revoke_cert(
    vcert.RevocationRequest(thumbprint="ab" * 20)))
refused("a search for nothing", lambda: connection.search_by_thumbprint("ab" * 20, timeout=0))
refused("a key for export", lambda: connection._get("v1/edgeencryptionkeys/abc"))
refused("a key store", lambda: connection._post(
    f"outagedetection/v1/certificates/{first.id}/keystore", {"exportFormat": "PEM"}))
refused("a certificate that is not there yet", lambda: connection.renew_cert(
    vcert.CertificateRequest(cert_id=given["pending"])))
done(results)
