-- That a CSR was handed to a CA, as the client who did it said. `document` is JSON in the words of the surface.
CREATE TABLE enrollments (
    request     BLOB NOT NULL PRIMARY KEY REFERENCES signing_requests (handle),
    principal   BLOB NOT NULL REFERENCES principals (handle),
    surface     TEXT NOT NULL,
    document    TEXT NOT NULL,
    enrolled_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
