"""The embedded PostgreSQL server: its data folder, its programs, its socket and its settings."""
