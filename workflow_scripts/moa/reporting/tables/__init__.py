"""Tables, one per file: `frame` for the csv, `table` to read and to include in a paper."""
