from concurrent.futures import ThreadPoolExecutor

made = client()
root = post(made, CA, {"projectSlug": lab["slug"], "type": "root", **DN, "keyAlgorithm": "EC_prime256v1"})["ca"]


def one(number):
    own = client()
    below = post(own, CA, {"projectSlug": lab["slug"], "type": "intermediate", **DN, "commonName": f"CA {number}", "keyAlgorithm": "EC_prime256v1"})["ca"]
    csr = get(own, f"{CA}/{below['id']}/csr")["csr"]
    signed = post(own, f"{CA}/{root['id']}/sign-intermediate", {"csr": csr, "notAfter": "2030-01-01"})
    post(own, f"{CA}/{below['id']}/import-certificate", {"certificate": signed["certificate"], "certificateChain": signed["certificateChain"]})
    leaves = [post(own, f"{CA}/{below['id']}/sign-certificate", {"csr": lab["leaf_csr"], "ttl": "1d"}) for _ in range(5)]
    return [signed["serialNumber"], *(leaf["serialNumber"] for leaf in leaves)]


with ThreadPoolExecutor(8) as pool:
    serials = [serial for made in pool.map(one, range(8)) for serial in made]
print(json.dumps(serials))
