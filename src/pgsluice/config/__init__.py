"""``pgsluice.toml``: the settings of a load in a file.

:mod:`~pgsluice.config.description` says once which sections and keys exist. The check of a file, the JSON Schema for
editors and the reference page (``docs/generate_config.py``) come from there.
"""
