-- Some clients know a certificate by its SHA-1 only. `sha1` is a function of the program while it migrates.
ALTER TABLE certificates ADD COLUMN sha1 BLOB;
UPDATE certificates SET sha1 = sha1(leaf);
CREATE INDEX certificates_by_sha1 ON certificates (tenant, sha1, request);
