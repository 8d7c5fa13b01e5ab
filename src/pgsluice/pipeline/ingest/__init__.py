"""TODO pipeline/ingest."""
