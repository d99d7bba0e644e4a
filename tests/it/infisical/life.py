def whole_life(made, collection, create, of):
    """Root and intermediate from their making to their deletion, by one generation of paths."""
    root = of(post(made, collection, create("root", "Root " + collection, notAfter="2036-01-01")))
    one = f"{collection}/{root['id']}"
    assert of(get(made, one)) == root
    below = of(post(made, collection, create("intermediate", "Issuing " + collection, maxPathLength=0)))
    under = f"{collection}/{below['id']}"
    raises(400, "BadRequest", lambda: get(made, f"{one}/csr"), "Root CA cannot generate CSR")
    raises(
        400, "BadRequest", lambda: get(made, f"{under}/certificate"), "CA does not have a certificate installed"
    )
    assert get(made, f"{under}/crls") == [] and get(made, f"{under}/ca-certificates") == []
    csr = get(made, f"{under}/csr")["csr"]
    assert get(made, f"{under}/csr")["csr"] == csr, "signed once"
    signed = post(made, f"{one}/sign-intermediate", {"csr": csr, "notAfter": "2030-01-01T00:00:00Z"})
    own = get(made, f"{one}/certificate")
    assert signed["issuingCaCertificate"] == own["certificate"] == signed["certificateChain"]
    bring = {"certificate": signed["certificate"], "certificateChain": signed["certificateChain"]}
    imported = post(made, f"{under}/import-certificate", bring)
    assert imported == {"message": "Successfully imported certificate to CA", "caId": below["id"]}, imported
    installed = get(made, f"{under}/certificate")
    assert installed["certificate"] == signed["certificate"]
    assert installed["certificateChain"] == own["certificate"]
    assert installed["serialNumber"] == signed["serialNumber"]
    assert of(get(made, under))["status"] == "active"
    leaf = post(made, f"{under}/sign-certificate", {"csr": lab["leaf_csr"], "ttl": "30d"})
    assert leaf["issuingCaCertificate"] == installed["certificate"]
    assert leaf["certificateChain"] == installed["certificate"] + "\n" + own["certificate"]
    renewed = post(made, f"{one}/renew", {"type": "existing", "notAfter": "2040-01-01"})
    versions = get(made, f"{one}/ca-certificates")
    assert [version["version"] for version in versions] == [1, 2]
    assert versions[1]["certificate"] == renewed["certificate"] != own["certificate"]
    der = made.api.session.get(lab["host"] + f"{one}/certificates/{renewed['certId']}/der")
    assert der.status_code == 200 and der.headers["content-type"] == "application/pkix-cert"
    assert der.content[:2] == b"\x30\x82"
    [crl] = get(made, f"{one}/crls")
    assert crl["crl"].startswith("-----BEGIN X509 CRL-----"), crl
    assert of(patch(made, one, {"status": "disabled"}))["status"] == "disabled"
    raises(
        400,
        "BadRequest",
        lambda: post(made, f"{one}/sign-intermediate", {"csr": csr, "notAfter": "2030-01-01"}),
        "CA is disabled",
    )
    assert of(patch(made, one, {"status": "disabled"}))["status"] == "disabled"
    assert of(patch(made, one, {"status": "active"}))["status"] == "active"
    assert of(delete(made, one))["id"] == root["id"]
    raises(404, "NotFound", lambda: get(made, one), f"CA with ID '{root['id']}' not found")
    return {"root": own, "below": below["id"], "issuing": installed, "leaf": leaf, "csr": csr}


made = client()


def old(kind, name, **more):
    return {"projectSlug": lab["slug"], "type": kind, **DN, "commonName": name, "keyAlgorithm": "EC_prime256v1", **more}


def new(kind, name, **more):
    asked = {**DN, "type": kind, "commonName": name, "keyAlgorithm": "EC_secp384r1", "maxPathLength": -1, **more}
    slug = name.lower().replace(" ", "-").replace("/", "-")
    return {"name": slug, "projectId": lab["project"], "status": "active", "configuration": asked}


first = whole_life(made, CA, old, lambda answer: answer["ca"])
second = whole_life(made, INTERNAL, new, lambda answer: answer)

# What an object has in it.
shown = post(
    made,
    CA,
    old(
        "root",
        "Shown",
        friendlyName="The first",
        maxPathLength=1,
        keySource="hsm",
        hsmConnectorId="0b1f6f0e-0000-4000-8000-000000000001",
        hsmKeyLabel="ca-1",
    ),
)["ca"]
expected = {
    "projectId": lab["project"],
    "type": "root",
    "status": "active",
    "friendlyName": "The first",
    "commonName": "Shown",
    "organization": "Lab B.V.",
    "ou": "",
    "country": "NL",
    "province": "Utrecht",
    "locality": "Amersfoort",
    "dn": "CN=Shown,O=Lab B.V.,L=Amersfoort,ST=Utrecht,C=NL",
    "maxPathLength": 1,
    "keyAlgorithm": "EC_prime256v1",
    "parentCaId": None,
    "activeCaCertVersion": 1,
    "keySource": "hsm",
    "hsmConnectorId": "0b1f6f0e-0000-4000-8000-000000000001",
    "hsmKeyLabel": "ca-1",
}
assert {name: shown[name] for name in expected} == expected, shown
assert shown["serialNumber"] == get(made, f"{CA}/{shown['id']}/certificate")["serialNumber"]
both = get(made, f"{INTERNAL}/{shown['id']}")
assert both["type"] == "internal" and both["configuration"]["hsmKeyLabel"] == "ca-1", both
listed = get(made, INTERNAL, projectId=lab["project"])
assert [ca["id"] for ca in listed] == [first["below"], second["below"], shown["id"]], listed
assert get(made, INTERNAL) == listed
assert [ca["id"] for ca in get(made, CA, projectSlug=lab["slug"])] == [ca["id"] for ca in listed]
# As the Terraform provider certifies: the key stays, and an intermediate by its parent's id.
below = post(made, INTERNAL, new("intermediate", "Below shown"))
lasts = {"notBefore": "2026-01-01", "notAfter": "2031-01-01", "maxPathLength": 0, "parentCaId": shown["id"]}
given = post(made, f"{INTERNAL}/{below['id']}/certificate", lasts)
assert given["certificateChain"] == get(made, f"{CA}/{shown['id']}/certificate")["certificate"], given
now = get(made, f"{INTERNAL}/{below['id']}")
assert now["configuration"]["parentCaId"] == shown["id"] and now["configuration"]["maxPathLength"] == 0, now
again = post(made, f"{INTERNAL}/{shown['id']}/certificate", {"notAfter": "2035-01-01", "maxPathLength": 1})
assert again["version"] == 2, again
print(json.dumps([first, second]))
