"""Tables, one per file: `frame` for the csv, `markdown` to read, `latex` to include."""
