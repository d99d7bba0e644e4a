-- The issuing template that a signing request was judged by.
ALTER TABLE signing_requests ADD COLUMN template TEXT;
ALTER TABLE signing_requests ADD COLUMN template_sha256 TEXT;
ALTER TABLE signing_requests ADD COLUMN validity_days INTEGER;

-- Of requests that have, or had, to be approved. `decided_by` NULL with a `decided_at`: it came too late.
CREATE TABLE approvals (
    request      BLOB NOT NULL PRIMARY KEY REFERENCES signing_requests (handle),
    asked_sha256 BLOB NOT NULL CHECK (length(asked_sha256) = 32),
    expires_at   INTEGER NOT NULL,
    decided_by   BLOB REFERENCES principals (handle),
    decided_at   INTEGER,
    CHECK (decided_by IS NULL OR decided_at IS NOT NULL)
) STRICT, WITHOUT ROWID;

CREATE INDEX approvals_undecided ON approvals (expires_at) WHERE decided_at IS NULL;

-- Operations under four eyes. `operation` is JSON, the exact text that `sha256` is of.
CREATE TABLE proposals (
    handle     BLOB NOT NULL PRIMARY KEY CHECK (length(handle) = 16),
    tenant     INTEGER NOT NULL REFERENCES tenants (id),
    principal  BLOB NOT NULL REFERENCES principals (handle),
    operation  TEXT NOT NULL,
    sha256     BLOB NOT NULL CHECK (length(sha256) = 32),
    state      TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    decided_by BLOB REFERENCES principals (handle),
    decided_at INTEGER,
    outcome    TEXT
) STRICT;

CREATE INDEX proposals_open ON proposals (expires_at) WHERE state = 'proposed';
