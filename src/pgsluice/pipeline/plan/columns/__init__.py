"""Columns that are computed, and columns that a table does not have yet."""
