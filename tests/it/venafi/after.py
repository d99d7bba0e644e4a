connection = connect()
for name in ("own", "service"):
    got = connection.retrieve_cert(vcert.CertificateRequest(cert_id=given["ids"][name]))
    assert thumbprint(got.cert) == thumbprint(given["issued"][name]), name
    found = connection.search_by_thumbprint(thumbprint(given["issued"][name]))
    assert found.csrId == given["ids"][name]
assert connection.retrieve_cert(vcert.CertificateRequest(cert_id=given["ids"]["approved"])) == "Certificate FAILED"
status, told = connection._get("outagedetection/v1/certificaterequests/" + given["ids"]["approved"])
assert status == 200 and "too many gateways" in told["errorInformation"]["message"], told
done("done")
