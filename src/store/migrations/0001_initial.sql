-- Handles and CKA_IDs are BLOBs of 16 bytes, times are milliseconds since 1970 in UTC, enums are the
-- names that users see. A handle is a UUIDv7, so that the order of handles is the order of time.
--
-- Only tables with short rows are WITHOUT ROWID: longer ones are slower that way
-- (https://sqlite.org/withoutrowid.html, section 4).

CREATE TABLE meta (
    only_row     INTEGER PRIMARY KEY CHECK (only_row = 1),
    installation BLOB NOT NULL CHECK (length(installation) = 4),
    instance_key BLOB NOT NULL CHECK (length(instance_key) = 32)
) STRICT;

CREATE TABLE principals (
    handle     BLOB NOT NULL PRIMARY KEY CHECK (length(handle) = 16),
    name       TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE api_keys (
    handle     BLOB NOT NULL PRIMARY KEY CHECK (length(handle) = 16),
    principal  BLOB NOT NULL REFERENCES principals (handle),
    sha256     BLOB NOT NULL UNIQUE CHECK (length(sha256) = 32),
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE keys (
    handle      BLOB NOT NULL PRIMARY KEY CHECK (length(handle) = 16),
    id          BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    token       TEXT NOT NULL,
    kind        TEXT NOT NULL,
    purpose     TEXT NOT NULL,
    state       TEXT NOT NULL,
    spki        BLOB NOT NULL,
    spki_sha256 BLOB NOT NULL UNIQUE CHECK (length(spki_sha256) = 32),
    attributes  TEXT NOT NULL,
    evidence    TEXT NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT;

CREATE INDEX keys_by_token ON keys (token, purpose, handle);

CREATE TABLE signing_requests (
    handle     BLOB NOT NULL PRIMARY KEY CHECK (length(handle) = 16),
    principal  BLOB NOT NULL REFERENCES principals (handle),
    token      TEXT NOT NULL,
    kind       TEXT NOT NULL,
    scheme     TEXT NOT NULL,
    spec       TEXT NOT NULL,
    key_source TEXT NOT NULL,
    continues  INTEGER NOT NULL,
    state      TEXT NOT NULL,
    key        BLOB REFERENCES keys (handle),
    csr        BLOB,
    failure    TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

-- One per filter of a page: equality columns first, then the order of the page.
CREATE INDEX signing_requests_by_state ON signing_requests (state, handle);
CREATE INDEX signing_requests_by_kind ON signing_requests (kind, handle);
CREATE INDEX signing_requests_by_state_and_kind ON signing_requests (state, kind, handle);
CREATE INDEX signing_requests_by_key ON signing_requests (key, handle) WHERE key IS NOT NULL;

-- Common names and SAN values in lower case, for the search by prefix. UTF-8 as BLOB: the byte FF
-- never occurs in UTF-8, so that prefix <= name < prefix FF is exactly the names with that prefix.
CREATE TABLE signing_request_names (
    name    BLOB NOT NULL,
    request BLOB NOT NULL REFERENCES signing_requests (handle),
    PRIMARY KEY (name, request)
) STRICT, WITHOUT ROWID;

CREATE INDEX signing_request_names_by_request ON signing_request_names (request, name);

-- `key` is the handle that the key will have; its row comes only after the attempt succeeded.
CREATE TABLE attempts (
    id        BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    key       BLOB NOT NULL UNIQUE CHECK (length(key) = 16),
    request   BLOB REFERENCES signing_requests (handle),
    token     TEXT NOT NULL,
    kind      TEXT NOT NULL,
    opened_at INTEGER NOT NULL,
    outcome   TEXT,
    closed_at INTEGER,
    CHECK ((outcome IS NULL) = (closed_at IS NULL))
) STRICT, WITHOUT ROWID;

-- A signing request tries one key at a time; sentinels (NULL) are not held to it.
CREATE UNIQUE INDEX attempts_open_by_request ON attempts (request) WHERE outcome IS NULL;
CREATE INDEX attempts_open_by_token ON attempts (token) WHERE outcome IS NULL;

CREATE TABLE certificates (
    request    BLOB NOT NULL PRIMARY KEY REFERENCES signing_requests (handle),
    leaf       BLOB NOT NULL,
    sha256     BLOB NOT NULL CHECK (length(sha256) = 32),
    not_before INTEGER NOT NULL,
    not_after  INTEGER NOT NULL,
    married_at INTEGER NOT NULL
) STRICT;

CREATE TABLE chain_certificates (
    request  BLOB NOT NULL REFERENCES certificates (request),
    position INTEGER NOT NULL,
    der      BLOB NOT NULL,
    PRIMARY KEY (request, position)
) STRICT;

CREATE TABLE idempotency (
    principal    BLOB NOT NULL REFERENCES principals (handle),
    route        TEXT NOT NULL,
    key          TEXT NOT NULL,
    body_hmac    BLOB NOT NULL CHECK (length(body_hmac) = 32),
    request      BLOB REFERENCES signing_requests (handle),
    created_at   INTEGER NOT NULL,
    status       INTEGER,
    content_type TEXT,
    location     TEXT,
    body         BLOB,
    PRIMARY KEY (principal, route, key),
    CHECK ((status IS NULL) = (body IS NULL))
) STRICT;

CREATE INDEX idempotency_by_age ON idempotency (created_at);

CREATE TABLE token_reports (
    token  TEXT NOT NULL PRIMARY KEY,
    at     INTEGER NOT NULL,
    report TEXT NOT NULL
) STRICT;

CREATE TABLE audit (
    seq      INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL,
    actor    TEXT NOT NULL,
    action   TEXT NOT NULL,
    subject  TEXT NOT NULL,
    detail   TEXT NOT NULL,
    previous BLOB NOT NULL CHECK (length(previous) = 32),
    hash     BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;

-- Against our own mistakes; against somebody who owns the file there is the hash chain.
CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

CREATE TRIGGER audit_is_never_deleted BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
