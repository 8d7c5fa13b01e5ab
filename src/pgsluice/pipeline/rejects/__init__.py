"""TODO pipeline/rejects."""
