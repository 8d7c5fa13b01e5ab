"""The version of pgsluice."""

__version__ = "0.2.0"
