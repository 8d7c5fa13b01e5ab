"""Schema files: SQL of the user is split into statements, checked, and executed."""
