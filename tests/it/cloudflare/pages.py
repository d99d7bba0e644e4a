from concurrent.futures import ThreadPoolExecutor

each = client()
account = {"account_id": lab["account"]}


def create(n):
    body = {**BODY, "sans": [f"a{n}.lab.internal"], "name": f"n{n * 7 % lab['count']:03}", "key_type": "p256v1"}
    return each.custom_csrs.create(**account, **body)


with ThreadPoolExecutor(8) as pool:
    made = list(pool.map(create, range(lab["count"])))
ids = [item.id for item in made]
assert len(set(ids)) == len({item.csr for item in made}) == lab["count"]
orders = []
for per_page in [5, 20, 50]:
    listed = list(each.custom_csrs.list(**account, per_page=per_page))
    times = [item.created_at for item in listed]
    seen = [item.id for item in listed]
    assert times == sorted(times) and sorted(seen) == sorted(ids), per_page
    orders.append(seen)
assert orders[0] == orders[1] == orders[2]
down = [item.id for item in each.custom_csrs.list(**account, order="created_at", direction="desc", per_page=50)]
assert down == seen[::-1]
assert [item.id for item in each.custom_csrs.list(**account, order="account_tag", per_page=50)] == seen
names = [item.name for item in each.custom_csrs.list(**account, order="name", direction="asc", per_page=50)]
assert names == sorted(item.name for item in made)
names = [item.name for item in each.custom_csrs.list(**account, order="name", direction="desc", per_page=50)]
assert names == sorted((item.name for item in made), reverse=True)

page = each.custom_csrs.list(**account, page=2.0, per_page=50.0)
info = page.result_info
assert [item.id for item in page.result] == seen[50:100]
assert (info.page, info.per_page, info.count, info.total_count) == (2, 50, 50, 120), info
assert info.model_extra["total_pages"] == 3 if info.model_extra else info.total_pages == 3
last = each.custom_csrs.list(**account, page=3, per_page=50)
assert last.result_info.count == 20 and last.has_next_page() is not False
beyond = each.custom_csrs.list(**account, page=1000, per_page=50)
assert beyond.result == [] and beyond.result_info.total_count == 120 and beyond.result_info.count == 0
for wrong in [{"page": 0}, {"per_page": 4}, {"per_page": 51}, {"page": 1.5}]:
    raises(cloudflare.BadRequestError, [1400], lambda: each.custom_csrs.list(**account, **wrong), [f"/{list(wrong)[0]}"])
raises(cloudflare.BadRequestError, [1400], lambda: each.custom_csrs.list(**account, order="csr"), ["/order"])
raises(cloudflare.BadRequestError, [1400], lambda: each.custom_csrs.list(**account, direction="up"), ["/direction"])
print(json.dumps(len(ids)))
