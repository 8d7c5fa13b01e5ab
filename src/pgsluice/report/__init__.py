"""Writes plans, results and progress for people, on a terminal or as plain text. Only this package prints."""
