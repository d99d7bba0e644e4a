connection = connect()
assert connection.auth()["company"]["name"] == "lab"
config = connection.read_zone_conf(given["tag"])
assert [vars(kind) for kind in config.policy.key_types] == [
    {"key_type": "rsa", "option": 2048}, {"key_type": "rsa", "option": 3072}], config.policy.key_types
assert config.policy.name == "auto" and config.policy.key_reuse is True
issued = {}
request = asked(key_type=vcert.KeyType("rsa", 2048))
assert connection.request_cert(request, given["tag"])
got = connection.retrieve_cert(request)
assert len(got.chain) == 1 and request.manage_id == request.id
request.chain_option = "first"
again = connection.retrieve_cert(request)
assert (again.cert, again.chain) == (got.cert, got.chain)
issued["first"] = {"id": request.id, "cert": got.cert, "chain": got.chain}

# Without key reuse: a new key of the same length.
fresh = vcert.CertificateRequest(cert_id=request.id)
assert connection.renew_cert(fresh) and fresh.id != request.id
got = connection.retrieve_cert(fresh)
assert public(got.cert) != public(issued["first"]["cert"]) and fresh.manage_id == request.manage_id
issued["renewed"] = {"id": fresh.id, "cert": got.cert, "chain": got.chain}

# With it, by the thumbprint: the CSR of the newest request once more.
same = vcert.CertificateRequest(thumbprint=thumbprint(issued["first"]["cert"]))
assert connection.renew_cert(same, reuse_key=True)
got = connection.retrieve_cert(same)
assert public(got.cert) == public(issued["renewed"]["cert"])
issued["same key"] = {"id": same.id, "cert": got.cert, "chain": got.chain}
assert connection.search_by_thumbprint("ab" * 20) is None

# With a CSR of one's own, which says itself whose key it is.
own = asked(cert_id=request.id)
own.build_csr()
assert connection.renew_cert(own, reuse_key=True)
assert connection.retrieve_cert(own).cert

waiting = asked()
assert connection.request_cert(waiting, given["manual_tag"])
assert connection.retrieve_cert(waiting) is None
issued["waiting"] = {"id": waiting.id}


def one(nth):
    connection = connect()
    request = asked(f"n{nth}.lab.example", key_type=vcert.KeyType("rsa", 2048))
    connection.request_cert(request, given["tag"])
    return connection.retrieve_cert(request).cert


with ThreadPoolExecutor(8) as pool:
    assert len({public(cert) for cert in pool.map(one, range(16))}) == 16

refusals = {
    "no key": raised(lambda: connect("srk_wrong").auth()),
    "a zone that is not there": raised(lambda: connection.request_cert(asked(), "nothing")),
    "another tenant's zone": raised(lambda: connect(given["stranger"]).read_zone_conf(given["tag"])),
    "another tenant's request": raised(lambda: connect(given["stranger"]).retrieve_cert(request)),
    "a name that is not allowed": raised(lambda: connection.request_cert(asked("gw.elsewhere.example"), given["tag"])),
    "a reader who asks": raised(lambda: connect(given["reader"]).request_cert(asked(), given["tag"])),
}
done({"issued": issued, "refusals": refusals})
