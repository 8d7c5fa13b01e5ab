"""Blocks of which Arrow reads most rows: the others stay text."""
