"""Incremental derived tables: only the groups that a run has touched are computed again."""
