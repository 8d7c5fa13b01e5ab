"""Tables become complete: keys are built again, or staged rows are inserted, and violating rows are rejects."""
