connection = connect()
account = connection.auth()
assert account["company"]["name"] == "lab" and account["user"]["username"] == "requester", account
config = connection.read_zone_conf(given["zone"])
assert config.key_type == vcert.KeyType("rsa", 2048), config.key_type
policy = connection.get_policy(given["zone"])
assert policy.users == ["requester"] and policy.policy.max_valid_days == 200, vars(policy.policy)
assert policy.policy.key_pair.elliptic_curves == ["P256", "P384"], vars(policy.policy.key_pair)
issued = {}

# A key of one's own, of each type; the chain in either order.
for name, kind in [("rsa", vcert.KeyType("rsa", 2048)), ("ec", vcert.KeyType("ec", "p384"))]:
    request = asked(key_type=kind, validity_hours=48)
    assert connection.request_cert(request, given["zone"])
    got = connection.retrieve_cert(request)
    assert len(got.chain) == 1 and "PRIVATE KEY" in got.key, got.key
    own = serialization.load_pem_private_key(got.key.encode(), None).public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert public(got.cert) == own
    request.chain_option = "first"
    again = connection.retrieve_cert(request)
    assert (again.cert, again.chain) == (got.cert, got.chain)
    issued[name] = {"id": request.id, "cert": got.cert, "chain": got.chain}

# The key is made in the token: there is no key to get.
service = asked(
    csr_origin=vcert.CSR_ORIGIN_SERVICE, key_type=vcert.KeyType("ec", "p256"), ip_addresses=["10.20.30.40"],
    organizational_unit=["Ops"], province="Utrecht", locality="Amersfoort",
)
assert connection.request_cert(service, given["zone"])
got = connection.retrieve_cert(service)
assert got.key is None and len(got.chain) == 1
issued["service"] = {"id": service.id, "cert": got.cert, "chain": got.chain}

# Renewed with the same key: of the token by the request, of the client by the thumbprint.
same = vcert.CertificateRequest(cert_id=service.id)
assert connection.renew_cert(same, reuse_key=True) and same.id != service.id
got = connection.retrieve_cert(same)
assert got.key is None and public(got.cert) == public(issued["service"]["cert"])
issued["service again"] = {"id": same.id, "cert": got.cert, "chain": got.chain}
same = vcert.CertificateRequest(thumbprint=thumbprint(issued["rsa"]["cert"]))
assert connection.renew_cert(same, reuse_key=True)
got = connection.retrieve_cert(same)
assert public(got.cert) == public(issued["rsa"]["cert"])
issued["rsa again"] = {"id": same.id, "cert": got.cert, "chain": got.chain}

# Renewed with a new key of one's own, of the same type.
fresh = vcert.CertificateRequest(cert_id=issued["ec"]["id"])
assert connection.renew_cert(fresh) and fresh.key_type == vcert.KeyType("ec", "p384"), fresh.key_type
got = connection.retrieve_cert(fresh)
assert public(got.cert) != public(issued["ec"]["cert"])
assert x509.load_pem_x509_certificate(got.cert.encode()).subject == x509.load_pem_x509_certificate(
    issued["ec"]["cert"].encode()
).subject
issued["ec renewed"] = {"id": fresh.id, "cert": got.cert, "chain": got.chain}

# Found, retired by id and by thumbprint.
found = connection.search_by_thumbprint(thumbprint(issued["service"]["cert"]))
assert found.csrId == service.id and found.status == "ACTIVE", vars(found)
assert connection.retire_cert(vcert.CertificateRequest(cert_id=service.cert_guid))
assert connection.search_by_thumbprint(thumbprint(issued["service"]["cert"])).status == "RETIRED"
assert connection.retire_cert(vcert.CertificateRequest(thumbprint=thumbprint(issued["rsa"]["cert"])))

# Eight at a time, half of them with keys of the token.
def one(nth):
    connection = connect()
    origin = vcert.CSR_ORIGIN_SERVICE if nth % 2 else vcert.CSR_ORIGIN_LOCAL
    request = asked(f"n{nth}.lab.example", csr_origin=origin, key_type=vcert.KeyType("ec", "p256"))
    connection.request_cert(request, given["zone"])
    got = connection.retrieve_cert(request)
    assert (got.key is None) == bool(nth % 2)
    return got.cert

with ThreadPoolExecutor(8) as pool:
    many = list(pool.map(one, range(24)))
assert len({public(cert) for cert in many}) == 24

# Revoked by whoever may; not twice.
operator = connect(given["operator"])
revocation = vcert.RevocationRequest(thumbprint=thumbprint(issued["ec"]["cert"]), reason=4)
answer = operator.revoke_cert(revocation)
assert answer["status"] == "SUBMITTED" and answer["id"] == issued["ec"]["id"], answer
twice = raised(lambda: operator.revoke_cert(revocation))
assert twice[0] == "CertificateRevokeError", twice
named = vcert.RevocationRequest(
    thumbprint=thumbprint(issued["ec renewed"]["cert"]), ca_account_name="issuing"
)
assert operator.revoke_cert(named)["status"] == "SUBMITTED"
done(issued)
