ALTER TABLE signing_requests ADD COLUMN renews BLOB REFERENCES signing_requests (handle);

-- The journal of certificates on tokens, one at most beside a key: written before the token is asked.
-- `request` is the one whose certificate the token shall have, NULL when it shall have none;
-- `settled_at` is NULL while the token may have something else.
CREATE TABLE certificate_objects (
    key        BLOB NOT NULL PRIMARY KEY REFERENCES keys (handle),
    request    BLOB REFERENCES certificates (request),
    settled_at INTEGER
) STRICT, WITHOUT ROWID;

-- What is counted before a create on a token with a configured capacity.
CREATE INDEX keys_taking_room ON keys (token) WHERE state NOT IN ('missing', 'destroyed');
