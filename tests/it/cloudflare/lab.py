import json
import sys

import cloudflare
from cloudflare import Cloudflare

lab = json.loads(sys.argv[1])
BODY = {
    "common_name": "gw.lab.internal",
    "country": "NL",
    "state": "Utrecht",
    "locality": "Amersfoort",
    "organization": "Lab B.V.",
    "sans": ["gw.lab.internal"],
}


def client(key="requester", **options):
    if "api_email" not in options and "api_token" not in options:
        options["api_token"] = lab[key]
    options = {"max_retries": 0, **options}
    return Cloudflare(base_url=lab["base_url"], _strict_response_validation=True, **options)


def raises(kind, codes, call, pointers=None, retry="false"):
    try:
        answer = call()
    except cloudflare.APIStatusError as error:
        told = [item.code for item in error.errors]
        assert type(error) is kind, (type(error), kind, error)
        assert told == codes, (told, codes, error)
        assert error.response.headers["x-should-retry"] == retry, error.response.headers
        if pointers is not None:
            body = error.response.json()
            assert [item.get("source", {}).get("pointer") for item in body["errors"]] == pointers, body
        return error
    raise AssertionError(f"{kind.__name__} was not raised: {answer}")
