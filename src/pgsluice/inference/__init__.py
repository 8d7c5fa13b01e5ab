"""A schema for files that have none: types, keys and foreign keys, found in all rows.

The package reads files through ``source`` and knows no run and no database.

* ``reading``: which files make a table, and their rows in DuckDB, as texts.
* ``columns``: what the values of a column have in common, and the type that follows.
* ``keys``: how names fit, which columns are unique, which columns hold the values of others, and the choice of keys.
* ``writing``: ``schema.sql`` and ``pgsluice.toml``.
* ``infer``: the steps in their order.
"""
