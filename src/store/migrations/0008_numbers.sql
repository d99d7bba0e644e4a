-- The signing requests of a tenant are numbered in the order in which they were made: for surfaces whose ids are
-- small integers, and whose lists have page numbers and totals.
ALTER TABLE signing_requests ADD COLUMN number INTEGER NOT NULL DEFAULT 0;

UPDATE signing_requests SET number = numbered.number
FROM (SELECT handle, row_number() OVER (PARTITION BY tenant ORDER BY handle) AS number FROM signing_requests) AS numbered
WHERE signing_requests.handle = numbered.handle;

CREATE UNIQUE INDEX signing_requests_by_number ON signing_requests (tenant, number);
CREATE INDEX signing_requests_by_state_kind_and_number ON signing_requests (tenant, state, kind, number);

-- What a surface other than the native one was sent, to be shown unchanged; `name` is what its users call the request.
ALTER TABLE signing_requests ADD COLUMN surface TEXT;
ALTER TABLE signing_requests ADD COLUMN name TEXT;
ALTER TABLE signing_requests ADD COLUMN submitted TEXT;

CREATE INDEX signing_requests_by_name ON signing_requests (tenant, name, number, state, kind);

-- How many requests are in a state, and how many of each 1,024 numbers: totals, and where a page begins that is far from
-- the first, without a walk through all before it. Kept by the database itself, so that no change is forgotten.
CREATE TABLE signing_request_totals (
    tenant INTEGER NOT NULL REFERENCES tenants (id),
    state  TEXT NOT NULL,
    kind   TEXT NOT NULL,
    n      INTEGER NOT NULL,
    PRIMARY KEY (tenant, state, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE signing_request_blocks (
    tenant INTEGER NOT NULL REFERENCES tenants (id),
    block  INTEGER NOT NULL,
    state  TEXT NOT NULL,
    kind   TEXT NOT NULL,
    n      INTEGER NOT NULL,
    PRIMARY KEY (tenant, block, state, kind)
) STRICT, WITHOUT ROWID;

INSERT INTO signing_request_totals
SELECT tenant, state, kind, count(*) FROM signing_requests GROUP BY 1, 2, 3;

INSERT INTO signing_request_blocks
SELECT tenant, number / 1024, state, kind, count(*) FROM signing_requests GROUP BY 1, 2, 3, 4;

CREATE TRIGGER signing_requests_are_counted AFTER INSERT ON signing_requests
BEGIN
    INSERT INTO signing_request_totals VALUES (new.tenant, new.state, new.kind, 1)
    ON CONFLICT DO UPDATE SET n = n + 1;
    INSERT INTO signing_request_blocks VALUES (new.tenant, new.number / 1024, new.state, new.kind, 1)
    ON CONFLICT DO UPDATE SET n = n + 1;
END;

CREATE TRIGGER signing_requests_are_counted_again AFTER UPDATE OF state ON signing_requests WHEN old.state <> new.state
BEGIN
    UPDATE signing_request_totals SET n = n - 1
    WHERE tenant = old.tenant AND state = old.state AND kind = old.kind;
    INSERT INTO signing_request_totals VALUES (new.tenant, new.state, new.kind, 1)
    ON CONFLICT DO UPDATE SET n = n + 1;
    UPDATE signing_request_blocks SET n = n - 1
    WHERE tenant = old.tenant AND block = old.number / 1024 AND state = old.state AND kind = old.kind;
    INSERT INTO signing_request_blocks VALUES (new.tenant, new.number / 1024, new.state, new.kind, 1)
    ON CONFLICT DO UPDATE SET n = n + 1;
END;

-- For quotas: how many keys a tenant has.
CREATE INDEX keys_of_tenant_taking_room ON keys (tenant) WHERE state NOT IN ('missing', 'destroyed');

-- Creates of clients that say how often they tried before, and send no idempotency key.
ALTER TABLE idempotency ADD COLUMN retry INTEGER;

CREATE INDEX idempotency_by_retry ON idempotency (tenant, principal, route, body_hmac, created_at)
WHERE retry IS NOT NULL;
