import json
import sys
import urllib.parse

from infisical_sdk import InfisicalSDKClient
from infisical_sdk.infisical_requests import APIError

lab = json.loads(sys.argv[1])
CA = "/api/v1/pki/ca"
INTERNAL = "/api/v1/cert-manager/ca/internal"
DN = {
    "commonName": "Lab Root",
    "organization": "Lab B.V.",
    "ou": "",
    "country": "NL",
    "province": "Utrecht",
    "locality": "Amersfoort",
}


def client(who="operator"):
    made = InfisicalSDKClient(host=lab["host"])
    granted = made.auth.universal_auth.login(lab[who]["id"], lab[who]["secret"])
    assert granted.tokenType == "Bearer" and granted.expiresIn == 3600 and granted.accessTokenMaxTTL == 3600
    return made


def get(made, path, **params):
    return made.api.get(path, dict, params=params or None).data


def post(made, path, body=None):
    return made.api.post(path, dict, json=body).data


def patch(made, path, body):
    return made.api.patch(path, dict, json=body).data


def delete(made, path):
    return made.api.delete(path, dict).data


def raises(status, error, call, message=None, issues=None):
    try:
        answer = call()
    except APIError as raised:
        told = raised.response
        assert raised.status_code == status == told["statusCode"], told
        assert told["error"] == error and told["reqId"], told
        if message is not None:
            assert told["message"] == message, told
        if issues is not None:
            assert [(i["code"], ".".join(i["path"])) for i in told["message"]] == issues, told
        return told
    raise AssertionError(f"{status} was not raised: {answer}")
