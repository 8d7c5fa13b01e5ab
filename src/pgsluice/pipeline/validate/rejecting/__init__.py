"""How violating rows become rejects."""
