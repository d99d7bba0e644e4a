-- When a key came to its state: NULL where that was before there was this column.
ALTER TABLE keys ADD COLUMN state_since INTEGER;
ALTER TABLE keys ADD COLUMN retired_at INTEGER;
-- A retired key is destroyed by itself when both are past: a time of the wall clock, and a count of
-- the time that the service has run. NULL both: never by itself.
ALTER TABLE keys ADD COLUMN destroy_after INTEGER;
ALTER TABLE keys ADD COLUMN destroy_after_lived INTEGER;
ALTER TABLE keys ADD COLUMN compromised_at INTEGER;
ALTER TABLE keys ADD COLUMN compromise TEXT;

CREATE INDEX keys_to_be_destroyed ON keys (token, destroy_after)
WHERE destroy_after IS NOT NULL AND state = 'present';

-- Milliseconds that services have run on this database, by a clock that nobody sets.
ALTER TABLE meta ADD COLUMN lived INTEGER NOT NULL DEFAULT 0;

CREATE INDEX signing_requests_by_renews ON signing_requests (renews, handle) WHERE renews IS NOT NULL;

-- Both as in the signing request: they stand in the index in front of the order of the list.
ALTER TABLE certificates ADD COLUMN tenant INTEGER NOT NULL DEFAULT 1;
ALTER TABLE certificates ADD COLUMN retired INTEGER NOT NULL DEFAULT 0;

UPDATE certificates SET (tenant, retired) =
    (SELECT tenant, state = 'retired' FROM signing_requests WHERE handle = certificates.request);

CREATE INDEX certificates_by_end ON certificates (tenant, retired, not_after, request);
CREATE INDEX certificates_in_use_by_end ON certificates (not_after) WHERE retired = 0;

-- What was told of certificates that end soon: once for each number of days before.
CREATE TABLE expiry_notices (
    request BLOB NOT NULL REFERENCES certificates (request),
    days    INTEGER NOT NULL,
    PRIMARY KEY (request, days)
) STRICT, WITHOUT ROWID;

CREATE TABLE webhook_subscriptions (
    topic   TEXT NOT NULL,
    webhook TEXT NOT NULL,
    PRIMARY KEY (topic, webhook)
) STRICT, WITHOUT ROWID;

CREATE TABLE webhook_notices (
    id      BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    topic   TEXT NOT NULL,
    subject TEXT NOT NULL,
    tenant  INTEGER REFERENCES tenants (id),
    at      INTEGER NOT NULL,
    data    TEXT NOT NULL
) STRICT;

CREATE TABLE webhook_deliveries (
    webhook  TEXT NOT NULL,
    notice   BLOB NOT NULL REFERENCES webhook_notices (id),
    attempts INTEGER NOT NULL,
    due_at   INTEGER NOT NULL,
    PRIMARY KEY (webhook, notice)
) STRICT, WITHOUT ROWID;

CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook, due_at, notice);
CREATE INDEX webhook_deliveries_by_notice ON webhook_deliveries (notice);
