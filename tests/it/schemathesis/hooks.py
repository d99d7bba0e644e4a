"""Bodies of certificates: schemathesis has no serializer for their media types, and bytes are sent as they are."""

import schemathesis


@schemathesis.serializer("application/pkix-cert", "application/pkcs7-mime", "application/x-pem-file")
def as_it_is(ctx, value):
    return value if isinstance(value, bytes) else str(value).encode()
