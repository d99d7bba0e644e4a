connection = connect()
# Nobody issues: they stay pending, and are failed once they are called off.
own, service = asked(timeout=1), asked(csr_origin=vcert.CSR_ORIGIN_SERVICE, timeout=1)
for request in (own, service):
    assert connection.request_cert(request, given["manual"])
    assert connection._get_cert_status(request).status == "PENDING"
approved = asked(timeout=1)
assert connection.request_cert(approved, given["asks"])
assert connection._get_cert_status(approved).status == "REQUESTED"
done({"own": own.id, "service": service.id, "approved": approved.id})
