made = client()
root = post(made, CA, {"projectSlug": lab["slug"], "type": "root", **DN, "keyAlgorithm": "EC_prime256v1", "notAfter": "2036-01-01"})["ca"]
one = f"{CA}/{root['id']}"
below = post(made, CA, {"projectSlug": lab["slug"], "type": "intermediate", **DN, "keyAlgorithm": "EC_prime256v1"})["ca"]
under = f"{CA}/{below['id']}"
csr = get(made, f"{under}/csr")["csr"]

# Who it is.
nobody = InfisicalSDKClient(host=lab["host"])
raises(401, "UnauthorizedError", lambda: get(nobody, one), "Token missing")
for wrong in [(lab["operator"]["id"], "srb_wrong"), ("nobody", lab["operator"]["secret"]), (lab["reader"]["id"], lab["operator"]["secret"])]:
    raises(401, "UnauthorizedError", lambda: nobody.auth.universal_auth.login(*wrong), "Invalid credentials")
nobody.set_token("no.such.token")
raises(403, "TokenError", lambda: get(nobody, one))
raises(422, "ValidationFailure", lambda: post(nobody, "/api/v1/auth/universal-auth/login", {"clientId": "x"}), issues=[("invalid_type", "clientSecret")])

# What he may do: a reader looks, a requester has certificates issued, another project's is not there.
reader, stranger = client("reader"), client("stranger")
assert get(reader, one)["ca"]["id"] == root["id"]
assert raises(403, "PermissionDenied", lambda: patch(reader, one, {"status": "disabled"}))["details"] == []
raises(403, "PermissionDenied", lambda: post(reader, f"{one}/sign-certificate", {"csr": lab["leaf_csr"], "ttl": "1d"}))
raises(403, "PermissionDenied", lambda: post(client("requester"), CA, {}))
for call in [
    lambda: get(stranger, one),
    lambda: get(stranger, f"{one}/csr"),
    lambda: delete(stranger, one),
    lambda: patch(stranger, one, {"status": "disabled"}),
    lambda: post(stranger, f"{one}/sign-intermediate", {"csr": csr, "notAfter": "2030-01-01"}),
    lambda: post(stranger, "/api/v1/pki/certificates/sign-certificate", {"caId": root["id"], "csr": csr, "ttl": "1d"}),
]:
    raises(404, "NotFound", call, f"CA with ID '{root['id']}' not found")
raises(404, "NotFound", lambda: get(stranger, INTERNAL, projectId=lab["project"]), f"Project with ID '{lab['project']}' not found")
raises(404, "NotFound", lambda: post(stranger, CA, {"projectSlug": lab["slug"], "type": "root", **DN}), f"Project with slug '{lab['slug']}' not found")
assert get(stranger, INTERNAL) == []
raises(400, "BadRequest", lambda: get(client("both"), INTERNAL))
assert [ca["id"] for ca in get(client("both"), INTERNAL, projectId=lab["project"])] == [root["id"], below["id"]]
assert get(client("both"), one)["ca"]["id"] == root["id"]

# What a CA may be.
raises(404, "NotFound", lambda: get(made, f"{CA}/none"), "CA with ID 'none' not found")
raises(422, "ValidationFailure", lambda: post(made, CA, {}), issues=[("invalid_type", "projectSlug"), ("invalid_type", "type"), ("custom", "")])
raises(
    422,
    "ValidationFailure",
    lambda: post(made, CA, {"projectSlug": lab["slug"], "type": "leaf", "commonName": 1, "country": "Holland", "notAfter": "soon", "keyAlgorithm": "RSA_1", "maxPathLength": -2}),
    issues=[("invalid_enum_value", "type"), ("invalid_type", "commonName"), ("custom", "country"), ("custom", "notAfter"), ("custom", "maxPathLength"), ("invalid_enum_value", "keyAlgorithm")],
)
raises(422, "ValidationFailure", lambda: post(made, INTERNAL, {"projectId": lab["project"], "name": "a b"}), issues=[("custom", "name"), ("invalid_type", "configuration"), ("invalid_type", "configuration.type"), ("custom", "configuration")])
for algorithm in ["ML-DSA-65", "SLH-DSA-SHA2-128s"]:
    told = raises(400, "BadRequest", lambda: post(made, CA, {"projectSlug": lab["slug"], "type": "root", **DN, "keyAlgorithm": algorithm}))
    assert algorithm in told["message"] and "RSA_2048" in told["message"], told
named = {"name": "twice", "projectId": lab["project"], "status": "active", "configuration": {"type": "intermediate", **DN, "keyAlgorithm": "EC_prime256v1"}}
post(made, INTERNAL, named)
raises(400, "BadRequest", lambda: post(made, INTERNAL, named), "there is a CA of that name in the project")
raises(400, "BadRequest", lambda: patch(made, under, {"status": "disabled"}))
raises(422, "ValidationFailure", lambda: patch(made, one, {"status": "gone"}), issues=[("invalid_enum_value", "status")])

