each = client()
zone = {"zone_id": lab["zone"]}
upload = dict(**zone, certificate=lab["certificate"], custom_csr_id=lab["issued"])
raises(
    cloudflare.BadRequestError,
    [1400],
    lambda: each.custom_certificates.create(**upload, private_key="-----BEGIN PRIVATE KEY-----"),
    ["/private_key"],
)
raises(
    cloudflare.BadRequestError,
    [1400],
    lambda: each.custom_certificates.create(**{**upload, "certificate": "no certificate"}),
    ["/certificate"],
)
assert list(each.custom_certificates.list(**zone)) == []
for _ in range(2):
    created = each.custom_certificates.create(**upload, bundle_method="force", type="sni_custom")
    assert created.custom_csr_id == lab["issued"] and created.zone_id == lab["zone"], created
    assert created.status == "active" and "gw.lab.internal" in created.hosts, created
    assert created.expires_on.year == 2040 and created.signature.startswith("ECDSAWithSHA"), created
got = each.custom_certificates.get(created.id, **zone)
[listed] = each.custom_certificates.list(**zone)
assert got == listed == created

# A bound CSR stays on the list, and cannot be deleted.
assert lab["issued"] in [item.id for item in each.custom_csrs.list(**zone)]
raises(cloudflare.ConflictError, [1420], lambda: each.custom_csrs.delete(lab["issued"], **zone))
for item in lab["made"]:
    if item["id"] == lab["issued"]:
        continue
    where = zone if item["zone"] else {"account_id": lab["account"]}
    assert each.custom_csrs.delete(item["id"], **where).id == item["id"]
    raises(cloudflare.NotFoundError, [1419], lambda: each.custom_csrs.get(item["id"], **where))
    raises(cloudflare.NotFoundError, [1419], lambda: each.custom_csrs.delete(item["id"], **where))
    assert item["id"] not in [other.id for other in each.custom_csrs.list(**where)]
print(json.dumps("done"))
