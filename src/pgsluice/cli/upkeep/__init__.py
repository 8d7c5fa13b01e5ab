"""Commands beside loading: ``server``, ``reset`` and ``doctor``."""
