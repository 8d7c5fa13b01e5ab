"""Rules, derived tables, profiles, drift and the report of a run, as values."""
