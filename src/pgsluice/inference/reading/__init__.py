"""Which files make a table, and their rows in DuckDB."""
