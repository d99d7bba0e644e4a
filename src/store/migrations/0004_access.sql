-- Who may do what, and whose things are whose.
--
-- A tenant is a small number: it stands first in every index of a tenant's things.
CREATE TABLE tenants (
    id         INTEGER PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL
) STRICT;

INSERT INTO tenants (id, name, created_at) VALUES (1, 'default', 0);

ALTER TABLE principals ADD COLUMN kind TEXT NOT NULL DEFAULT 'service';
ALTER TABLE principals ADD COLUMN disabled_at INTEGER;

-- Tenant NULL: in the whole appliance.
CREATE TABLE grants (
    principal  BLOB NOT NULL REFERENCES principals (handle),
    tenant     INTEGER REFERENCES tenants (id),
    role       TEXT NOT NULL,
    granted_at INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX grants_once ON grants (principal, role, ifnull(tenant, 0));

-- Until now every principal could do all there was.
INSERT INTO grants (principal, tenant, role, granted_at)
SELECT handle, NULL, role, created_at FROM principals
CROSS JOIN (SELECT 'reader' AS role UNION ALL SELECT 'requester' UNION ALL SELECT 'operator' UNION ALL SELECT 'auditor');

-- `verifier` is what a credential is recognised by: SHA-256 of the secret or of the certificate, or
-- the uid in 4 bytes. `hint` is the beginning of a secret, for people.
CREATE TABLE credentials (
    handle       BLOB NOT NULL PRIMARY KEY CHECK (length(handle) = 16),
    principal    BLOB NOT NULL REFERENCES principals (handle),
    kind         TEXT NOT NULL,
    verifier     BLOB NOT NULL CHECK (length(verifier) = iif(kind = 'uid', 4, 32)),
    hint         TEXT,
    from_file    INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    revoked_at   INTEGER,
    last_used_at INTEGER
) STRICT;

CREATE UNIQUE INDEX credentials_in_force ON credentials (kind, verifier) WHERE revoked_at IS NULL;
CREATE INDEX credentials_by_principal ON credentials (principal, handle);

INSERT INTO credentials (handle, principal, kind, verifier, from_file, created_at, revoked_at)
SELECT handle, principal, 'api-key', sha256, 1, created_at, revoked_at FROM api_keys;

DROP TABLE api_keys;

-- No REFERENCES: SQLite adds such a column only with the default NULL
-- (https://sqlite.org/lang_altertable.html, section 5). Tenants are never deleted.
ALTER TABLE signing_requests ADD COLUMN tenant INTEGER NOT NULL DEFAULT 1;

-- NULL: of no tenant, as sentinels are, and recovered keys whose row is lost.
ALTER TABLE keys ADD COLUMN tenant INTEGER REFERENCES tenants (id);

UPDATE keys SET tenant = 1 WHERE purpose = 'request';

CREATE INDEX keys_by_tenant ON keys (tenant, handle);

DROP INDEX signing_requests_by_state;
DROP INDEX signing_requests_by_kind;
DROP INDEX signing_requests_by_state_and_kind;
CREATE INDEX signing_requests_by_tenant ON signing_requests (tenant, handle);
CREATE INDEX signing_requests_by_state ON signing_requests (tenant, state, handle);
CREATE INDEX signing_requests_by_kind ON signing_requests (tenant, kind, handle);
CREATE INDEX signing_requests_by_state_and_kind ON signing_requests (tenant, state, kind, handle);

CREATE TABLE tenant_request_names (
    tenant  INTEGER NOT NULL REFERENCES tenants (id),
    name    BLOB NOT NULL,
    request BLOB NOT NULL REFERENCES signing_requests (handle),
    PRIMARY KEY (tenant, name, request)
) STRICT, WITHOUT ROWID;

INSERT INTO tenant_request_names SELECT 1, name, request FROM signing_request_names;
DROP TABLE signing_request_names;
ALTER TABLE tenant_request_names RENAME TO signing_request_names;
CREATE INDEX signing_request_names_by_request ON signing_request_names (request, name);

CREATE TABLE tenant_idempotency (
    tenant       INTEGER NOT NULL REFERENCES tenants (id),
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
    PRIMARY KEY (tenant, principal, route, key),
    CHECK ((status IS NULL) = (body IS NULL))
) STRICT;

INSERT INTO tenant_idempotency
SELECT 1, principal, route, key, body_hmac, request, created_at, status, content_type, location, body
FROM idempotency;
DROP TABLE idempotency;
ALTER TABLE tenant_idempotency RENAME TO idempotency;
CREATE INDEX idempotency_by_age ON idempotency (created_at);
