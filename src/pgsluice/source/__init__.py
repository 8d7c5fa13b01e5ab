"""Reading: files found, their dialect, their records; nothing here knows about PostgreSQL's tables."""
