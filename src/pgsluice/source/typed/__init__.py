"""Typed reading: a block of CSV becomes columns that PostgreSQL receives as binary COPY.

Two readers do the work. ``arrow_reader`` is fast and reads a whole block or nothing; ``arrow_values`` holds its
conversions. ``duckdb_reader`` divides the rows of a block into certain rows and rows that stay text, by the rules of
``type_rules``. ``ordinals`` names the rows of each part.
"""
