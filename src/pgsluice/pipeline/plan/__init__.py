"""TODO pipeline/plan."""
