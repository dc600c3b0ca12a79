"""The report of a config: its captions, its pages of tables and provenance, and the file with all of it."""
