collections = [{"account_id": lab["account"]}, {"zone_id": lab["zone"]}]
clients = [client(), client(api_email=lab["email"], api_key=lab["password"], api_token=None)]
made = []
for collection, each in zip(collections, clients):
    assert each.custom_csrs.list(**collection).result == []
    for key_type in [None, "p256v1"]:
        body = {
            **BODY,
            "organizational_unit": "Gateways",
            "sans": ["GW.lab.internal", "alt.lab.internal", "gw.lab.internal"],
            "name": "gateway",
            "description": "  for the lab's \u2018gateway\u2019  ",
        }
        if key_type:
            body["key_type"] = key_type
        created = each.custom_csrs.create(**collection, **body)
        got = each.custom_csrs.get(created.id, **collection)
        [listed] = [item for item in each.custom_csrs.list(**collection) if item.id == created.id]
        for seen in [created, got, listed]:
            seen = seen.to_dict(mode="json")
            assert len(seen["id"]) == 36 and seen["created_at"]
            assert seen.get("account_tag") == collection.get("account_id"), seen
            expected = {**body, "key_type": key_type or "rsa2048"}
            assert {name: seen[name] for name in expected} == expected, seen
        assert created.to_dict() == got.to_dict() == listed.to_dict()
        made.append({"id": created.id, "csr": created.csr, "zone": "zone_id" in collection})
    page = each.custom_csrs.list(**collection)
    assert page.result_info.count == 2 and page.result_info.total_count == 2, page.result_info
    assert page.result_info.page == 1 and page.result_info.per_page == 20

# An account and its zone are collections of their own.
for item in made:
    there, elsewhere = collections if not item["zone"] else reversed(collections)
    clients[0].custom_csrs.get(item["id"], **there)
    raises(cloudflare.NotFoundError, [1419], lambda: clients[0].custom_csrs.get(item["id"], **elsewhere))
    raises(cloudflare.NotFoundError, [1419], lambda: clients[0].custom_csrs.delete(item["id"], **elsewhere))
print(json.dumps(made))
