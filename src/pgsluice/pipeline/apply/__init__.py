"""TODO pipeline/apply."""