# What may be imported.
signed = post(made, f"{one}/sign-intermediate", {"csr": csr, "notAfter": "2030-01-01"})
chain = signed["certificateChain"]
bring = lambda certificate, chain: post(made, f"{under}/import-certificate", {"certificate": certificate, "certificateChain": chain})
raises(400, "BadRequest", lambda: bring(chain, chain), "CA and certificate public key do not match")
raises(400, "BadRequest", lambda: bring(signed["certificate"], lab["foreign_root"]), "Invalid certificate chain")
raises(400, "BadRequest", lambda: bring(signed["certificate"], "no chain"), "Failed to parse certificate chain")
raises(400, "BadRequest", lambda: bring("none", chain), "Failed to parse certificate")
raises(422, "ValidationFailure", lambda: post(made, f"{under}/import-certificate", {}), issues=[("invalid_type", "certificate"), ("invalid_type", "certificateChain")])
raises(400, "BadRequest", lambda: post(made, f"{under}/sign-certificate", {"csr": lab["leaf_csr"], "ttl": "1d"}), "CA does not have a certificate installed")
bring(signed["certificate"], chain)

# What is signed.
sign = lambda **body: post(made, f"{under}/sign-certificate", {"csr": lab["leaf_csr"], **body})
beyond = "notAfter date is after CA certificate's notAfter date"
raises(400, "BadRequest", lambda: sign(notAfter="2033-01-01"), beyond)
raises(400, "BadRequest", lambda: sign(ttl="9y"), beyond)
raises(400, "BadRequest", lambda: post(made, f"{one}/sign-intermediate", {"csr": csr, "notAfter": "2050-01-01"}), beyond)
raises(422, "ValidationFailure", lambda: sign(), issues=[("custom", "ttl")])
raises(422, "ValidationFailure", lambda: sign(ttl="1d", notAfter="2029-01-01"), issues=[("custom", "ttl")])
raises(422, "ValidationFailure", lambda: sign(ttl="-1d"), issues=[("custom", "ttl")])
raises(400, "BadRequest", lambda: sign(ttl="1d", commonName="other.lab.internal"))
raises(400, "BadRequest", lambda: sign(ttl="1d", altNames="other.lab.internal"))
assert sign(ttl="1d", commonName="gw.lab.internal", altNames="gw.lab.internal")["serialNumber"]
raises(400, "BadRequest", lambda: post(made, f"{under}/sign-certificate", {"csr": "no CSR", "ttl": "1d"}))
sign_any = "/api/v1/pki/certificates/sign-certificate"
raises(422, "ValidationFailure", lambda: post(made, sign_any, {"csr": lab["leaf_csr"], "ttl": "1d"}), issues=[("custom", "caId")])
raises(404, "NotFound", lambda: post(made, sign_any, {"certificateTemplateId": "none", "csr": lab["leaf_csr"], "ttl": "1d"}), "Certificate template with ID 'none' not found")
assert post(made, sign_any, {"caId": below["id"], "csr": lab["leaf_csr"], "ttl": "1d"})["certificate"]
# Without a template only those issue who may manage CAs; under one that names the CA, a requester does.
requester = client("requester")
raises(403, "PermissionDenied", lambda: post(requester, f"{under}/sign-certificate", {"csr": lab["leaf_csr"], "ttl": "1d"}))
slug = below["name"]
raises(400, "BadRequest", lambda: post(made, f"{under}/sign-certificate", {"csr": lab["leaf_csr"], "ttl": "1d", "certificateTemplateId": "none"}))
for path in [f"{under}/issue-certificate", "/api/v1/pki/certificates/issue-certificate"]:
    raises(403, "ForbiddenError", lambda: post(made, path, {"commonName": "x", "ttl": "1d"}))

# What is revoked.
leaf = sign(ttl="1d")
revoke = f"/api/v1/pki/certificates/{leaf['serialNumber']}/revoke"
raises(404, "NotFound", lambda: post(stranger, revoke, {"revocationReason": "UNSPECIFIED"}))
raises(403, "PermissionDenied", lambda: post(requester, revoke, {"revocationReason": "UNSPECIFIED"}))
raises(400, "BadRequest", lambda: post(made, revoke, {"revocationReason": "CERTIFICATE_HOLD"}))
raises(422, "ValidationFailure", lambda: post(made, revoke, {"revocationReason": "WHIM"}), issues=[("invalid_enum_value", "revocationReason")])
assert post(made, revoke, {"revocationReason": "SUPERSEDED"})["serialNumber"] == leaf["serialNumber"]
raises(400, "BadRequest", lambda: post(made, revoke, {"revocationReason": "SUPERSEDED"}))

# Bodies.
session = made.api.session
odd = session.post(lab["host"] + CA, data="{", headers={"content-type": "application/json"})
assert (odd.status_code, odd.json()["error"]) == (400, "BadRequest"), odd.text
odd = session.post(lab["host"] + CA, data="<a/>", headers={"content-type": "text/xml"})
assert (odd.status_code, odd.json()["error"]) == (415, "UnsupportedMediaType"), odd.text
odd = session.post(lab["host"] + CA, data=" " * 70000)
assert (odd.status_code, odd.json()["error"]) == (413, "PayloadTooLarge"), odd.text
odd = session.get(lab["host"] + "/api/v1/none")
assert (odd.status_code, odd.json()["error"]) == (404, "NotFound"), odd.text
odd = session.put(lab["host"] + one)
assert (odd.status_code, odd.json()["error"]) == (405, "MethodNotAllowed"), odd.text
print(json.dumps("done"))
