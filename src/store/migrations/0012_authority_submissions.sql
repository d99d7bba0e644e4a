-- What an authority was asked for with, for the surface that was asked.
ALTER TABLE authorities ADD COLUMN surface TEXT;
ALTER TABLE authorities ADD COLUMN submitted TEXT CHECK ((submitted IS NULL) = (surface IS NULL));
