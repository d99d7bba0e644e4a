import httpx

tries = []
transport = httpx.Client(event_hooks={"request": [lambda request: tries.append(request.headers["x-stainless-retry-count"])]})
each = client(max_retries=5, timeout=0.7, http_client=transport)
made = each.custom_csrs.create(account_id=lab["account"], **{**BODY, "key_type": "p256v1"})
assert tries == [str(n) for n in range(len(tries))], tries
print(json.dumps({"id": made.id, "tries": len(tries)}))
