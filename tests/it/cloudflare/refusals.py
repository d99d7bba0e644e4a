each = client()
account, zone, other = {"account_id": lab["account"]}, {"zone_id": lab["zone"]}, {"account_id": lab["other_account"]}
bad, unauthenticated, denied = cloudflare.BadRequestError, cloudflare.AuthenticationError, cloudflare.PermissionDeniedError
missing = cloudflare.NotFoundError


def create(**changes):
    return lambda: each.custom_csrs.create(**account, **{**BODY, **changes})


for field, value, code in [
    ("country", "", 1405),
    ("country", "Netherlands", 1405),
    ("state", "", 1406),
    ("locality", "", 1407),
    ("organization", "", 1408),
    ("common_name", "", 1409),
    ("common_name", "x" * 65, 1410),
    ("key_type", "rsa4096", 1417),
]:
    raises(bad, [code], create(**{field: value}), [f"/{field}"])
raises(bad, [1411], create(sans=[]), ["/sans"])
for san, code in [("x" * 256, 1412), ("192.0.2.1", 1412), ("a b", 1412), ("b\u00fccher.internal", 1413)]:
    raises(bad, [code], create(sans=["gw.lab.internal", san]), ["/sans/1"])
raises(bad, [1405, 1411], create(country="X", sans=[]), ["/country", "/sans"])

made = each.custom_csrs.create(**account, **BODY)
for call in [each.custom_csrs.get, each.custom_csrs.delete]:
    raises(bad, [1418], lambda: call("no-identifier", **account))
    raises(missing, [1419], lambda: call("019aa5b2-5c3e-7c61-9d3f-0a4a6f2f8e11", **account))
    raises(missing, [1419], lambda: call("023e105f4ecef8ad9ca31a8372d0c353", **account))

# The quota of the zone is one key.
each.custom_csrs.create(**zone, **BODY)
raises(denied, [1403], lambda: each.custom_csrs.create(**zone, **BODY))

# Another's account and one that nobody has look the same; so do rights that are missing.
anothers = raises(denied, [1404], lambda: each.custom_csrs.list(**other))
nobodys = raises(denied, [1404], lambda: each.custom_csrs.list(account_id="ffffffffffffffffffffffffffffffff"))
assert anothers.response.json() == nobodys.response.json()
raises(denied, [1404], lambda: each.custom_csrs.list(zone_id=lab["account"]))
stranger = client("stranger")
raises(denied, [1404], lambda: stranger.custom_csrs.get(made.id, **account))
raises(missing, [1419], lambda: stranger.custom_csrs.get(made.id, **other))
raises(missing, [1419], lambda: stranger.custom_csrs.delete(made.id, **other))
reader = client("reader")
assert reader.custom_csrs.get(made.id, **account).id == made.id
raises(denied, [1404], lambda: reader.custom_csrs.create(**account, **BODY))
raises(denied, [1404], lambda: reader.custom_csrs.delete(made.id, **account))

raises(unauthenticated, [1003], lambda: client(api_token="srk_wrong").custom_csrs.list(**account))
basic = lambda email, key: client(api_email=email, api_key=key, api_token=None)
assert basic(lab["email"], lab["password"]).custom_csrs.list(**account).result
raises(unauthenticated, [10000], lambda: basic(lab["email"], "wrong").custom_csrs.list(**account))
raises(unauthenticated, [10000], lambda: basic("nobody@lab.internal", lab["password"]).custom_csrs.list(**account))
raises(bad, [6003], lambda: basic(lab["email"], None).custom_csrs.list(**account))
raises(bad, [6003], lambda: client(api_token=None, api_key="x", api_email=None).custom_csrs.list(**account))
print(json.dumps("done"))
