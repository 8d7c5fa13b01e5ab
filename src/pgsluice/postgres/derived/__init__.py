"""Derived tables: definitions in SQL files, their order, and how they are created and kept up to date."""
