"""TODO pipeline/publish."""
