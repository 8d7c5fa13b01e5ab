"""TODO postgres."""
