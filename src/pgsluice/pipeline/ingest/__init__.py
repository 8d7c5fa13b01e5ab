"""Rows reach PostgreSQL: a reader thread parses the files, a sender copies the batches."""
