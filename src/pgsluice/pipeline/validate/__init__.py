"""TODO pipeline/validate."""
