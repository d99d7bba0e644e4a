-- What the negative probes of a token last found, and what they are bound to (JSON both).
CREATE TABLE token_verdicts (
    token   TEXT NOT NULL PRIMARY KEY,
    at      INTEGER NOT NULL,
    binding TEXT NOT NULL,
    leaks   TEXT NOT NULL
) STRICT;

-- Tokens that leak and that somebody let in all the same. Withdrawn ones live on in the audit log.
CREATE TABLE token_acceptances (
    token     TEXT NOT NULL PRIMARY KEY,
    principal BLOB NOT NULL REFERENCES principals (handle),
    at        INTEGER NOT NULL,
    reason    TEXT NOT NULL,
    binding   TEXT NOT NULL,
    leaks     TEXT NOT NULL
) STRICT;

-- Of keys that were made on such a token.
ALTER TABLE keys ADD COLUMN evidence_warning TEXT;
