"""TODO postgres/embedded."""
