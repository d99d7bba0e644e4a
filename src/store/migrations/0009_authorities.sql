CREATE TABLE authorities (
    handle      BLOB NOT NULL PRIMARY KEY CHECK (length(handle) = 16),
    tenant      INTEGER NOT NULL REFERENCES tenants (id),
    principal   BLOB NOT NULL REFERENCES principals (handle),
    name        TEXT NOT NULL,
    kind        TEXT NOT NULL,
    token       TEXT NOT NULL,
    key_kind    TEXT NOT NULL,
    scheme      TEXT NOT NULL,
    spec        TEXT NOT NULL,
    state       TEXT NOT NULL,
    key         BLOB REFERENCES keys (handle),
    csr         BLOB,
    version     INTEGER,
    parent      BLOB REFERENCES authorities (handle),
    failure     TEXT,
    -- The highest CRL number that was given out; a list that was not finished leaves a gap.
    crl_number  INTEGER NOT NULL DEFAULT 0,
    -- How many of its certificates were revoked.
    revocations INTEGER NOT NULL DEFAULT 0,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX authorities_by_name ON authorities (tenant, name) WHERE state NOT IN ('failed', 'deleted');
CREATE INDEX authorities_by_tenant ON authorities (tenant, handle);
CREATE INDEX authorities_by_token ON authorities (token);
CREATE INDEX authorities_by_key ON authorities (key) WHERE key IS NOT NULL;

-- The certificates that an authority has, or had, of its own; never changed.
CREATE TABLE authority_certificates (
    authority  BLOB NOT NULL REFERENCES authorities (handle),
    version    INTEGER NOT NULL,
    der        BLOB NOT NULL,
    sha256     BLOB NOT NULL CHECK (length(sha256) = 32),
    not_before INTEGER NOT NULL,
    not_after  INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    PRIMARY KEY (authority, version)
) STRICT;

-- The certificates above one of them, its issuer's first.
CREATE TABLE authority_chains (
    authority BLOB NOT NULL,
    version   INTEGER NOT NULL,
    position  INTEGER NOT NULL,
    der       BLOB NOT NULL,
    PRIMARY KEY (authority, version, position),
    FOREIGN KEY (authority, version) REFERENCES authority_certificates (authority, version)
) STRICT;

-- What authorities sign: the row is there before the token is asked. `tbs` is what is signed, `spec` what it
-- says; both only until the certificate is there.
CREATE TABLE issued_certificates (
    handle     BLOB NOT NULL PRIMARY KEY CHECK (length(handle) = 16),
    authority  BLOB NOT NULL REFERENCES authorities (handle),
    serial     BLOB NOT NULL CHECK (length(serial) = 20),
    state      TEXT NOT NULL,
    purpose    TEXT NOT NULL,
    subject    TEXT NOT NULL,
    tbs_sha256 BLOB NOT NULL CHECK (length(tbs_sha256) = 32),
    tbs        BLOB,
    spec       TEXT,
    -- Of a signing request, which the certificate is married to.
    request    BLOB REFERENCES signing_requests (handle),
    template   TEXT,
    principal  BLOB NOT NULL REFERENCES principals (handle),
    der        BLOB,
    sha256     BLOB CHECK (length(sha256) = 32),
    not_before INTEGER NOT NULL,
    not_after  INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER,
    reason     TEXT,
    failure    TEXT,
    CHECK ((der IS NULL) = (sha256 IS NULL)),
    CHECK ((revoked_at IS NULL) = (reason IS NULL))
) STRICT;

CREATE UNIQUE INDEX issued_by_serial ON issued_certificates (authority, serial);
CREATE INDEX issued_by_authority ON issued_certificates (authority, handle);
CREATE INDEX issued_by_sha256 ON issued_certificates (sha256) WHERE sha256 IS NOT NULL;
CREATE INDEX issued_intended ON issued_certificates (authority) WHERE state = 'intent';
-- All that a revocation list needs.
CREATE INDEX issued_revoked ON issued_certificates (authority, revoked_at, serial, reason, not_after)
WHERE revoked_at IS NOT NULL;

-- The newest revocation list of each authority, as it is served.
CREATE TABLE crls (
    authority   BLOB NOT NULL PRIMARY KEY REFERENCES authorities (handle),
    number      INTEGER NOT NULL,
    this_update INTEGER NOT NULL,
    next_update INTEGER NOT NULL,
    entries     INTEGER NOT NULL,
    -- As of the authority when the list was made: it is out of date when that has gone up.
    revocations INTEGER NOT NULL,
    sha256      BLOB NOT NULL CHECK (length(sha256) = 32),
    der         BLOB NOT NULL
) STRICT;

-- The authority whose key an attempt is to make.
ALTER TABLE attempts ADD COLUMN authority BLOB REFERENCES authorities (handle);
CREATE UNIQUE INDEX attempts_open_by_authority ON attempts (authority)
WHERE outcome IS NULL AND authority IS NOT NULL;

-- The authority that issues the certificate as soon as there is a CSR.
ALTER TABLE signing_requests ADD COLUMN authority BLOB REFERENCES authorities (handle);
CREATE INDEX signing_requests_to_be_issued ON signing_requests (authority, handle)
WHERE authority IS NOT NULL AND state = 'pending';

-- Of a client's CSR: whether its key was seen before.
ALTER TABLE signing_requests ADD COLUMN client_spki_sha256 BLOB;
CREATE INDEX signing_requests_by_client_key ON signing_requests (tenant, client_spki_sha256)
WHERE client_spki_sha256 IS NOT NULL;
